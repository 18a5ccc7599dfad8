package jwk_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

var pairs = slices.DeleteFunc(jwk.Algorithms(), jwk.Algorithm.Symmetric)

// generated holds a key of each algorithm. RSA keys take long to make: RS* share
// one, and PS* another.
var generated = sync.OnceValue(func() map[jwk.Algorithm]*jwk.PrivateKey {
	keys := make(map[jwk.Algorithm]*jwk.PrivateKey)
	for _, alg := range pairs {
		first := alg
		switch alg {
		case jwk.RS384, jwk.RS512:
			first = jwk.RS256
		case jwk.PS384, jwk.PS512:
			first = jwk.PS256
		}
		if key := keys[first]; key != nil {
			keys[alg] = must(jwk.ParsePrivatePEM(alg, "", must(key.PrivatePEM())))
			continue
		}
		keys[alg] = must(jwk.Generate(alg))
	}
	return keys
})

// kind is the kind of key that an algorithm takes.
func kind(alg jwk.Algorithm) string {
	switch alg {
	case jwk.ES256, jwk.ES384, jwk.ES512:
		return string(alg)
	case jwk.EdDSA, jwk.Ed25519:
		return "Ed25519"
	default:
		return "RSA"
	}
}

func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	type both struct {
		jwk.Signer
		verifier jwk.Verifier
	}
	var keys []both
	for _, alg := range []jwk.Algorithm{jwk.HS256, jwk.HS384, jwk.HS512} {
		secret, err := jwk.GenerateSecret(alg)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, both{secret, secret})
	}
	for _, k := range generated() {
		keys = append(keys, both{k, k.Public()})
	}
	for _, k := range keys {
		t.Run(string(k.Algorithm()), func(t *testing.T) {
			t.Parallel()
			message := []byte("a message")
			signature, err := k.AppendSignature([]byte("kept"), message)
			if err != nil || !bytes.HasPrefix(signature, []byte("kept")) {
				t.Fatalf("%q, %v", signature, err)
			}
			signature = signature[4:]
			if err := k.verifier.Verify(message, signature); err != nil {
				t.Fatal(err)
			}
			again, _ := k.AppendSignature(nil, message)
			// A salt is random (RFC 8017 §8.1); all other signatures are not.
			if salted := strings.HasPrefix(string(k.Algorithm()), "PS"); bytes.Equal(signature, again) == salted {
				t.Error("signatures of one message differ, or ought to")
			}
			if err := k.verifier.Verify([]byte("another message"), signature); err != jwk.ErrSignature {
				t.Errorf("another message: %v", err)
			}
			for i := range signature {
				if err := k.verifier.Verify(message, signature[:i]); err != jwk.ErrSignature {
					t.Fatalf("cut to %d bytes: %v", i, err)
				}
			}
			if err := k.verifier.Verify(message, append(bytes.Clone(signature), 0)); err != jwk.ErrSignature {
				t.Errorf("one byte more: %v", err)
			}
			step := 1
			if alg := k.Algorithm(); alg != jwk.HS256 && alg != jwk.ES256 && alg != jwk.EdDSA {
				step = 9 // another bit of each byte
			}
			for i := 0; i < len(signature)*8; i += step {
				changed := bytes.Clone(signature)
				changed[i/8] ^= 1 << (i % 8)
				if err := k.verifier.Verify(message, changed); err != jwk.ErrSignature {
					t.Fatalf("bit %d changed: %v", i, err)
				}
			}
		})
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for alg, key := range generated() {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			public := key.Public()
			if key.KeyID() != public.Thumbprint() || public.KeyID() != key.KeyID() || key.Algorithm() != alg {
				t.Errorf("key id %q, thumbprint %q", key.KeyID(), public.Thumbprint())
			}
			text, err := json.Marshal(public)
			if err != nil || strings.Contains(string(text), `"d"`) {
				t.Fatalf("%s, %v", text, err)
			}
			if got, err := jwk.ParsePublic(text); err != nil || !got.Equal(public) {
				t.Errorf("public JWK: %v, %v", got, err)
			}
			private, err := key.MarshalPrivateJWK()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := jwk.ParsePrivate(private); err != nil || !got.Public().Equal(public) {
				t.Errorf("private JWK: %v, %v", got, err)
			}
			if _, err := jwk.ParsePublic(private); err == nil {
				t.Error("private JWK taken for a public one")
			}
			if _, err := jwk.ParsePrivate(text); err == nil {
				t.Error("public JWK taken for a private one")
			}
			if _, err := jwk.ParseSecret(text); err == nil {
				t.Error("public JWK taken for a secret")
			}
			pem, err := public.PEM()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := jwk.ParsePublicPEM(alg, "", pem); err != nil || !got.Equal(public) {
				t.Errorf("public PEM: %v, %v", got, err)
			}
			privatePEM, err := key.PrivatePEM()
			if err != nil {
				t.Fatal(err)
			}
			got, err := jwk.ParsePrivatePEM(alg, "named", privatePEM)
			if err != nil || got.KeyID() != "named" || got.Public().Thumbprint() != public.Thumbprint() {
				t.Errorf("private PEM: %v, %v", got, err)
			}
			if got.Public().Equal(public) {
				t.Error("keys of different key ids are equal")
			}
			for _, other := range pairs {
				if kind(other) == kind(alg) {
					continue
				}
				if _, err := jwk.ParsePublicPEM(other, "", pem); err == nil {
					t.Errorf("key of %s taken for %s", alg, other)
				}
			}
			if _, err := jwk.ParsePublicPEM(alg, "", privatePEM); err == nil {
				t.Error("private PEM taken for a public one")
			}
		})
	}
	secret, err := jwk.GenerateSecret(jwk.HS256)
	if err != nil {
		t.Fatal(err)
	}
	text, err := secret.MarshalSecretJWK()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := jwk.ParseSecret(text); err != nil || !got.Equal(secret) {
		t.Errorf("secret JWK: %v, %v", got, err)
	}
	if _, err := jwk.ParsePublic(text); err == nil {
		t.Error("secret taken for a public key")
	}
}

