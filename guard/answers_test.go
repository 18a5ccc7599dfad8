package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

const issuerName = "https://auth.example.com"

// noKeys is a key source that never got any; failing is a revocation source
// that cannot tell.
type noKeys struct{}

func (noKeys) Key(context.Context, string) (jwk.Verifier, error) { return nil, jwt.ErrKeysUnavailable }
func (noKeys) Trusts(jwk.Verifier) bool                          { return false }

type failing struct{ err error }

func (f failing) Check(*jwt.Token, time.Time) error { return f.err }

func (f failing) Use(context.Context, [32]byte, time.Time, time.Time) error { return f.err }

// TestAnswers is the whole table of what a caller is told, and what the log is.
func TestAnswers(t *testing.T) {
	t.Parallel()
	key, other := generate(t), generate(t)
	secret, err := jwk.NewHMAC(jwk.HS256, []byte("0123456789-abcdefghij-KLMNOPQRSTUVW"), key.KeyID())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	revoked := revocation.NewSet(0)
	if err := revoked.Add(revocation.Entry{Fact: jwt.NewFact(jwt.SessionFact, issuerName, "ended")}); err != nil {
		t.Fatal(err)
	}
	policy := jwt.Policy{Issuer: issuerName, Audiences: []string{audience}, Keys: keys, Revocations: revoked}
	withoutKeys, cutOff, broken := policy, policy, policy
	withoutKeys.Keys = noKeys{}
	cutOff.Revocations = failing{jwt.ErrRevocationUnavailable}
	broken.Revocations = failing{errors.New("no idea")}
	fresh, used, unknown := policy, policy, policy
	if fresh.SingleUse, err = jwt.NewReplayCache(1); err != nil {
		t.Fatal(err)
	}
	used.SingleUse, unknown.SingleUse = failing{jwt.ErrReplayed}, failing{errors.New("connection refused")}

	good := jwt.Claims{Subject: "acc_anna", Audience: []string{audience}, Life: time.Minute, Scope: []string{"tasks:read"}, Roles: []string{"viewer"}, ID: "jti-1"}
	from := func(ic jwt.IssuerConfig, change func(*jwt.Claims)) string {
		c := good
		if change != nil {
			change(&c)
		}
		if ic.Issuer == "" {
			ic.Issuer = issuerName
		}
		if ic.Key == nil {
			ic.Key = key
		}
		return issue(t, ic, c)
	}
	ic := jwt.IssuerConfig{}
	token := from(ic, nil)
	expired := from(ic, func(c *jwt.Claims) { c.IssuedAt = time.Now().Add(-time.Hour) })
	resigned := func(of string) string {
		return of[:strings.LastIndexByte(of, '.')+1] + token[strings.LastIndexByte(token, '.')+1:]
	}
	header := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	bearer := func(token string) func(*http.Request) { return header("Bearer " + token) }

	const (
		none    = `Bearer realm="api"` // a guard with a ready verifier does not know its audience
		invalid = none + `, error="invalid_token"`
	)
	for _, c := range []struct {
		name   string
		send   func(r *http.Request)
		policy *jwt.Policy
		rules  []authz.Rule
		status int
		code   string
		title  string
		header string // WWW-Authenticate, or Retry-After of a 503
		reason string // in the log
	}{
		{"a good token", bearer(token), nil, nil, 200, "", "", "", ""},
		{"a good token and rules", bearer(token), nil, []authz.Rule{authz.Scope("tasks:read"), authz.Role("viewer")}, 200, "", "", "", ""},
		{"the scheme in lower case", header("bearer " + token), nil, nil, 200, "", "", "", ""},
		{"the scheme in upper case, more spaces", header("BEARER   " + token), nil, nil, 200, "", "", "", ""},

		{"none sent", nil, nil, nil, 401, "token_missing", "Authorization token is missing.", none, "no token was sent"},
		{"another scheme", header("Basic YW5uYTpwdw=="), nil, nil, 401, "token_missing", "Authorization token is missing.", none, "no token was sent"},
		{"a scheme that begins alike", header("Bearerish " + token), nil, nil, 401, "token_missing", "Authorization token is missing.", none, "no token was sent"},
		{"an empty header", header(""), nil, nil, 401, "token_missing", "Authorization token is missing.", none, "no token was sent"},
		{"HTP-02 in the query", func(r *http.Request) { r.URL.RawQuery = "access_token=" + token }, nil, nil, 401, "token_missing", "Authorization token is missing.", none, "no token was sent"},
		{"HTP-02 in the path", func(r *http.Request) { r.URL.Path = "/" + token }, nil, nil, 401, "token_missing", "Authorization token is missing.", none, "no token was sent"},
		{"HTP-02 in a form", form(token), nil, nil, 401, "token_missing", "Authorization token is missing.", none, "no token was sent"},
		{"HTP-02 in a cookie", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "access_token", Value: token}) }, nil, nil, 401, "token_missing", "Authorization token is missing.", none, "no token was sent"},

		{"the scheme alone", header("Bearer"), nil, nil, 401, "token_malformed", "Malformed token.", invalid, "nothing behind"},
		{"the scheme and spaces", header("Bearer  "), nil, nil, 401, "token_malformed", "Malformed token.", invalid, "nothing behind"},
		{"not a token", bearer("hello"), nil, nil, 401, "token_malformed", "Malformed token.", invalid, "three parts"},
		{"two tokens in one header", bearer(token + ", Bearer " + token), nil, nil, 401, "token_malformed", "Malformed token.", invalid, "malformed"},
		{"two tokens behind one scheme", bearer(token + " " + token), nil, nil, 401, "token_malformed", "Malformed token.", invalid, "malformed"},
		{"a tab for a space", header("Bearer\t" + token), nil, nil, 401, "token_missing", "Authorization token is missing.", none, "no token"},
		{"DOS-01 1 MB", bearer(strings.Repeat("a", 1<<20)), nil, nil, 401, "token_malformed", "Malformed token.", invalid, "1048576 bytes"},
		{"DOS-01 10,000 dots", bearer(strings.Repeat(".", 10_000)), nil, nil, 401, "token_malformed", "Malformed token.", invalid, "malformed"},

		{"bad signature", bearer(resigned(from(ic, func(c *jwt.Claims) { c.ID = "jti-2" }))), nil, nil, 401, "token_invalid", "Invalid token.", invalid, "signature"},
		{"JWS-18 bad signature and expired", bearer(resigned(expired)), nil, nil, 401, "token_invalid", "Invalid token.", invalid, "signature"},
		{"unknown key", bearer(from(jwt.IssuerConfig{Key: other}, nil)), nil, nil, 401, "token_invalid", "Invalid token.", invalid, "unknown key"},
		{"wrong algorithm", bearer(from(jwt.IssuerConfig{Key: secret}, nil)), nil, nil, 401, "token_invalid", "Invalid token.", invalid, "algorithm"},
		{"wrong issuer", bearer(from(jwt.IssuerConfig{Issuer: issuerName + "/"}, nil)), nil, nil, 401, "token_invalid", "Invalid token.", invalid, "issuer"},
		{"wrong audience", bearer(from(ic, func(c *jwt.Claims) { c.Audience = []string{audience + "/"} })), nil, nil, 401, "token_invalid", "Invalid token.", invalid, "audience"},
		{"wrong type", bearer(from(jwt.IssuerConfig{Type: "JWT"}, nil)), nil, nil, 401, "token_invalid", "Invalid token.", invalid, "type"},
		{"not yet valid", bearer(from(ic, func(c *jwt.Claims) { c.IssuedAt = time.Now().Add(time.Hour) })), nil, nil, 401, "token_invalid", "Invalid token.", invalid, "not yet valid"},
		{"past exp", bearer(expired), nil, nil, 401, "token_expired", "Token has expired. Please re-authenticate.", invalid, "ago, leeway 30s"},
		{"revoked", bearer(from(ic, func(c *jwt.Claims) { c.SessionID = "ended" })), nil, nil, 401, "token_revoked", "Token has been revoked.", invalid, "session has ended"},

		{"good once", bearer(token), &fresh, nil, 200, "", "", "", ""},
		{"used before", bearer(token), &used, nil, 401, "token_invalid", "Invalid token.", invalid, "token used before"},

		{"scope missing", bearer(token), nil, []authz.Rule{authz.Scope("tasks:write")}, 403, "forbidden", "You do not have permission to do this.",
			none + `, error="insufficient_scope", scope="tasks:write"`, `subject "acc_anna", token "jti-1": needs scope tasks:write`},
		{"role missing", bearer(token), nil, []authz.Rule{authz.Any(authz.Role("editor"), authz.Role("admin"))}, 403, "forbidden", "You do not have permission to do this.",
			none + `, error="insufficient_scope", error_description="needs role editor or role admin"`, "needs role editor or role admin"},
		{"a rule of one's own, with a scope that is none", bearer(token), nil, []authz.Rule{deniedRule{Rule: "luck", Scope: "x\", error=\"invalid_token\r\n"}}, 403, "forbidden", "You do not have permission to do this.",
			none + `, error="insufficient_scope", error_description="needs luck"`, "needs luck"},
		{"expired and role missing: the rule is not told", bearer(expired), nil, []authz.Rule{authz.Role("admin")}, 401, "token_expired", "Token has expired. Please re-authenticate.", invalid, "expired"},

		{"HTP-01 two headers", header("Bearer "+token, "Bearer "+token), nil, nil, 400, "invalid_request", "More than one token was sent.", none + `, error="invalid_request"`, "2 in Authorization"},
		{"HTP-01 two headers of two schemes", header("Basic eDp5", "Bearer "+token), nil, nil, 400, "invalid_request", "More than one token was sent.", none + `, error="invalid_request"`, "2 in Authorization"},
		{"HTP-01 header and query", func(r *http.Request) { bearer(token)(r); r.URL.RawQuery = "x=1&access_token=" + token }, nil, nil, 400, "invalid_request", "More than one token was sent.",
			none + `, error="invalid_request"`, "one in the query"},
		{"HTP-01 header and query, escaped", func(r *http.Request) { bearer(token)(r); r.URL.RawQuery = "x&access%5Ftoken=" + token }, nil, nil, 400, "invalid_request", "More than one token was sent.",
			none + `, error="invalid_request"`, "one in the query"},
		{"HTP-01 header and query, by name alone", func(r *http.Request) { bearer(token)(r); r.URL.RawQuery = "access_token" }, nil, nil, 400, "invalid_request", "More than one token was sent.",
			none + `, error="invalid_request"`, "one in the query"},
		{"no token in the query", func(r *http.Request) { bearer(token)(r); r.URL.RawQuery = "my_access_token=1&x=access_token&%zz=%" }, nil, nil, 200, "", "", "", ""},

		{"keys never loaded", bearer(token), &withoutKeys, nil, 503, "keys_unavailable", "Try again shortly.", "5", "keys unavailable"},
		{"feed too old", bearer(token), &cutOff, nil, 503, "revocation_unavailable", "Try again shortly.", "5", "revocations unavailable"},
		{"revocations broken", bearer(token), &broken, nil, 503, "revocation_unavailable", "Try again shortly.", "5", "no idea"},
		{"nobody knows whether it was used", bearer(token), &unknown, nil, 503, "server_busy", "The server is busy. Try again shortly.", "5", "connection refused"},
		{"a rule broken", bearer(token), nil, []authz.Rule{brokenRule{}}, 500, "internal", "Something went wrong.", "", "database is down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := policy
			if c.policy != nil {
				p = *c.policy
			}
			var logged strings.Builder
			g := newGuard(t, p, slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
			called := false
			mux := http.NewServeMux()
			mux.Handle("/{rest...}", g.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				called = true
				if tok := guard.Token(r); tok == nil || tok.Subject() != "acc_anna" || r.PathValue("rest") != "tasks" {
					t.Errorf("inside: token %v, rest %q", tok, r.PathValue("rest"))
				}
			}, c.rules...))
			r := httptest.NewRequest("GET", "/tasks", nil)
			if c.send != nil {
				c.send(r)
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)

			if w.Code != c.status || called != (c.status == 200) {
				t.Fatalf("status %d, handler called: %v; want %d", w.Code, called, c.status)
			}
			for _, secret := range []string{token, token[strings.LastIndexByte(token, '.')+1:], "YW5uYTpwdw", "aaaaaaaa"} {
				if strings.Contains(w.Body.String()+fmt.Sprint(w.Header()), secret) || strings.Contains(logged.String(), secret) {
					t.Error("a credential was written out")
				}
			}
			if c.status == 200 {
				if logged.Len() != 0 {
					t.Errorf("logged %s", logged.String())
				}
				return
			}
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatal(err)
			}
			id, _ := body["id"].(string)
			typ, _ := body["type"].(string)
			if len(body) != 5 || body["code"] != c.code || body["title"] != c.title || body["status"] != float64(c.status) || len(id) < 26 || !strings.HasSuffix(typ, "#"+c.code) {
				t.Errorf("body %s", w.Body)
			}
			h := w.Header()
			if h.Get("Content-Type") != "application/problem+json" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", h)
			}
			name, absent := "WWW-Authenticate", "Retry-After"
			if c.status == 503 {
				name, absent = absent, name
			}
			if h.Get(name) != c.header || h.Get(absent) != "" {
				t.Errorf("%s: %q, want %q; %s: %q", name, h.Get(name), c.header, absent, h.Get(absent))
			}
			var line map[string]any
			if err := json.Unmarshal([]byte(logged.String()), &line); err != nil {
				t.Fatalf("not one log line: %s", logged.String())
			}
			reason, _ := line["reason"].(string)
			if line["id"] != id || line["code"] != c.code || line["route"] != "/{rest...}" || !strings.Contains(reason, c.reason) {
				t.Errorf("logged %s, want %q in the reason", logged.String(), c.reason)
			}
			if strings.Contains(w.Body.String(), reason) {
				t.Errorf("the reason was told: %s", w.Body)
			}
		})
	}
}

func newGuard(t *testing.T, p jwt.Policy, log *slog.Logger) *guard.Guard {
	t.Helper()
	v, err := jwt.NewVerifier(p)
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(t.Context(), guard.Config{Verifier: v, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func form(token string) func(*http.Request) {
	return func(r *http.Request) {
		f := httptest.NewRequest("POST", "/tasks", strings.NewReader("access_token="+token))
		f.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		*r = *f
	}
}

type deniedRule authz.Denied

func (d deniedRule) Check(*jwt.Token) error { return (*authz.Denied)(&d) }
func (d deniedRule) String() string         { return d.Rule }

type brokenRule struct{}

func (brokenRule) Check(*jwt.Token) error { return errors.New("database is down") }
func (brokenRule) String() string         { return "broken" }
