package httpapi_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// encrypt changes for whom the tokens of the API tasks are encrypted.
func (n *node) encrypt(t testing.TB, key *jwk.DecryptionKey, opaque bool) {
	t.Helper()
	_, err := n.admin.ChangeAPI(t.Context(), operator, tasks, func(a *catalog.API) {
		a.EncryptionKey, a.Opaque = nil, opaque
		if key != nil {
			a.EncryptionKey, _ = key.Public().MarshalJSON()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func decryptionKey(t testing.TB, alg jwk.KeyManagement) *jwk.DecryptionKey {
	t.Helper()
	key, err := jwk.GenerateDecryption(alg, "")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Which form of a token each kind of API gets, and what the server's own routes
// make of each form that somebody could send.
func TestEncryptedTokens(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	ivy := read[wire.TokenResponse](t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "ivy", Password: password, Audience: catalog.AdminAudience(issuer)}), 200)
	key := decryptionKey(t, jwk.ECDHES)
	own, err := jwk.NewDecryptionSet(key)
	if err != nil {
		t.Fatal(err)
	}
	inside := func(token string, keys jwe.Keys) string {
		t.Helper()
		opened, err := jwe.Decrypt(t.Context(), token, keys)
		if err != nil {
			t.Fatal(err)
		}
		if opened.Header.ContentType != "JWT" {
			t.Errorf("cty %q (RFC 7519 §5.2)", opened.Header.ContentType)
		}
		return string(opened.Plaintext)
	}
	login := func() string { return n.login("alice").AccessToken }
	signed := login()
	n.encrypt(t, key, false)
	forAPI := login()
	n.encrypt(t, nil, true)
	opaque := login()
	for name, token := range map[string]string{"for the API's key": forAPI, "opaque": opaque} {
		if strings.Count(token, ".") != 4 || strings.Contains(token, ".eyJ") {
			t.Errorf("%s: %s is not encrypted", name, token)
		}
	}
	opened := inside(forAPI, own)
	stripped := inside(opaque, n.ring.Opens())
	twice, err := jwe.Encrypt(must(n.ring.Sealer()), "at+jwt", "JWT", []byte(opaque))
	if err != nil {
		t.Fatal(err)
	}
	resealed, err := jwe.Encrypt(must(n.ring.Sealer()), "at+jwt", "JWT", []byte(opened))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := jwe.Encrypt(must(n.ring.Sealer()), "at+jwt", "JWT", []byte(`{"sub":"alice"}`))
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name   string
		api    string // how it is registered now
		token  string
		code   wire.Code // empty: it is taken
		reason string    // for the log
	}{
		{"signed, of a signed API", "signed", signed, "", ""},
		{"for an API's key", "key", forAPI, wire.CodeTokenInvalid, "only that API can open"},
		{"for an API's key, opened by it", "key", opened, "", ""},
		{"for an API's key that was removed", "signed", forAPI, wire.CodeTokenInvalid, "only that API can open"},
		{"opaque", "opaque", opaque, "", ""},
		{"opaque, without its encryption", "opaque", stripped, wire.CodeTokenMalformed, "opaque"},
		{"signed, of an API that is opaque by now", "opaque", signed, wire.CodeTokenMalformed, "opaque"},
		{"opaque, of an API that is signed by now", "signed", opaque, wire.CodeTokenMalformed, "encrypted"},
		{"for the server, by somebody else, of a signed API", "key", resealed, wire.CodeTokenMalformed, "encrypted"},
		{"encrypted twice", "opaque", twice, wire.CodeTokenMalformed, ""},
		{"nothing signed inside", "opaque", forged, wire.CodeTokenMalformed, ""},
		{"a changed tag", "opaque", opaque[:len(opaque)-4] + flip(opaque[len(opaque)-4:]), wire.CodeTokenInvalid, "decrypt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			switch tt.api {
			case "key":
				n.encrypt(t, key, false)
			case "opaque":
				n.encrypt(t, nil, true)
			default:
				n.encrypt(t, nil, false)
			}
			for _, route := range []string{"/v1/me", "/v1/sessions", "/v1/forward-auth?audience=" + tasks} {
				w := n.do("GET", route, nil, bearer(tt.token))
				if tt.code == "" {
					if w.Code != 200 {
						t.Errorf("%s: %d %s", route, w.Code, w.Body)
					}
					continue
				}
				refused(t, w, tt.code)
				if line := n.log.last(t); !strings.Contains(fmt.Sprint(line["reason"]), tt.reason) {
					t.Errorf("%s: the log says %v, want %q", route, line["reason"], tt.reason)
				}
			}
			if got := n.introspect(ivy.AccessToken, tt.token); got.Active != (tt.code == "") {
				t.Errorf("introspection %+v", got)
			} else if got.Active && (got.Subject != string(n.id("alice")) || !slices.Contains(got.Audience, tasks)) {
				t.Errorf("introspection %+v", got)
			}
		})
	}

	t.Run("forward-auth tells the claims of an opaque token", func(t *testing.T) {
		n.encrypt(t, nil, true)
		allowed(t, n.do("GET", ask, nil, bearer(login())), string(n.id("alice")), "editor")
	})
	t.Run("a log-out takes a token of any form that the server can read", func(t *testing.T) {
		n.encrypt(t, nil, true)
		token := login()
		n.encrypt(t, key, false)
		if w := n.do("POST", "/v1/logout", nil, bearer(token)); w.Code != 204 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		unreadable := n.login("alice")
		refused(t, n.do("POST", "/v1/logout", nil, bearer(unreadable.AccessToken)), wire.CodeTokenInvalid)
		w := n.do("POST", "/oauth/revoke", url.Values{"token": {unreadable.RefreshToken}}.Encode(), form)
		if w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: unreadable.RefreshToken}), wire.CodeInvalidRefreshToken)
	})
}

