package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/wire"
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

// answer is what a caller is told, in every byte but the id: status, title, error
// of the challenge, and a further header. docs/errors.md says the same.
type answer struct {
	status    int
	title     string
	challenge string // "-": none, "": a challenge without error
	header    string // Retry-After or Allow
}

var told = map[wire.Code]answer{
	"token_missing":                    {401, "Authorization token is missing.", "", ""},
	"token_malformed":                  {401, "Malformed token.", "invalid_token", ""},
	"token_invalid":                    {401, "Invalid token.", "invalid_token", ""},
	"token_expired":                    {401, "Token has expired. Please re-authenticate.", "invalid_token", ""},
	"token_revoked":                    {401, "Token has been revoked.", "invalid_token", ""},
	"insufficient_user_authentication": {401, "Please log in again to do this.", "insufficient_user_authentication", ""},
	"forbidden":                        {403, "You do not have permission to do this.", "insufficient_scope", ""},
	"cross_origin":                     {403, "This page's origin may not do that.", "", ""},
	"invalid_request":                  {400, "More than one token was sent.", "invalid_request", ""},
	"method_not_allowed":               {405, "Method not allowed.", "-", "Allow: POST"},
	"rate_limited":                     {429, "Too many requests.", "-", "Retry-After: 5"},
	"keys_unavailable":                 {503, "Try again shortly.", "-", "Retry-After: 5"},
	"revocation_unavailable":           {503, "Try again shortly.", "-", "Retry-After: 5"},
	"server_busy":                      {503, "The server is busy. Try again shortly.", "-", "Retry-After: 5"},
	"internal":                         {500, "Something went wrong.", "-", ""},
}

// mustTell fails unless w holds the answer of code and nothing else. more is what
// the challenge has behind its error. It returns the id.
func mustTell(t *testing.T, w *httptest.ResponseRecorder, code wire.Code, more string) (id string) {
	t.Helper()
	a, ok := told[code]
	if !ok {
		t.Fatalf("%s is not in the table", code)
	}
	var body struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body.ID) < 26 {
		t.Fatalf("body %s: %v", w.Body, err)
	}
	want := fmt.Sprintf(`{"type":"https://github.com/jotsmith/jotsmith/blob/main/docs/errors.md#%s","title":"%s","status":%d,"code":"%s","id":"%s"}`+"\n", code, a.title, a.status, code, body.ID)
	if w.Code != a.status || w.Body.String() != want {
		t.Errorf("%d %s, want %d %s", w.Code, w.Body, a.status, want)
	}
	header := http.Header{"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}}
	if name, value, ok := strings.Cut(a.header, ": "); ok {
		header.Set(name, value)
	}
	if a.challenge != "-" {
		challenge := `Bearer realm="api"`
		if a.challenge != "" {
			challenge += `, error="` + a.challenge + `"`
		}
		header.Set("WWW-Authenticate", challenge+more)
	}
	if fmt.Sprint(w.Header()) != fmt.Sprint(header) {
		t.Errorf("headers %v, want %v", w.Header(), header)
	}
	return body.ID
}

// TestErrorsPage: docs/errors.md tells of a guarded API what the table does, and
// of no other code.
func TestErrorsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## From any guarded API")
	section, _, _ = strings.Cut(section, "\n## ")
	row := regexp.MustCompile("(?m)^\\| <a id=\"([a-z_]+)\"></a>`([a-z_]+)` \\| ([0-9]+) \\| ([^|]+) \\| ([^|]+) \\|")
	found := make(map[wire.Code]answer)
	for _, m := range row.FindAllStringSubmatch(section, -1) {
		if m[1] != m[2] {
			t.Errorf("%s has the anchor %s", m[2], m[1])
		}
		status, _ := strconv.Atoi(m[3])
		a := answer{status: status, title: m[4], challenge: "-"}
		switch what := m[5]; {
		case what == "`Bearer`":
			a.challenge = ""
		case strings.HasPrefix(what, "`error="):
			a.challenge = strings.Trim(what[len("`error="):], "`\"")
		case what != "–":
			a.header = strings.Trim(what, "`")
		}
		found[wire.Code(m[2])] = a
	}
	if !maps.Equal(found, told) {
		t.Errorf("the page tells\n%v, the guard\n%v", found, told)
	}
}

