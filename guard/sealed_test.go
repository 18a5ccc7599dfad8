package guard_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/wire"
)

func apiKey(t testing.TB) *jwk.DecryptionKey {
	t.Helper()
	key, err := jwk.GenerateDecryption(jwk.ECDHESA128KW, "X25519")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// An API that has decryption keys takes what is encrypted for one of them, and
// nothing else; whatever cannot be decrypted has one answer.
func TestDecryption(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, "http://127.0.0.1:1")
	old, young, other := apiKey(t), apiKey(t), apiKey(t)
	keys, err := jwk.NewDecryptionSet(old, young)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	g, err := guard.New(ctx, guard.Config{Issuer: i.url, Audience: audience, Decryption: keys, Client: &http.Client{Transport: inMemory{i}}, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	api := g.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	sealed := func(key jwk.Encrypter, c jwt.Claims) string {
		c.Subject, c.Audience, c.Life = "acc_anna", []string{audience}, time.Hour
		return issue(t, jwt.IssuerConfig{Issuer: i.url, Key: i.key, Seal: key}, c)
	}
	good := sealed(young.Public(), jwt.Claims{SessionID: "s1"})
	for _, c := range []struct {
		name, token string
		status      int
		code        wire.Code
	}{
		{"for the young key", good, 200, ""},
		{"for the old key", sealed(old.Public(), jwt.Claims{}), 200, ""},
		{"in clear", i.token(jwt.Claims{}), 401, wire.CodeTokenMalformed},
		{"for another API's key", sealed(other.Public(), jwt.Claims{}), 401, wire.CodeTokenInvalid},
		{"with a changed tag", good[:len(good)-6] + "AAAAAA", 401, wire.CodeTokenInvalid},
		{"with a changed ciphertext", strings.Replace(good, good[len(good)-60:len(good)-50], "AAAAAAAAAA", 1), 401, wire.CodeTokenInvalid},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+c.token)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), string(c.code)) {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
	for _, err := range []error{jwt.ErrDecrypt, jwt.ErrUnknownKey, jwt.ErrAlgorithm, jwt.ErrSignature, jwt.ErrType} {
		if code, _ := guard.Code(err); code != wire.CodeTokenInvalid {
			t.Errorf("%v is told apart: %s", err, code)
		}
	}
}

func TestDecryptionFaults(t *testing.T) {
	t.Parallel()
	keys, err := jwk.NewDecryptionSet(apiKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []guard.Config{
		{Issuer: "https://auth.example.com", Audience: audience, Decryption: (*jwk.DecryptionSet)(nil)},
		{Verifier: new(jwt.Verifier), Decryption: keys},
	} {
		if _, err := guard.NewLazy(c); err == nil || !strings.Contains(err.Error(), "Decryption") {
			t.Errorf("%v", err)
		}
	}
}

// An API of which the issuer knows the public key. Where the issuer is a server,
// Config.Decryption takes the place of the policy's.
func Example_encrypted() {
	api, err := jwk.GenerateDecryption(jwk.ECDHESA128KW, "P-256") // in a file: jotsmith key generate --use enc
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwk.NewDecryptionSet(api)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer: "https://auth.example.com", Audiences: []string{"https://clinic.example.com"},
		Keys: exampleKeys, Decryption: keys, Revocations: revocation.NewSet(0),
	})
	if err != nil {
		log.Fatal(err)
	}
	g, err := guard.New(context.Background(), guard.Config{Verifier: verifier, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	records := g.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("hello", guard.Token(r).Subject())
	})

	for _, seal := range []jwk.Encrypter{api.Public(), nil} {
		issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: exampleKey, Seal: seal})
		if err != nil {
			log.Fatal(err)
		}
		token, err := issuer.Issue(jwt.Claims{Subject: "acc_anna", Audience: []string{"https://clinic.example.com"}, Life: time.Minute})
		if err != nil {
			log.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/records", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		records.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// hello acc_anna
	// 200
	// 401
}
