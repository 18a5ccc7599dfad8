package httpapi_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// invalid asks for a token's status as a verifier of another make does: it
// knows the claim, the standard and the key set, and nothing else.
func (n *node) invalid(token string) bool {
	n.t.Helper()
	u, err := jwt.Inspect(token)
	if err != nil {
		n.t.Fatal(err)
	}
	var c struct {
		Status struct {
			List struct {
				Idx int
				URI string
			} `json:"status_list"`
		}
	}
	if err := json.Unmarshal([]byte(u.Claims()), &c); err != nil || !strings.HasPrefix(c.Status.List.URI, issuer+"/v1/status/") {
		n.t.Fatalf("%v: %s", err, u.Claims())
	}
	w := n.do("GET", strings.TrimPrefix(c.Status.List.URI, issuer), nil, func(r *request) { r.Header.Set("Accept", "application/statuslist+jwt") })
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/statuslist+jwt" || w.Header().Get("Cache-Control") != "public, max-age=30" {
		n.t.Fatalf("%d %v", w.Code, w.Header())
	}
	verified, err := jws.Verify(n.t.Context(), w.Body.String(), n.ring.Keys(keyring.Access))
	if err != nil || verified.Header.Type != "statuslist+jwt" {
		n.t.Fatalf("%v, %v", verified.Header, err)
	}
	var list struct {
		Sub    string
		Status struct {
			Bits int
			Lst  string
		} `json:"status_list"`
	}
	if err := json.Unmarshal([]byte(verified.Payload), &list); err != nil || list.Sub != c.Status.List.URI || list.Status.Bits != 1 {
		n.t.Fatalf("%v: %s", err, verified.Payload)
	}
	raw, err := base64.RawURLEncoding.DecodeString(list.Status.Lst)
	if err != nil {
		n.t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		n.t.Fatal(err)
	}
	set, err := io.ReadAll(r)
	if err != nil {
		n.t.Fatal(err)
	}
	again := n.do("GET", strings.TrimPrefix(c.Status.List.URI, issuer), nil, func(r *request) { r.Header.Set("If-None-Match", w.Header().Get("ETag")) })
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		n.t.Errorf("the same list is answered %d", again.Code)
	}
	return set[c.Status.List.Idx/8]>>(c.Status.List.Idx%8)&1 == 1
}

// A verifier that follows no feed learns of every end.
func TestStatusLists(t *testing.T) {
	t.Parallel()
	kept := map[string]func(n *node) (token string, end func()){
		"log-out": func(n *node) (string, func()) {
			alice := n.login("alice")
			return alice.AccessToken, func() { n.do("POST", "/v1/logout", nil, bearer(alice.AccessToken)) }
		},
		"after a refresh": func(n *node) (string, func()) {
			alice := n.login("alice")
			again := read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken}), 200)
			return again.AccessToken, func() { n.do("POST", "/v1/logout", nil, bearer(again.AccessToken)) }
		},
		"one token": func(n *node) (string, func()) {
			a, secret := n.app("editor")
			token := n.grant(a, secret).AccessToken
			return token, func() {
				n.post("/oauth/revoke", []string{"token", token}, basic(string(a.ID), secret))
			}
		},
	}
	for name, act := range kept {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := open(t, options{Status: true})
			n.t = t
			token, end := act(n)
			other, _ := act(n)
			end()
			if !n.invalid(token) {
				t.Error("valid after its end")
			}
			if n.invalid(other) {
				t.Error("another token ended too")
			}
		})
	}
}

func TestStatusListsAreOffUntilAskedFor(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	u, err := jwt.Inspect(n.login("alice").AccessToken)
	if err != nil || strings.Contains(string(u.Claims()), "status") {
		t.Errorf("%v: %s", err, u.Claims())
	}
	refused(t, n.do("GET", "/v1/status/AAAAAAAAAAAAAAAA", nil), wire.CodeNotFound)
	n = open(t, options{Status: true})
	refused(t, n.do("GET", "/v1/status/AAAAAAAAAAAAAAAA", nil), wire.CodeNotFound)
	refused(t, n.do("GET", "/v1/status/nonsense", nil), wire.CodeNotFound)
}
