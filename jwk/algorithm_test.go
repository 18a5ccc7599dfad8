package jwk_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	all := jwk.Algorithms()
	want := []jwk.Algorithm{
		"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512", "EdDSA", "Ed25519",
	}
	if !slices.Equal(all, want) {
		t.Errorf("%v", all)
	}
	all[0] = "none"
	if jwk.Algorithm("none").Known() || jwk.Algorithms()[0] != "HS256" {
		t.Error("the list of a caller changes what exists")
	}
	for _, alg := range want {
		if !alg.Known() || alg.Symmetric() != strings.HasPrefix(string(alg), "HS") {
			t.Errorf("%s: known %v, symmetric %v", alg, alg.Known(), alg.Symmetric())
		}
		if alg.Symmetric() {
			if key, err := jwk.Generate(alg); err == nil || key != nil {
				t.Errorf("%s: key pair", alg)
			}
		} else if generated()[alg].Algorithm() != alg {
			t.Errorf("%s: %v", alg, generated()[alg])
		}
		if _, err := jwk.GenerateSecret(alg); (err == nil) != alg.Symmetric() {
			t.Errorf("%s: secret: %v", alg, err)
		}
	}
	for _, alg := range []jwk.Algorithm{"", "none", "None", "hs256", "ES256K", "Ed448", "RSA-OAEP", "dir", "A256GCM", "RSA1_5", "ML-DSA-44", "RS256 ", "RS1"} {
		if alg.Known() || alg.Symmetric() {
			t.Errorf("%q exists", alg)
		}
		if key, err := jwk.Generate(alg); err == nil || key != nil {
			t.Errorf("%q: key pair", alg)
		}
	}
}

// A key verifies what its own algorithm signed and nothing else, even where the
// private key is the same.
func TestJWS04OneAlgorithmPerKey(t *testing.T) {
	t.Parallel()
	message := []byte("m")
	for _, kind := range [][]jwk.Algorithm{
		{jwk.RS256, jwk.RS384, jwk.RS512, jwk.PS256, jwk.PS384, jwk.PS512},
		{jwk.EdDSA, jwk.Ed25519},
	} {
		pem := must(generated()[kind[0]].PrivatePEM())
		for _, signing := range kind {
			signature := must(must(jwk.ParsePrivatePEM(signing, "", pem)).AppendSignature(nil, message))
			for _, verifying := range kind {
				err := must(jwk.ParsePrivatePEM(verifying, "", pem)).Public().Verify(message, signature)
				// The two names of Ed25519 stand for one signature: there the
				// header is compared with the key's name.
				if same := signing == verifying || kind[0] == jwk.EdDSA; (err == nil) != same {
					t.Errorf("signed by %s, verified by %s: %v", signing, verifying, err)
				}
			}
		}
	}
	for _, signing := range []jwk.Algorithm{jwk.HS256, jwk.HS384, jwk.HS512} {
		secret := []byte(strings.Repeat("0123456789", 6) + "abcdefghijk")
		mac := must(must(jwk.NewHMAC(signing, secret, "k")).AppendSignature(nil, message))
		for _, verifying := range []jwk.Algorithm{jwk.HS256, jwk.HS384, jwk.HS512} {
			if err := must(jwk.NewHMAC(verifying, secret, "k")).Verify(message, mac); (err == nil) != (signing == verifying) {
				t.Errorf("signed by %s, verified by %s: %v", signing, verifying, err)
			}
		}
	}
}

