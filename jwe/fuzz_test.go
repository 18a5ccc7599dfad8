package jwe_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// fixed are keys that every process has, so that a text stays genuine.
func fixed() (encrypters []jwk.Encrypter, keys *jwk.DecryptionSet) {
	raw := make([]byte, 64)
	for i := range raw {
		raw[i] = byte(5*i + 1)
	}
	agreeing := must(jwk.ParseDecryption([]byte(`{"kty":"EC","crv":"P-256","alg":"ECDH-ES+A128KW","kid":"bob","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",` +
		`"x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"}`)))
	direct := must(jwk.NewShared(jwk.Direct, raw, "dir", jwk.A256CBCHS512))
	wrap := must(jwk.NewShared(jwk.A128KW, raw[:16], "kw"))
	gcm := must(jwk.NewShared(jwk.A256GCMKW, raw[:32], "gcm", jwk.A256GCM, jwk.A128CBCHS256))
	return []jwk.Encrypter{direct, wrap, gcm, agreeing.Public()}, setOf(direct, wrap, gcm, agreeing)
}

// closed fails unless err is one of the few that there are.
func closed(t *testing.T, err error) {
	t.Helper()
	if !slices.ContainsFunc([]error{jwe.ErrMalformed, jwe.ErrAlgorithm, jwe.ErrDecrypt, jwk.ErrUnknownKey}, func(e error) bool { return errors.Is(err, e) }) {
		t.Fatal(err)
	}
}

// Whatever arrives, only what was encrypted comes out, and a text that decrypts is
// spelled as it was written.
func FuzzDecrypt(f *testing.F) {
	encrypters, keys := fixed()
	for _, e := range encrypters {
		f.Add(must(jwe.Encrypt(e, "", "JWT", []byte("plaintext"))))
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := jwe.Decrypt(t.Context(), text, keys)
		seen, inspectErr := jwe.Inspect(text)
		if err != nil {
			if got.Plaintext != nil || got.Key != nil {
				t.Fatalf("something came out beside %v", err)
			}
			closed(t, err)
			return
		}
		if string(got.Plaintext) != "plaintext" || inspectErr != nil || seen.Parsed != got.Header {
			t.Fatalf("%q, %+v, %v", got.Plaintext, seen, inspectErr)
		}
		again := b64.Encode([]byte(seen.Header))
		for _, part := range [][]byte{seen.EncryptedKey, seen.IV, seen.Ciphertext, seen.Tag} {
			again += "." + b64.Encode(part)
		}
		if again != text {
			t.Fatalf("two spellings: %s and %s", text, again)
		}
	})
}

func FuzzDecryptJSON(f *testing.F) {
	encrypters, keys := fixed()
	for _, e := range encrypters {
		f.Add(must(jwe.EncryptJSON([]jwk.Encrypter{e}, "", "", []byte("aad"), []byte("plaintext"))))
	}
	f.Add(must(jwe.EncryptJSON(encrypters[1:], "", "JWT", nil, []byte("plaintext"))))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := jwe.DecryptJSON(t.Context(), text, keys)
		if err != nil {
			if got.Plaintext != nil || got.Key != nil {
				t.Fatalf("something came out beside %v", err)
			}
			closed(t, err)
			return
		}
		var other struct {
			AAD        string `json:"aad"`
			Ciphertext string `json:"ciphertext"`
		}
		if string(got.Plaintext) != "plaintext" || json.Unmarshal(text, &other) != nil || !bytes.Equal(must(b64.Decode(nil, other.AAD)), got.AdditionalData) {
			t.Fatalf("%s: %+v", text, got)
		}
		if _, err := jwe.Decrypt(t.Context(), string(text), keys); err == nil {
			t.Fatalf("accepted as compact: %s", text)
		}
	})
}

// What is encrypted decrypts to the same, whatever it is and whatever is said of
// it.
func FuzzEncrypt(f *testing.F) {
	encrypters, keys := fixed()
	f.Add("at+jwt", "JWT", []byte("plaintext"), []byte("aad"))
	f.Add("\"\\\u2028\x00", "<>&", []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, typ, cty string, plaintext, aad []byte) {
		for _, e := range encrypters {
			text, err := jwe.Encrypt(e, typ, cty, plaintext)
			if err != nil {
				t.Fatal(err)
			}
			d := jwe.Decrypter{MaxSize: 1 << 24}
			got, err := d.Decrypt(t.Context(), text, keys)
			if err != nil {
				if len(text) > jwe.DefaultMaxSize {
					return // the header
				}
				t.Fatal(err)
			}
			if !bytes.Equal(got.Plaintext, plaintext) {
				t.Fatalf("%x became %x", plaintext, got.Plaintext)
			}
			doc := must(jwe.EncryptJSON([]jwk.Encrypter{e}, typ, cty, aad, plaintext))
			if got, err = d.DecryptJSON(t.Context(), doc, keys); err != nil || !bytes.Equal(got.Plaintext, plaintext) || !bytes.Equal(got.AdditionalData, aad) {
				t.Fatalf("%s: %+v, %v", doc, got, err)
			}
		}
	})
}
