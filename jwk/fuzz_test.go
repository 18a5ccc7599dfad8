package jwk_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

// Reading never panics, and what was read comes back as it was. The seeds in
// testdata/fuzz are the forms of each parser and their near misses.

func FuzzParsePublic(f *testing.F) {
	for _, k := range generated() {
		f.Add(must(json.Marshal(k.Public())))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := jwk.ParsePublic(text)
		if err != nil {
			if key != nil {
				t.Fatal("a key and an error")
			}
			return
		}
		again := must(json.Marshal(key))
		if same, err := jwk.ParsePublic(again); err != nil || !same.Equal(key) {
			t.Fatalf("%s became %s: %v", text, again, err)
		}
		if key.KeyID() == "" || !key.Algorithm().Known() || key.Algorithm().Symmetric() || key.Verify(text, text) == nil {
			t.Fatalf("%v of %s", key, text)
		}
		if strings.Contains(string(again), `"d"`) {
			t.Fatalf("private member in %s", again)
		}
	})
}

func FuzzParsePrivate(f *testing.F) {
	for _, k := range generated() {
		f.Add(must(k.MarshalPrivateJWK()))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := jwk.ParsePrivate(text)
		secret, secretErr := jwk.ParseSecret(text)
		if (key == nil) != (err != nil) || (secret == nil) != (secretErr != nil) || key != nil && secret != nil {
			t.Fatalf("%v %v, %v %v", key, err, secret, secretErr)
		}
		var signer jwk.Signer
		var verifier jwk.Verifier
		switch {
		case key != nil:
			signer, verifier = key, key.Public()
			if same, err := jwk.ParsePrivate(must(key.MarshalPrivateJWK())); err != nil || !same.Public().Equal(key.Public()) {
				t.Fatalf("%s became another key: %v", text, err)
			}
		case secret != nil:
			signer, verifier = secret, secret
			if same, err := jwk.ParseSecret(must(secret.MarshalSecretJWK())); err != nil || !same.Equal(secret) {
				t.Fatalf("%s became another secret: %v", text, err)
			}
		default:
			return
		}
		if _, err := jwk.ParsePublic(text); err == nil {
			t.Fatalf("read as a public key too: %s", text)
		}
		// A key that was made is a key that works.
		signature, err := signer.AppendSignature(nil, text)
		if err != nil || verifier.Verify(text, signature) != nil {
			t.Fatalf("%s does not sign: %v", text, err)
		}
	})
}

func FuzzParseSet(f *testing.F) {
	for _, k := range generated() {
		f.Add([]byte(`{"keys":[` + string(must(json.Marshal(k.Public()))) + `]}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, parse := range []func([]byte) (*jwk.Set, error){
			jwk.ParseSet,
			func(text []byte) (*jwk.Set, error) { return jwk.ParseSetAssuming(jwk.PS256, text) },
		} {
			set, err := parse(text)
			if (set == nil) != (err != nil) {
				t.Fatal(set, err)
			}
			if err != nil {
				continue
			}
			again, err := jwk.ParseSet(must(json.Marshal(set)))
			if err != nil || again.Len() != set.Len() {
				t.Fatalf("%s: %v", text, err)
			}
			for key := range set.All() {
				public, ok := key.(*jwk.PublicKey)
				if !ok || !set.Trusts(key) {
					t.Fatalf("%v in %s", key, text)
				}
				same, err := again.Key(context.Background(), key.KeyID())
				if err != nil || !public.Equal(same.(*jwk.PublicKey)) {
					t.Fatalf("%v became %v: %v", key, same, err)
				}
			}
		}
	})
}

func FuzzParsePEM(f *testing.F) {
	for _, k := range generated() {
		f.Add(must(k.Public().PEM()))
		f.Add(must(k.PrivatePEM()))
	}
	// One algorithm of each kind of key: the others differ in signing only.
	kinds := []jwk.Algorithm{jwk.PS256, jwk.ES256, jwk.ES384, jwk.ES512, jwk.Ed25519}
	f.Fuzz(func(t *testing.T, text []byte) {
		taken := 0
		for _, alg := range kinds {
			private, err := jwk.ParsePrivatePEM(alg, "", text)
			if (private == nil) != (err != nil) {
				t.Fatal(private, err)
			}
			key, err := jwk.ParsePublicPEM(alg, "", text)
			if (key == nil) != (err != nil) || key != nil && private != nil {
				t.Fatal(key, err)
			}
			if private != nil {
				taken++
				if same, err := jwk.ParsePrivatePEM(alg, "", must(private.PrivatePEM())); err != nil || !same.Public().Equal(private.Public()) {
					t.Fatalf("%s became another key: %v", text, err)
				}
			}
			if key != nil {
				taken++
				if same, err := jwk.ParsePublicPEM(alg, "", must(key.PEM())); err != nil || !same.Equal(key) {
					t.Fatalf("%s became another key: %v", text, err)
				}
			}
		}
		if taken > 1 {
			t.Fatalf("taken for %d kinds of key: %s", taken, text)
		}
	})
}