// flip changes base64url text and leaves it canonical.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Opaque tokens outlive the rotation of the key that they are encrypted with,
// and end with its revocation; a refresh brings one that is good.
func TestOpaqueTokensAndKeys(t *testing.T) {
	t.Parallel()
	n := open(t, options{Quiet: true})
	n.encrypt(t, nil, true)
	before := n.login("alice")
	rotate := func() string {
		t.Helper()
		k, err := n.admin.RotateKey(t.Context(), operator, keyring.Sealing, keyring.SealingAlgorithm, true)
		if err != nil {
			t.Fatal(err)
		}
		return k.ID
	}
	active := rotate()
	after := n.login("alice")
	for name, token := range map[string]string{"retiring": before.AccessToken, "active": after.AccessToken} {
		if w := n.do("GET", "/v1/me", nil, bearer(token)); w.Code != 200 {
			t.Errorf("%s key: %d %s", name, w.Code, w.Body)
		}
	}
	if _, err := n.admin.RevokeKey(t.Context(), operator, active); err != nil {
		t.Fatal(err)
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(after.AccessToken)), wire.CodeTokenInvalid)
	fresh := n.login("alice")
	if w := n.do("GET", "/v1/me", nil, bearer(fresh.AccessToken)); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	next := read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: after.RefreshToken}), 200)
	if w := n.do("GET", "/v1/me", nil, bearer(next.AccessToken)); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w := n.do("GET", "/.well-known/jotsmith-sealing-jwks.json", nil)
	if set, err := jwk.ParseEncryptionSet(w.Body.Bytes()); err != nil || set.Len() != 1 || strings.Contains(w.Body.String(), `"d"`) {
		t.Errorf("%s, %v", w.Body, err)
	}
	m := read[wire.Metadata](t, n.do("GET", wire.PathMetadata, nil), 200)
	if m.SealingJWKSURI != issuer+"/.well-known/jotsmith-sealing-jwks.json" {
		t.Errorf("metadata %+v", m)
	}
}

// Revocation of a token alone, and of a session, holds for tokens that are
// encrypted, at the server and at an API.
func TestEncryptedTokensAreRevoked(t *testing.T) {
	t.Parallel()
	n := open(t, options{Quiet: true})
	key := decryptionKey(t, jwk.ECDHESA256KW)
	own, err := jwk.NewDecryptionSet(key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jwt.NewVerifier(jwt.Policy{Issuer: issuer, Audiences: []string{tasks}, Keys: n.ring.Keys(keyring.Access), Decryption: own, Revocations: n.feed.Local()})
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.NewLazy(guard.Config{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	at := func(token string) error {
		t.Helper()
		if err := n.feed.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := g.CheckToken(t.Context(), token, nil)
		return err
	}
	n.encrypt(t, key, false)
	alice := n.login("alice")
	if err := at(alice.AccessToken); err != nil {
		t.Fatal(err)
	}
	if _, err := n.admin.RevokeToken(t.Context(), operator, alice.AccessToken); err == nil {
		t.Error("a token was revoked that the server cannot read")
	}
	opened, err := jwe.Decrypt(t.Context(), alice.AccessToken, own)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.admin.RevokeToken(t.Context(), operator, string(opened.Plaintext)); err != nil {
		t.Error(err)
	}
	if err := at(alice.AccessToken); !errors.Is(err, jwt.ErrRevoked) {
		t.Errorf("a revoked token at the API: %v", err)
	}
	bob := n.login("bob")
	if err := at(bob.AccessToken); err != nil {
		t.Fatal(err)
	}
	if _, err := n.admin.EndSessions(t.Context(), operator, n.id("bob")); err != nil {
		t.Fatal(err)
	}
	if err := at(bob.AccessToken); !errors.Is(err, jwt.ErrRevoked) {
		t.Errorf("an ended session at the API: %v", err)
	}

	n.encrypt(t, nil, true)
	opaque := n.login("alice")
	if _, err := n.admin.RevokeToken(t.Context(), operator, opaque.AccessToken); err != nil {
		t.Error(err)
	}
	if err := n.feed.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(opaque.AccessToken)), wire.CodeTokenRevoked)
}