// modes are the places where a guard may be told to look for tokens.
var modes = []struct {
	name   string
	config guard.Config
	put    func(r *http.Request, token string)
}{
	{"bearer", guard.Config{}, func(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) }},
	{"cookie", guard.Config{Cookie: "__Host-access"}, func(r *http.Request, token string) {
		r.Header.Set("Cookie", "theme=dark; __Host-access="+token+"; lang=en")
	}},
	{"header", guard.Config{Header: "x-access-token"}, func(r *http.Request, token string) { r.Header.Set("X-Access-Token", token) }},
	{"bearer, all configured", guard.Config{Cookie: "__Host-access", Header: "x-access-token"}, func(r *http.Request, token string) { r.Header.Set("Authorization", "bearer "+token) }},
	{"cookie, all configured", guard.Config{Cookie: "__Host-access", Header: "x-access-token"}, func(r *http.Request, token string) { r.Header["Cookie"] = []string{"a=b", "__Host-access=" + token} }},
}

// carried is a token that stands where the mode puts it.
type carried string

// TestAnswers is the whole table of what a caller is told, and what the log is,
// wherever the token was.
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
	used, unknown := policy, policy
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
	loggedIn := func(ago time.Duration, acr string, methods ...string) string {
		return from(ic, func(c *jwt.Claims) { c.AuthTime, c.ACR, c.AuthMethods = time.Now().Add(-ago), acr, methods })
	}
	fresh, older, toCome := loggedIn(0, "gold", "pwd", "otp"), loggedIn(10*time.Minute, "bronze", "pwd"), loggedIn(-2*time.Minute, "gold")
	resigned := func(of string) string {
		return of[:strings.LastIndexByte(of, '.')+1] + token[strings.LastIndexByte(token, '.')+1:]
	}
	header := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	bearer := func(token string) any { return carried(token) }
	beside := func(change func(r *http.Request)) func(*http.Request) {
		return func(r *http.Request) { header("Bearer " + token)(r); change(r) }
	}

	for _, c := range []struct {
		name   string
		send   any // carried, or a func(*http.Request)
		policy *jwt.Policy
		rules  []authz.Rule
		code   wire.Code // "": it passes
		more   string    // behind the error of the challenge
		reason string    // in the log
	}{
		{"a good token", bearer(token), nil, nil, "", "", ""},
		{"a good token and rules", bearer(token), nil, []authz.Rule{authz.Scope("tasks:read"), authz.Role("viewer")}, "", "", ""},
		{"the scheme in lower case", header("bearer " + token), nil, nil, "", "", ""},
		{"the scheme in upper case, more spaces", header("BEARER   " + token), nil, nil, "", "", ""},

		{"none sent", nil, nil, nil, "token_missing", "", "no token was sent"},
		{"another scheme", header("Basic YW5uYTpwdw=="), nil, nil, "token_missing", "", "no token was sent"},
		{"a scheme that begins alike", header("Bearerish " + token), nil, nil, "token_missing", "", "no token was sent"},
		{"an empty header", header(""), nil, nil, "token_missing", "", "no token was sent"},
		{"HTP-02 in the query", func(r *http.Request) { r.URL.RawQuery = "access_token=" + token }, nil, nil, "token_missing", "", "no token was sent"},
		{"HTP-02 in the path", func(r *http.Request) { r.URL.Path = "/" + token }, nil, nil, "token_missing", "", "no token was sent"},
		{"HTP-02 in a form", form(token), nil, nil, "token_missing", "", "no token was sent"},
		{"HTP-02 in a cookie", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "access_token", Value: token}) }, nil, nil, "token_missing", "", "no token was sent"},

		{"the scheme alone", header("Bearer"), nil, nil, "token_malformed", "", "nothing behind"},
		{"the scheme and spaces", header("Bearer  "), nil, nil, "token_malformed", "", "nothing behind"},
		{"not a token", bearer("hello"), nil, nil, "token_malformed", "", "three parts"},
		{"two tokens in one header", bearer(token + ", Bearer " + token), nil, nil, "token_malformed", "", "malformed"},
		{"two tokens behind one scheme", bearer(token + " " + token), nil, nil, "token_malformed", "", "malformed"},
		{"a tab for a space", header("Bearer\t" + token), nil, nil, "token_missing", "", "no token"},
		{"DOS-01 1 MB", bearer(strings.Repeat("a", 1<<20)), nil, nil, "token_malformed", "", "1048576 bytes"},
		{"DOS-01 10,000 dots", bearer(strings.Repeat(".", 10_000)), nil, nil, "token_malformed", "", "malformed"},

		{"bad signature", bearer(resigned(from(ic, func(c *jwt.Claims) { c.ID = "jti-2" }))), nil, nil, "token_invalid", "", "signature"},
		{"JWS-18 bad signature and expired", bearer(resigned(expired)), nil, nil, "token_invalid", "", "signature"},
		{"unknown key", bearer(from(jwt.IssuerConfig{Key: other}, nil)), nil, nil, "token_invalid", "", "unknown key"},
		{"wrong algorithm", bearer(from(jwt.IssuerConfig{Key: secret}, nil)), nil, nil, "token_invalid", "", "algorithm"},
		{"wrong issuer", bearer(from(jwt.IssuerConfig{Issuer: issuerName + "/"}, nil)), nil, nil, "token_invalid", "", "issuer"},
		{"wrong audience", bearer(from(ic, func(c *jwt.Claims) { c.Audience = []string{audience + "/"} })), nil, nil, "token_invalid", "", "audience"},
		{"wrong type", bearer(from(jwt.IssuerConfig{Type: "JWT"}, nil)), nil, nil, "token_invalid", "", "type"},
		{"not yet valid", bearer(from(ic, func(c *jwt.Claims) { c.IssuedAt = time.Now().Add(time.Hour) })), nil, nil, "token_invalid", "", "not yet valid"},
		{"past exp", bearer(expired), nil, nil, "token_expired", "", "ago, leeway 30s"},
		{"revoked", bearer(from(ic, func(c *jwt.Claims) { c.SessionID = "ended" })), nil, nil, "token_revoked", "", "session has ended"},

		{"good once", bearer(token), nil, nil, "", "", ""},
		{"used before", bearer(token), &used, nil, "token_invalid", "", "token used before"},

		{"scope missing", bearer(token), nil, []authz.Rule{authz.Scope("tasks:write")}, "forbidden", `, scope="tasks:write"`, `subject "acc_anna", token "jti-1": needs scope tasks:write`},
		{"role missing", bearer(token), nil, []authz.Rule{authz.Any(authz.Role("editor"), authz.Role("admin"))}, "forbidden", `, error_description="needs role editor or role admin"`, "needs role editor or role admin"},
		{"a rule of one's own, with a scope that is none", bearer(token), nil, []authz.Rule{deniedRule{Rule: "luck", Scope: "x\", error=\"invalid_token\r\n"}}, "forbidden", `, error_description="needs luck"`, "needs luck"},
		{"expired and role missing: the rule is not told", bearer(expired), nil, []authz.Rule{authz.Role("admin")}, "token_expired", "", "expired"},

		{"RFR-13 fresh enough", bearer(fresh), nil, []authz.Rule{authz.LoggedInWithin(time.Minute), authz.AMR("otp"), authz.ACR("silver", "gold")}, "", "", ""},
		{"RFR-13 a log-in that is not told", bearer(token), nil, []authz.Rule{authz.LoggedInWithin(5 * time.Minute)}, "insufficient_user_authentication", `, error_description="needs log-in within 300 s", max_age="300"`, "needs log-in within 300 s"},
		{"RFR-13 an older log-in", bearer(older), nil, []authz.Rule{authz.LoggedInWithin(5 * time.Minute)}, "insufficient_user_authentication", `, error_description="needs log-in within 300 s", max_age="300"`, "needs log-in within 300 s"},
		{"RFR-13 a log-in to come", bearer(toCome), nil, []authz.Rule{authz.LoggedInWithin(time.Hour)}, "insufficient_user_authentication", `, error_description="needs log-in within 3600 s", max_age="3600"`, "needs log-in within 3600 s"},
		{"RFR-13 a weaker log-in", bearer(older), nil, []authz.Rule{authz.ACR("silver", "gold")}, "insufficient_user_authentication", `, error_description="needs acr silver gold", acr_values="silver gold"`, "needs acr silver gold"},
		{"RFR-13 another method", bearer(older), nil, []authz.Rule{authz.AMR("otp")}, "insufficient_user_authentication", `, error_description="needs amr otp"`, "needs amr otp"},
		{"RFR-13 two rules", bearer(older), nil, []authz.Rule{authz.ACR("gold"), authz.LoggedInWithin(time.Minute)}, "insufficient_user_authentication", `, error_description="needs acr gold", max_age="60", acr_values="gold"`, "needs acr gold"},
		{"RFR-13 an older log-in and a role missing", bearer(older), nil, []authz.Rule{authz.LoggedInWithin(time.Minute), authz.Role("admin")}, "forbidden", `, error_description="needs role admin"`, "needs role admin"},
		{"RFR-13 an older log-in and a rule broken", bearer(older), nil, []authz.Rule{authz.LoggedInWithin(time.Minute), brokenRule{}}, "internal", "", "database is down"},
		{"RFR-13 a role or a log-in", bearer(older), nil, []authz.Rule{authz.Any(authz.Role("admin"), authz.LoggedInWithin(time.Minute))}, "insufficient_user_authentication", `, error_description="needs role admin or log-in within 60 s", max_age="60"`, "or log-in within 60 s"},
		{"RFR-13 a rule of one's own, with classes that are none", bearer(token), nil, []authz.Rule{deniedRule{Rule: "luck", StepUp: &authz.StepUp{MaxAge: -time.Second, ACR: "x\", error=\"invalid_token\r\n"}}}, "insufficient_user_authentication", `, error_description="needs luck"`, "needs luck"},
		{"RFR-13 expired and an older log-in: the rule is not told", bearer(expired), nil, []authz.Rule{authz.LoggedInWithin(time.Minute)}, "token_expired", "", "expired"},

		{"HTP-01 two headers", header("Bearer "+token, "Bearer "+token), nil, nil, "invalid_request", "", "2 in Authorization"},
		{"HTP-01 two headers of two schemes", header("Basic eDp5", "Bearer "+token), nil, nil, "invalid_request", "", "2 in Authorization"},
		{"HTP-01 header and query", beside(func(r *http.Request) { r.URL.RawQuery = "x=1&access_token=" + token }), nil, nil, "invalid_request", "", "one in the query"},
		{"HTP-01 header and query, escaped", beside(func(r *http.Request) { r.URL.RawQuery = "x&access%5Ftoken=" + token }), nil, nil, "invalid_request", "", "one in the query"},
		{"HTP-01 header and query, by name alone", beside(func(r *http.Request) { r.URL.RawQuery = "access_token" }), nil, nil, "invalid_request", "", "one in the query"},
		{"no token in the query", beside(func(r *http.Request) { r.URL.RawQuery = "my_access_token=1&x=access_token&%zz=%" }), nil, nil, "", "", ""},

		{"keys never loaded", bearer(token), &withoutKeys, nil, "keys_unavailable", "", "keys unavailable"},
		{"feed too old", bearer(token), &cutOff, nil, "revocation_unavailable", "", "revocations unavailable"},
		{"revocations broken", bearer(token), &broken, nil, "revocation_unavailable", "", "no idea"},
		{"nobody knows whether it was used", bearer(token), &unknown, nil, "server_busy", "", "connection refused"},
		{"a rule that gave up", bearer(token), nil, []authz.Rule{ruleOf(context.DeadlineExceeded)}, "server_busy", "", "deadline exceeded"},
		{"a rule whose trouble sounds like the token's", bearer(token), nil, []authz.Rule{ruleOf(jwt.ErrExpired)}, "internal", "", "token expired"},
		{"another's thing", bearer(token), nil, []authz.Rule{authz.All(authz.Role("viewer"), ruleOf(nil))}, "forbidden", `, error_description="needs ownership"`, "needs ownership"},
		{"a rule of many words", bearer(token), nil, []authz.Rule{authz.Role(strings.Repeat("x", 1000))}, "forbidden", "", "needs role xxx"},
		{"a rule broken", bearer(token), nil, []authz.Rule{brokenRule{}}, "internal", "", "database is down"},
	} {
		for _, mode := range modes {
			t.Run(c.name+"/"+mode.name, func(t *testing.T) {
				t.Parallel()
				p := policy
				if c.policy != nil {
					p = *c.policy
				}
				if c.name == "good once" {
					p.SingleUse = newReplays(t)
				}
				var logged strings.Builder
				config := mode.config
				config.Log = slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
				g := newGuard(t, p, config)
				called := false
				mux := http.NewServeMux()
				mux.Handle("/{rest...}", g.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					called = true
					if tok := guard.Token(r); tok == nil || tok.Subject() != "acc_anna" || r.PathValue("rest") != "tasks" {
						t.Errorf("inside: token %v, rest %q", tok, r.PathValue("rest"))
					}
				}, c.rules...))
				r := httptest.NewRequest("GET", "/tasks", nil)
				switch send := c.send.(type) {
				case carried:
					mode.put(r, string(send))
				case func(*http.Request):
					send(r)
				}
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, r)

				for _, secret := range []string{token, token[strings.LastIndexByte(token, '.')+1:], "YW5uYTpwdw", "aaaaaaaa"} {
					if strings.Contains(w.Body.String()+fmt.Sprint(w.Header()), secret) || strings.Contains(logged.String(), secret) {
						t.Error("a credential was written out")
					}
				}
				if called != (c.code == "") {
					t.Fatalf("handler called: %v", called)
				}
				if c.code == "" {
					if w.Code != 200 || logged.Len() != 0 {
						t.Errorf("%d, logged %s", w.Code, logged.String())
					}
					return
				}
				id := mustTell(t, w, c.code, c.more)
				var line map[string]any
				if err := json.Unmarshal([]byte(logged.String()), &line); err != nil {
					t.Fatalf("not one log line: %s", logged.String())
				}
				reason, _ := line["reason"].(string)
				if line["id"] != id || line["code"] != string(c.code) || line["route"] != "/{rest...}" || !strings.Contains(reason, c.reason) {
					t.Errorf("logged %s, want %q in the reason", logged.String(), c.reason)
				}
				if strings.Contains(w.Body.String(), reason) {
					t.Errorf("the reason was told: %s", w.Body)
				}
			})
		}
	}
}

func newReplays(t *testing.T) jwt.Replays {
	t.Helper()
	used, err := jwt.NewReplayCache(1)
	if err != nil {
		t.Fatal(err)
	}
	return used
}

func newGuard(t testing.TB, p jwt.Policy, c guard.Config) *guard.Guard {
	t.Helper()
	var err error
	if c.Verifier, err = jwt.NewVerifier(p); err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(t.Context(), c)
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

// ruleOf is about the request, which is nobody's, or fails.
func ruleOf(err error) authz.Rule {
	return authz.Self(func(r *http.Request, t *jwt.Token) (bool, error) { return r.PathValue("rest") == t.Subject(), err })
}

type deniedRule authz.Denied

func (d deniedRule) Check(*jwt.Token) error { return (*authz.Denied)(&d) }
func (d deniedRule) String() string         { return d.Rule }

type brokenRule struct{}

func (brokenRule) Check(*jwt.Token) error { return errors.New("database is down") }
func (brokenRule) String() string         { return "broken" }
