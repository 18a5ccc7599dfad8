package guard_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

// BenchmarkWarm is a request with a token that was verified before, through a
// guard that follows an issuer to an empty handler, on all cores at once: with
// -cpu 1,2,… it shows that requests share no lock.
func BenchmarkWarm(b *testing.B) {
	for _, mode := range modes {
		b.Run(mode.name, func(b *testing.B) {
			issuer := newIssuer(b, issuerName)
			config := mode.config
			config.Issuer, config.Audience, config.Log, config.Client = issuerName, audience, quiet(), &http.Client{Transport: inMemory{issuer}}
			g, err := guard.New(b.Context(), config)
			if err != nil {
				b.Fatal(err)
			}
			defer g.Close()
			token := issuer.token(jwt.Claims{
				SessionID: "Zk3Wc0t6q8mQv2n5y7b9Aw", ClientID: "app_dashboard",
				Scope: []string{"tasks:read", "tasks:write", "profile"}, Roles: []string{"editor", "reviewer"},
				Custom: map[string]string{"tenant": "org_7f3a9c", "plan": "team"},
			})
			api := g.HandlerFunc(ok, authz.Scope("tasks:write"))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				r := httptest.NewRequest("POST", "/tasks", nil)
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				mode.put(r, token)
				w := httptest.NewRecorder()
				for pb.Next() {
					api.ServeHTTP(w, r)
				}
				if w.Code != 200 {
					b.Error(w.Code)
				}
			})
		})
	}
}

// TestWarmAllocations: a warm request costs the request that carries the token,
// its context, and nothing else, wherever the token was.
func TestWarmAllocations(t *testing.T) {
	issuer := jotsmithtest.New(t)
	own := authz.Self(func(r *http.Request, t *jwt.Token) (bool, error) { return t.Subject() != r.URL.Path, nil })
	for _, mode := range modes {
		for _, method := range []string{"GET", "POST"} {
			config := mode.config
			config.Verifier, config.Log = issuer.Verifier(""), quiet()
			g, err := guard.New(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			api := g.HandlerFunc(ok, authz.Scope("tasks:write"), own)
			r := httptest.NewRequest(method, "/tasks", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			mode.put(r, issuer.Token(jwt.Claims{Scope: []string{"tasks:write"}}))
			w := httptest.NewRecorder()
			if n := testing.AllocsPerRun(100, func() { api.ServeHTTP(w, r) }); n > 2 || w.Code != 200 {
				t.Errorf("%s by %s: %v allocations, status %d", method, mode.name, n, w.Code)
			}
		}
	}
}
