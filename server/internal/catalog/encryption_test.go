package catalog_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
)

func encryptionJWK(t *testing.T, alg jwk.KeyManagement) (public, private json.RawMessage) {
	t.Helper()
	key, err := jwk.GenerateDecryption(alg, "")
	if err != nil {
		t.Fatal(err)
	}
	if public, err = key.Public().MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	if private, err = key.MarshalDecryptionJWK(); err != nil {
		t.Fatal(err)
	}
	return public, private
}

func TestEncryptionKeyOfAnAPI(t *testing.T) {
	t.Parallel()
	public, private := encryptionJWK(t, jwk.ECDHESA128KW)
	signing, err := jwk.Generate(jwk.ES256)
	if err != nil {
		t.Fatal(err)
	}
	verifies, err := json.Marshal(signing.Public())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		api  catalog.API
		want string // in the error; empty: none
	}{
		{"a public key", catalog.API{EncryptionKey: public}, ""},
		{"opaque", catalog.API{Opaque: true}, ""},
		{"both", catalog.API{EncryptionKey: public, Opaque: true}, "nobody else's key"},
		{"a private key", catalog.API{EncryptionKey: private}, "private"},
		{"a key for signatures", catalog.API{EncryptionKey: verifies}, "encryption key"},
		{"a shared secret", catalog.API{EncryptionKey: json.RawMessage(`{"kty":"oct","alg":"A256KW","k":"` + strings.Repeat("A", 43) + `"}`)}, "encryption key"},
		{"RSA-OAEP with SHA-1", catalog.API{EncryptionKey: json.RawMessage(`{"kty":"RSA","alg":"RSA-OAEP","n":"AQAB","e":"AQAB"}`)}, "RSA-OAEP"},
		{"no algorithm", catalog.API{EncryptionKey: json.RawMessage(strings.Replace(string(public), `"alg"`, `"x5z"`, 1))}, `without "alg"`},
		{"no key", catalog.API{EncryptionKey: json.RawMessage(`{"kty":"EC"}`)}, "encryption key"},
		{"too large", catalog.API{EncryptionKey: json.RawMessage(`{"x":"` + strings.Repeat("A", 9000) + `"}`)}, "at most 8192"},
		{"of this server's own API", catalog.API{EncryptionKey: public, BuiltIn: true}, "could not"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.api.Audience = "https://clinic.example"
			c, err := catalog.New("", []catalog.API{tt.api}, nil)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("error %v, want %q", err, tt.want)
				}
				if d := member(private, "d"); strings.Contains(err.Error(), d) {
					t.Error("the error quotes the key")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if a, _ := c.API(""); (a.Encrypter() != nil) != (tt.api.EncryptionKey != nil) {
				t.Errorf("Encrypter = %v", a.Encrypter())
			}
		})
	}
}

func member(object json.RawMessage, name string) string {
	var members map[string]any
	_ = json.Unmarshal(object, &members)
	s, _ := members[name].(string)
	return s
}

// The built-in API is changed by nobody, so that nobody turns away the tokens of
// administration.
func TestBuiltInAPIIsNotEncrypted(t *testing.T) {
	t.Parallel()
	l := open(t, catalog.Config{Store: newStore(t), Issuer: issuer})
	public, _ := encryptionJWK(t, jwk.ECDHES)
	for _, a := range []catalog.API{{EncryptionKey: public}, {Opaque: true}} {
		a.Audience = catalog.AdminAudience(issuer)
		if _, err := l.SaveAPI(t.Context(), operator, a); !errors.Is(err, catalog.ErrBuiltIn) {
			t.Errorf("SaveAPI = %v", err)
		}
	}
}

// What is kept of a key is what was understood; each change says for whom tokens
// are encrypted from then on.
func TestEncryptionIsKeptAndRecorded(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	l := open(t, catalog.Config{Store: store, Issuer: issuer})
	public, _ := encryptionJWK(t, jwk.ECDHES)
	odd := json.RawMessage(strings.Replace(string(public), "{", `{"note":"mine",`, 1))
	a, err := l.SaveAPI(t.Context(), operator, catalog.API{Audience: "https://clinic.example", EncryptionKey: odd})
	if err != nil {
		t.Fatal(err)
	}
	if string(a.EncryptionKey) != string(public) {
		t.Errorf("kept %s, want %s", a.EncryptionKey, public)
	}
	a.EncryptionKey, a.Opaque = nil, true
	if a, err = l.SaveAPI(t.Context(), operator, a); err != nil || !a.Opaque || a.Encrypter() != nil {
		t.Errorf("%+v, %v", a, err)
	}
	records, _, err := store.Records(t.Context(), 0, 10)
	if err != nil || len(records) != 2 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for i, want := range []string{`"encryption":"` + member(public, "kid") + `"`, `"encryption":"opaque"`} {
		if what := string(records[i].What); !strings.Contains(what, want) {
			t.Errorf("record %d is %s, want %s", i, what, want)
		}
	}
}
