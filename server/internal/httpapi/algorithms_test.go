package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
)

// direct asks a handler without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	ctx, cancel := context.WithTimeout(r.Context(), 100*time.Millisecond) // nobody waits for news
	defer cancel()
	d.ServeHTTP(w, r.WithContext(ctx))
	return w.Result(), nil
}

// An API chooses what its tokens are signed with: with each algorithm of a key
// pair, a guard that knows nothing but issuer and audience verifies them.
func TestAPIOfEachAlgorithm(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	for _, alg := range jwk.Algorithms() {
		t.Run(string(alg), func(t *testing.T) {
			audience := "https://" + strings.ToLower(string(alg)) + ".example.com"
			_, err := n.admin.SaveAPI(t.Context(), operator, catalog.API{Audience: audience, Algorithm: alg})
			if alg.Symmetric() {
				if !errors.Is(err, catalog.ErrInvalid) {
					t.Fatalf("an API that could mint: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			a, secret, err := n.admin.CreateApp(t.Context(), operator, app.NewApp{Name: "nightly", Audiences: []string{audience}})
			if err != nil {
				t.Fatal(err)
			}
			token := n.grant(a, secret).AccessToken
			if u, err := jwt.Inspect(token); err != nil || u.Algorithm() != string(alg) {
				t.Fatalf("signed with %v, %v", u.Algorithm(), err)
			}
			g, err := guard.New(t.Context(), guard.Config{Issuer: issuer, Audience: audience, Client: &http.Client{Transport: direct{n.handler}}})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			if got, err := g.Check(r); err != nil || got.Subject() != string(a.ID) {
				t.Errorf("Check = %v, %v", got, err)
			}
			other := httptest.NewRequest("GET", "/", nil)
			other.Header.Set("Authorization", "Bearer "+n.login("alice").AccessToken)
			if _, err := g.Check(other); !errors.Is(err, jwt.ErrAudience) {
				t.Errorf("a token for another API: %v", err)
			}
		})
	}
}
