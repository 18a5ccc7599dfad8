package conformance

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// policies are those of the suite as this module takes them, without a clock.
type policies map[string]jwt.Policy

func readPolicies(t *testing.T) policies {
	t.Helper()
	all := make(policies)
	for name, p := range read[policyFile](t, "policies.json").Policies {
		all[name] = p.jwt(t)
	}
	return all
}

func (all policies) at(t *testing.T, name string, now int64) jwt.Policy {
	t.Helper()
	p, ok := all[name]
	if !ok {
		t.Fatalf("no policy %q", name)
	}
	p.Now = func() time.Time { return time.Unix(now, 0) }
	return p
}

func (p policy) jwt(t *testing.T) jwt.Policy {
	t.Helper()
	out := jwt.Policy{
		Issuer: p.Issuer, Audiences: p.Audiences, Type: p.Type, Leeway: time.Duration(p.Leeway) * time.Second, DangerouslyIgnoreRevocation: true,
	}
	if p.Leeway == 0 {
		out.Leeway = -1
	}
	for _, alg := range p.Algs {
		out.Algorithms = append(out.Algorithms, jwk.Algorithm(alg))
	}
	if p.Secrets == nil {
		out.Keys = must[*jwk.Set](t)(jwk.ParseSet(p.Keys))
		return out
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(p.Secrets, &set); err != nil {
		t.Fatal(err)
	}
	var keys []jwk.Verifier
	for _, text := range set.Keys {
		keys = append(keys, must[*jwk.SecretKey](t)(jwk.ParseSecret(text)))
	}
	out.Keys = must[*jwk.Set](t)(jwk.NewSet(keys...))
	return out
}

func newGuard(t *testing.T, p jwt.Policy) *guard.Guard {
	t.Helper()
	v := must[*jwt.Verifier](t)(jwt.NewVerifier(p))
	g := must[*guard.Guard](t)(guard.New(t.Context(), guard.Config{Verifier: v, Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(g.Close)
	return g
}

// answer is what a guarded handler answers, and the claims that it saw.
func answer(t *testing.T, h func(http.HandlerFunc) http.Handler, r *http.Request) (class string, claims map[string]any, w *httptest.ResponseRecorder) {
	t.Helper()
	w = httptest.NewRecorder()
	h(func(w http.ResponseWriter, r *http.Request) {
		claims = must[map[string]any](t)(jwt.Decode[map[string]any](guard.Token(r)))
	}).ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		return accepted, claims, w
	}
	var p wire.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code {
		t.Errorf("%d with %s (%v)", w.Code, w.Body, err)
	}
	return string(p.Code), nil, w
}

func TestTokens(t *testing.T) {
	policies := readPolicies(t)
	seen := make(map[string]bool)
	for _, c := range read[tokenFile](t, "tokens.json").Cases {
		name := c.ID + " " + c.What
		if seen[name] {
			t.Errorf("%s: two cases of that name", name)
		}
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			g := newGuard(t, policies.at(t, c.Policy, c.Now))
			for range 2 { // cold, and from the cache
				r := httptest.NewRequest("GET", "/tasks", nil)
				r.Header.Set("Authorization", "Bearer "+c.Token)
				got, claims, w := answer(t, func(h http.HandlerFunc) http.Handler { return g.HandlerFunc(h) }, r)
				if got != c.Want {
					t.Fatalf("%s, want %s", got, c.Want)
				}
				if c.Want != accepted {
					if challenge := w.Header().Get("WWW-Authenticate"); w.Code != 401 || challenge != `Bearer realm="api", error="invalid_token"` {
						t.Errorf("%d %s", w.Code, challenge)
					}
					continue
				}
				var want map[string]any
				if err := json.Unmarshal(c.Claims, &want); err != nil || !reflect.DeepEqual(claims, want) {
					t.Errorf("claims %v, want %v (%v)", claims, want, err)
				}
			}
		})
	}
}

func TestRequests(t *testing.T) {
	policies := readPolicies(t)
	for _, c := range read[requestFile](t, "requests.json").Cases {
		t.Run(c.ID+" "+c.What, func(t *testing.T) {
			g := newGuard(t, policies.at(t, c.Policy, c.Now))
			r := httptest.NewRequest(c.Request.Method, c.Request.Target, nil)
			for _, h := range c.Request.Headers {
				r.Header.Add(h[0], h[1])
			}
			var rules []authz.Rule
			if c.Rule != nil {
				rules = append(rules, c.Rule.authz())
			}
			got, _, w := answer(t, func(h http.HandlerFunc) http.Handler { return g.HandlerFunc(h, rules...) }, r)
			if got != c.Want || w.Code != c.Status {
				t.Fatalf("%s, %d; want %s, %d", got, w.Code, c.Want, c.Status)
			}
			challenge := w.Header().Get("WWW-Authenticate")
			told := map[string]string{"error": c.Error, "scope": c.Scope, "max_age": c.MaxAge, "acr_values": c.ACR}
			if c.Needs != "" {
				told["error_description"] = c.Needs
			}
			for name, want := range told {
				_, rest, _ := strings.Cut(challenge, " "+name+`="`)
				if value, _, _ := strings.Cut(rest, `"`); value != want {
					t.Errorf("%s is %q, want %q: %s", name, value, want, challenge)
				}
			}
			if (w.Code == http.StatusOK) != (challenge == "") {
				t.Errorf("%d with the challenge %q", w.Code, challenge)
			}
		})
	}
}

func (r rule) authz() authz.Rule {
	of := func(rules []rule) (out []authz.Rule) {
		for _, r := range rules {
			out = append(out, r.authz())
		}
		return out
	}
	switch {
	case r.Scope != "":
		return authz.Scope(r.Scope)
	case r.Role != "":
		return authz.Role(r.Role)
	case r.MaxAge != 0:
		return authz.LoggedInWithin(time.Duration(r.MaxAge) * time.Second)
	case r.ACR != nil:
		return authz.ACR(r.ACR...)
	case r.AMR != "":
		return authz.AMR(r.AMR)
	case r.All != nil:
		return authz.All(of(r.All)...)
	default:
		return authz.Any(of(r.Any)...)
	}
}
