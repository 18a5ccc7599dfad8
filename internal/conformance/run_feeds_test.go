package conformance

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/revocation"
)

// answers is a feed's server that answers once for each time it is told to.
type answers chan string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case document := <-a:
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {revocation.MediaType}}, Body: io.NopCloser(strings.NewReader(document)), Request: r}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func TestFeeds(t *testing.T) {
	policies := readPolicies(t)
	for _, c := range read[feedFile](t, "feeds.json").Cases {
		t.Run(c.What, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Unix(c.Now, 0)))
				server := make(answers)
				applied := 0
				f := must[*revocation.Follower](t)(revocation.NewFollower(revocation.FollowerConfig{
					URL: issuer + "/v1/revocations", Issuer: issuer, Keys: must[*jwk.Set](t)(jwk.ParseSet(c.Keys)), Client: &http.Client{Transport: server},
					Log: slog.New(slog.DiscardHandler), OnApply: func(*revocation.Document, time.Time) { applied++ },
				}))
				go f.Run(t.Context())
				for i, a := range c.Answers {
					had := applied
					server <- a.Document
					synctest.Wait()
					if applied != had != a.Accepted {
						t.Errorf("document %d: accepted %v (%v)", i, applied != had, f.Err())
					}
				}
				p := policies.at(t, c.Policy, c.Now)
				p.Revocations, p.DangerouslyIgnoreRevocation = f, false
				g := newGuard(t, p)
				for _, token := range c.Tokens {
					r := httptest.NewRequest("GET", "/", nil)
					r.Header.Set("Authorization", "Bearer "+token.Token)
					if got, _, _ := answer(t, func(h http.HandlerFunc) http.Handler { return g.HandlerFunc(h) }, r); got != token.Want {
						t.Errorf("%s: %s, want %s", token.What, got, token.Want)
					}
				}
			})
		})
	}
}

func TestKeySets(t *testing.T) {
	for _, c := range read[keySetFile](t, "keysets.json").Cases {
		t.Run(c.What, func(t *testing.T) {
			set, err := jwk.ParseSet([]byte(c.Set))
			if (c.Want == accepted) != (err == nil) {
				t.Fatalf("%v, want %s", err, c.Want)
			}
			var kids []string
			if err == nil {
				for k := range set.All() {
					kids = append(kids, k.KeyID())
				}
			}
			if strings.Join(kids, " ") != strings.Join(c.KIDs, " ") {
				t.Errorf("keys %q, want %q", kids, c.KIDs)
			}
		})
	}
}