// A key or an error, never both.
func TestKeyIDsRefused(t *testing.T) {
	t.Parallel()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, kid := range map[string]string{"too long": strings.Repeat("k", 201), "control": "a\nb", "not UTF-8": "\xff"} {
		if key, err := jwk.NewEd25519Public(jwk.EdDSA, pub, kid); err == nil || key != nil {
			t.Errorf("%s: public key %v, %v", name, key, err)
		}
		if key, err := jwk.NewEd25519Private(jwk.EdDSA, priv, kid); err == nil || key != nil {
			t.Errorf("%s: private key %v, %v", name, key, err)
		}
	}
}

// What nobody asked for by name never shows a key.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	secret, err := jwk.NewHMAC(jwk.HS256, []byte("Zq9!mmmm-0123-abcd-EFGH-secret-bytes"), "s1")
	if err != nil {
		t.Fatal(err)
	}
	key := generated()[jwk.EdDSA]
	private, _ := key.MarshalPrivateJWK()
	var members map[string]string
	json.Unmarshal(private, &members)
	var out strings.Builder
	text := slog.New(slog.NewTextHandler(&out, nil))
	structured := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{key, *key, secret, *secret, []any{key, secret}, struct{ K, S any }{key, secret}, &key, map[string]any{"k": *key, "s": *secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		text.Info("key", "key", v)
		structured.Info("key", "key", v)
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("json.Marshal of %T: %s", v, b)
		}
	}
	hexed := fmt.Sprintf("%x", "Zq9!mmmm")
	for _, forbidden := range []string{"Zq9!mmmm", hexed, "90 113 57 33", "[90, 113", "0x5a, 0x71", members["d"]} {
		if strings.Contains(out.String(), forbidden) {
			t.Errorf("%q was printed", forbidden)
		}
	}
	if want := "jwk.SecretKey(HS256 s1)"; !strings.Contains(out.String(), want) {
		t.Errorf("%q was not printed", want)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	a, b := generated()[jwk.ES256].Public(), generated()[jwk.EdDSA].Public()
	secret, _ := jwk.GenerateSecret(jwk.HS256)
	other, _ := jwk.GenerateSecret(jwk.HS256)
	set, err := jwk.NewSet(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := set.Key(ctx, a.KeyID()); err != nil || k != jwk.Verifier(a) {
		t.Errorf("%v, %v", k, err)
	}
	if k, err := set.Key(ctx, ""); k != nil || !errors.Is(err, jwk.ErrUnknownKey) {
		t.Errorf("no key id, two keys: %v, %v", k, err)
	}
	if k, err := set.Key(ctx, "x"); k != nil || !errors.Is(err, jwk.ErrUnknownKey) {
		t.Errorf("unknown: %v, %v", k, err)
	}
	one, _ := jwk.NewSet(a)
	if k, err := one.Key(ctx, ""); err != nil || k != jwk.Verifier(a) {
		t.Errorf("no key id, one key: %v, %v", k, err)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jwk.ParseSet(text)
	if err != nil || parsed.Len() != 2 {
		t.Fatalf("%s: %v", text, err)
	}
	twin, _ := parsed.Key(ctx, a.KeyID())
	if !set.Trusts(a) || set.Trusts(twin) || set.Trusts(nil) || one.Trusts(b) || set.Trusts(secret) {
		t.Error("Trusts is about this very key")
	}
	if !a.Equal(twin.(*jwk.PublicKey)) {
		t.Error("a key differs after a round trip")
	}
	n := 0
	for k := range set.All() {
		if k == nil {
			t.Error("nil key")
		}
		n++
	}
	if n != 2 || set.Len() != 2 {
		t.Errorf("%d keys", n)
	}
	secrets, err := jwk.NewSet(secret, other)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(secrets); err == nil {
		t.Errorf("secrets marshalled: %s", b)
	}
	named, _ := jwk.NewHMAC(jwk.HS256, []byte("0123456789abcdefghijklmnopqrstuv"), a.KeyID())
	for name, keys := range map[string][]jwk.Verifier{
		"secret and public key": {a, secret},
		"one key twice":         {a, a},
		"one key id twice":      {a, twin},
		"key id of another":     {secret, named, named},
		"nil":                   {nil},
		"typed nil":             {(*jwk.PublicKey)(nil)},
		"nil secret":            {(*jwk.SecretKey)(nil)},
		"zero key":              {new(jwk.PublicKey)},
		"101 keys":              make([]jwk.Verifier, 101),
	} {
		if _, err := jwk.NewSet(keys...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// everything is a key of each algorithm, with a key id of its own.
func everything() string {
	var texts []string
	for alg, key := range generated() {
		public := must(jwk.ParsePublicPEM(alg, "key of "+string(alg), must(key.Public().PEM())))
		texts = append(texts, string(must(json.Marshal(public))))
	}
	return strings.Join(texts, ",")
}

func TestJWK01KeySets(t *testing.T) {
	t.Parallel()
	public, _ := json.Marshal(generated()[jwk.ES256].Public())
	private, _ := generated()[jwk.EdDSA].MarshalPrivateJWK()
	good := string(public)
	for _, c := range []struct {
		name, text string
		keys       int // -1: refused
	}{
		{"one key", `{"keys":[` + good + `]}`, 1},
		{"no keys", `{"keys":[]}`, 0},
		{"other members are ignored", `{"x":1,"keys":[` + good + `],"y":[]}`, 1},
		{"private member", `{"keys":[` + good + `,` + string(private) + `]}`, -1},
		{"private member, unknown algorithm", `{"keys":[` + good + `,{"kty":"EC","crv":"P-521","d":"AA"}]}`, -1},
		{"oct key", `{"keys":[` + good + `,{"kty":"oct","alg":"HS256","kid":"s","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}`, -1},
		{"oct key without its secret", `{"keys":[{"kty":"oct","alg":"HS256","kid":"s"}]}`, -1},
		{"oct key for encryption", `{"keys":[{"kty":"oct","alg":"A256GCM","use":"enc","kid":"s","k":"AA"}]}`, -1},
		{"key id twice", `{"keys":[` + good + `,` + good + `]}`, -1},
		{"key id missing", `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`, 1},
		{"key id empty", `{"keys":[{"kid":"","kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`, -1},
		{"key id a number", `{"keys":[{"kid":7,"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`, -1},
		{"unknown type", `{"keys":[{"kty":"XYZ","kid":"x"},` + good + `]}`, 1},
		{"post-quantum key", `{"keys":[{"kty":"AKP","alg":"ML-DSA-44","kid":"x","pub":"AA"},` + good + `]}`, 1},
		{"post-quantum private key", `{"keys":[{"kty":"AKP","alg":"ML-DSA-44","kid":"x","pub":"AA","priv":"AA"},` + good + `]}`, -1},
		{"all algorithms", `{"keys":[` + everything() + `]}`, len(pairs)},
		{"fully-specified names of ECDSA", `{"keys":[{"kty":"EC","crv":"P-256","alg":"ESP256","kid":"x","x":"AA","y":"AA"},` + good + `]}`, 1},
		{"key of another curve than it says", `{"keys":[` + strings.Replace(good, "P-256", "P-384", 1) + `]}`, -1},
		{"another algorithm than its curve's", `{"keys":[` + strings.Replace(good, "ES256", "ES384", 1) + `]}`, -1},
		{"RSA key too small", `{"keys":[{"kty":"RSA","alg":"PS256","kid":"x","n":"AQAB","e":"AQAB"},` + good + `]}`, -1},
		{"unknown curve", `{"keys":[{"kty":"EC","crv":"P-192","kid":"x","x":"AA","y":"AA"},` + good + `]}`, 1},
		{"unknown algorithm", `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES999","kid":"x"},` + good + `]}`, 1},
		{"key agreement", `{"keys":[{"kty":"OKP","crv":"X25519","kid":"x","x":"AA"},` + good + `]}`, 1},
		{"for encryption", `{"keys":[` + strings.Replace(good, `"sig"`, `"enc"`, 1) + `]}`, 0},
		{"RSA without alg", `{"keys":[{"kty":"RSA","kid":"x","n":"AQAB","e":"AQAB"},` + good + `]}`, 1},
		{"off the curve", `{"keys":[{"kty":"EC","crv":"P-256","kid":"x","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`, -1},
		{"no type", `{"keys":[{"kid":"x"}]}`, -1},
		{"a key that is no object", `{"keys":[1]}`, -1},
		{"keys that are no array", `{"keys":{}}`, -1},
		{"no keys member", `{}`, -1},
		{"keys twice", `{"keys":[],"keys":[]}`, -1},
		{"another case", `{"KEYS":[]}`, -1},
		{"an array", `[` + good + `]`, -1},
		{"a page", `<html>`, -1},
		{"empty", ``, -1},
		{"trailing bytes", `{"keys":[]}x`, -1},
		{"10,000 keys", `{"keys":[` + strings.Repeat(`{"kty":"X"},`, 9999) + `{"kty":"X"}]}`, -1},
		{"101 keys", `{"keys":[` + strings.Repeat(`{"kty":"X"},`, 100) + `{"kty":"X"}]}`, -1},
		{"too many bytes", `{"keys":[],"x":"` + strings.Repeat("a", 256<<10) + `"}`, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			set, err := jwk.ParseSet([]byte(c.text))
			if (set == nil) != (err != nil) || (c.keys < 0) != (err != nil) {
				t.Fatalf("%v, %v", set, err)
			}
			if err == nil && set.Len() != c.keys {
				t.Errorf("%d keys, want %d", set.Len(), c.keys)
			}
		})
	}
}
