package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/oauth"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

const (
	jwksPath     = "/.well-known/jwks.json"
	feedJWKSPath = "/.well-known/jotsmith-revocations-jwks.json"
)

func TestJWK07PublishedKeys(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	bodies := map[string]string{}
	for _, path := range []string{jwksPath, feedJWKSPath} {
		w := n.do("GET", path, nil)
		h := w.Header()
		if w.Code != 200 || h.Get("Content-Type") != "application/jwk-set+json" || h.Get("Cache-Control") != "public, max-age=300" ||
			h.Get("Access-Control-Allow-Origin") != "*" || h.Get("ETag") == "" {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || len(set.Keys) == 0 {
			t.Fatalf("%v: %s", err, w.Body)
		}
		for _, key := range set.Keys {
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
				if _, found := key[private]; found {
					t.Errorf("%s publishes the member %q", path, private)
				}
			}
		}
		if _, err := jwk.ParseSet(w.Body.Bytes()); err != nil {
			t.Error(err)
		}
		bodies[path] = w.Body.String()

		for name, c := range map[string]struct {
			tag  string
			want int
		}{
			"same": {h.Get("ETag"), 304}, "weak": {"W/" + h.Get("ETag"), 304}, "in a list": {`"x", ` + h.Get("ETag"), 304}, "any": {"*", 304},
			"other": {`"x"`, 200}, "unquoted": {strings.Trim(h.Get("ETag"), `"`), 200}, "empty": {"", 200},
		} {
			w := n.do("GET", path, nil, header("If-None-Match", c.tag))
			if w.Code != c.want || w.Header().Get("ETag") != h.Get("ETag") || w.Code == 304 && w.Body.Len() > 0 {
				t.Errorf("If-None-Match %s: %d", name, w.Code)
			}
		}
		if w := n.do("HEAD", path, nil); w.Code != 200 || w.Header().Get("ETag") != h.Get("ETag") {
			t.Errorf("HEAD: %d", w.Code)
		}
	}
	if bodies[jwksPath] == bodies[feedJWKSPath] {
		t.Error("one key set serves two purposes")
	}
	if oauth.MaxAge >= 24*time.Hour {
		t.Error("key sets may be cached for longer than a key is announced")
	}
	if _, err := n.admin.RotateKey(t.Context(), operator, keyring.Access, jwk.ES256, false); err != nil {
		t.Fatal(err)
	}
	if w := n.do("GET", jwksPath, nil); w.Body.String() == bodies[jwksPath] {
		t.Error("an announced key is not published")
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	for _, path := range []string{wire.PathMetadata, wire.PathOpenIDMetadata} {
		w := n.do("GET", path, nil)
		m := read[wire.Metadata](t, w, 200)
		if m.Issuer != issuer || m.JWKSURI != issuer+jwksPath || m.RevocationsJWKSURI != issuer+feedJWKSPath || m.RevocationsURI != issuer+"/v1/revocations" ||
			m.IntrospectionEndpoint != issuer+"/oauth/introspect" {
			t.Errorf("%+v", m)
		}
		if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%v", w.Header())
		}
		for _, absent := range []string{"authorization_endpoint", "registration_endpoint", "userinfo_endpoint", "scopes_supported", "authorization_code"} {
			if strings.Contains(w.Body.String(), absent) {
				t.Errorf("names %s, which does not exist", absent)
			}
		}
		for _, uri := range []string{m.JWKSURI, m.RevocationsJWKSURI, m.RevocationsURI} {
			if w := n.do("GET", strings.TrimPrefix(uri, issuer), nil); w.Code != 200 {
				t.Errorf("%s: %d", uri, w.Code)
			}
		}
	}
}

func TestMetadataOfAnIssuerWithAPath(t *testing.T) {
	t.Parallel()
	for issuer, path := range map[string]string{
		"https://example.com/auth/":    "/auth",
		"https://example.com/{tenant}": "",
		"https://example.com/":         "",
	} {
		mux := http.NewServeMux()
		oauth.Routes(mux, oauth.Deps{Issuer: issuer})
		h, err := httpapi.New(mux, httpapi.Config{Realm: issuer})
		if err != nil {
			t.Fatal(err)
		}
		n := &node{t: t, handler: h}
		m := read[wire.Metadata](t, n.do("GET", wire.PathMetadata+path, nil), 200)
		if m.Issuer != issuer || m.JWKSURI != strings.TrimSuffix(issuer, "/")+jwksPath {
			t.Errorf("%+v", m)
		}
	}
}

// document verifies an answer of the feed as a follower does.
func (n *node) document(w *recorder) *revocation.Document {
	n.t.Helper()
	if w.Code != 200 || w.Header().Get("Content-Type") != revocation.MediaType || w.Header().Get("Cache-Control") != "no-store" {
		n.t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	v, err := jwt.NewVerifier(jwt.Policy{
		Issuer: issuer, Audiences: []string{issuer}, Keys: n.ring.Keys(keyring.Feed), Type: revocation.Type,
		MaxSize: 1 << 20, CacheSize: -1, DangerouslyIgnoreRevocation: true,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	token, err := v.Verify(n.t.Context(), w.Body.String())
	if err != nil {
		n.t.Fatal(err)
	}
	d, err := revocation.ParseDocument(token)
	if err != nil {
		n.t.Fatal(err)
	}
	return d
}

func (n *node) follow(ctx context.Context, query string) *recorder {
	return n.do("GET", "/v1/revocations?"+query, nil, func(r *request) { *r = *r.WithContext(ctx) })
}

func TestRevocations(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	snapshot := n.document(n.do("GET", "/v1/revocations", nil))
	if !snapshot.Snapshot {
		t.Errorf("the first answer is %+v", snapshot)
	}
	after := "after=" + revocation.Cursor{Epoch: snapshot.Epoch, Position: snapshot.To}.String()
	if d := n.document(n.do("GET", "/v1/revocations?"+after, nil)); d.Snapshot || len(d.Entries) != 0 || d.To != snapshot.To {
		t.Errorf("nothing new is %+v", d)
	}
	alice := n.login("alice")
	news := make(chan *recorder)
	go func() { news <- n.follow(t.Context(), after+"&wait=3000") }()
	n.do("POST", "/v1/logout", nil, bearer(alice.AccessToken))
	d := n.document(<-news)
	if d.Snapshot || d.From != snapshot.To || d.To <= snapshot.To || len(d.Entries) != 1 ||
		d.Entries[0].Fact != jwt.NewFact(jwt.SessionFact, issuer, alice.SessionID) {
		t.Errorf("after a log-out: %+v", d)
	}
	after = "after=" + revocation.Cursor{Epoch: d.Epoch, Position: d.To}.String()

	// Who waits when the server begins to stop is answered.
	go func() { news <- n.follow(t.Context(), after+"&wait=30") }()
	n.drain()
	if d := n.document(<-news); d.Snapshot || len(d.Entries) != 0 {
		t.Errorf("while stopping: %+v", d)
	}
}