// An RSA key that does not say its algorithm has the one that was configured
// for it, or none; the token has no say.
func TestJWS04RSAWithoutAlg(t *testing.T) {
	t.Parallel()
	var members map[string]string
	if err := json.Unmarshal(must(json.Marshal(generated()[jwk.RS256].Public())), &members); err != nil {
		t.Fatal(err)
	}
	set := func(changes ...string) []byte {
		m := map[string]string{"kty": "RSA", "kid": "k", "n": members["n"], "e": members["e"]}
		for i := 0; i < len(changes); i += 2 {
			m[changes[i]] = changes[i+1]
		}
		return must(json.Marshal(map[string]any{"keys": []any{m}}))
	}
	for _, c := range []struct {
		name string
		rsa  jwk.Algorithm
		set  []byte
		want jwk.Algorithm // "" for no key
	}{
		{"RS256", jwk.RS256, set(), jwk.RS256},
		{"PS512", jwk.PS512, set("use", "sig"), jwk.PS512},
		{"what the key says goes before", jwk.RS256, set("alg", "PS384"), jwk.PS384},
		{"encryption", jwk.RS256, set("use", "enc"), ""},
		{"encryption algorithm", jwk.RS256, set("alg", "RSA-OAEP"), ""},
		{"alg null", jwk.RS256, []byte(strings.Replace(string(set("alg", "x")), `"x"`, "null", 1)), "refused"},
		{"private member", jwk.RS256, set("d", "AQAB"), "refused"},
		{"weak key", jwk.RS256, set("n", "AQAB"), "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := jwk.ParseSetAssuming(c.rsa, c.set)
			if (err != nil) != (c.want == "refused") {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			key, err := got.Key(context.Background(), "k")
			switch {
			case c.want == "" && !errors.Is(err, jwk.ErrUnknownKey):
				t.Errorf("%v, %v", key, err)
			case c.want != "" && (err != nil || key.Algorithm() != c.want):
				t.Errorf("%v, %v", key, err)
			}
		})
	}
	if got, err := jwk.ParseSet(set()); err != nil || got.Len() != 0 {
		t.Errorf("no algorithm configured: %v, %v", got, err)
	}
	if _, err := jwk.ParsePublic(must(json.Marshal(map[string]string{"kty": "RSA", "n": members["n"], "e": members["e"]}))); err == nil {
		t.Error("one key without algorithm accepted")
	}
	for _, alg := range []jwk.Algorithm{"", "none", jwk.HS256, jwk.ES256, jwk.EdDSA, "RSA-OAEP"} {
		if got, err := jwk.ParseSetAssuming(alg, set()); err == nil || got != nil {
			t.Errorf("RSA keys for %q: %v", alg, got)
		}
	}
	ec := must(json.Marshal(generated()[jwk.ES384].Public()))
	if got, err := jwk.ParseSetAssuming(jwk.RS256, []byte(`{"keys":[`+string(ec)+`]}`)); err != nil || got.Len() != 1 {
		t.Errorf("keys of other types: %v, %v", got, err)
	}
}

// RFC 7518 §3.5: the salt is as long as the hash, and MGF1 has the same hash.
func TestJWS11PSS(t *testing.T) {
	t.Parallel()
	private := inside(t, jwk.RS256).(*rsa.PrivateKey)
	message := []byte("message")
	for _, c := range []struct {
		alg  jwk.Algorithm
		hash crypto.Hash
	}{{jwk.PS256, crypto.SHA256}, {jwk.PS384, crypto.SHA384}, {jwk.PS512, crypto.SHA512}} {
		t.Run(string(c.alg), func(t *testing.T) {
			t.Parallel()
			key := must(jwk.NewRSAPublic(c.alg, &private.PublicKey, ""))
			digest := func(h crypto.Hash) []byte {
				state := h.New()
				state.Write(message)
				return state.Sum(nil)
			}
			for _, salt := range []int{1, 20, 32, 48, 64, 100} {
				signature := must(rsa.SignPSS(rand.Reader, private, c.hash, digest(c.hash), &rsa.PSSOptions{SaltLength: salt}))
				if err := key.Verify(message, signature); (err == nil) != (salt == c.hash.Size()) {
					t.Errorf("salt of %d bytes: %v", salt, err)
				}
			}
			for _, mgf := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
				for _, salt := range []int{0, c.hash.Size()} {
					signature := pss(private, digest(c.hash), c.hash, mgf, salt)
					if err := key.Verify(message, signature); (err == nil) != (mgf == c.hash && salt != 0) {
						t.Errorf("MGF1 with %s, salt of %d bytes: %v", mgf, salt, err)
					}
				}
			}
			other := crypto.SHA256
			if c.hash == other {
				other = crypto.SHA512
			}
			if key.Verify(message, must(rsa.SignPSS(rand.Reader, private, other, digest(other), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))) == nil {
				t.Error("another hash accepted")
			}
			if key.Verify(message, must(rsa.SignPKCS1v15(nil, private, c.hash, digest(c.hash)))) == nil {
				t.Error("PKCS #1 v1.5 accepted")
			}
		})
	}
}

// pss signs with a hash for MGF1 and a salt that crypto/rsa does not offer
// (RFC 8017 §9.1.1).
func pss(key *rsa.PrivateKey, digest []byte, h, mgf crypto.Hash, salt int) []byte {
	random := make([]byte, salt)
	rand.Read(random)
	state := h.New()
	state.Write(slices.Concat(make([]byte, 8), digest, random))
	sum := state.Sum(nil)
	size := key.Size()
	db := make([]byte, size-len(sum)-1)
	db[len(db)-salt-1] = 1
	copy(db[len(db)-salt:], random)
	var mask []byte
	for i := byte(0); len(mask) < len(db); i++ {
		state := mgf.New()
		state.Write(slices.Concat(sum, []byte{0, 0, 0, i}))
		mask = state.Sum(mask)
	}
	for i := range db {
		db[i] ^= mask[i]
	}
	db[0] &= 0x7f
	encoded := slices.Concat(db, sum, []byte{0xbc})
	m := new(big.Int).SetBytes(encoded)
	return m.Exp(m, key.D, key.N).FillBytes(make([]byte, size))
}
