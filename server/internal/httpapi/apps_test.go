package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/wire"
)

// app makes an app that may have tokens for the tasks API.
func (n *node) app(roles ...string) (app.App, string) {
	n.t.Helper()
	a, secret, err := n.admin.CreateApp(n.t.Context(), operator, app.NewApp{Name: "nightly", Roles: roles, Audiences: []string{tasks}})
	if err != nil {
		n.t.Fatal(err)
	}
	return a, secret
}

func basic(id, secret string) edit {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
}

// post sends a form of name, value, name, value…
func (n *node) post(target string, pairs []string, edits ...edit) *recorder {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return n.do("POST", target, values.Encode(), append([]edit{form}, edits...)...)
}

// oauthRefused checks an answer against RFC 6749 §5.2.
func oauthRefused(t testing.TB, w *recorder, code wire.Code) {
	t.Helper()
	var e struct {
		Error, Description string
		Code               wire.Code
		Access             string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if w.Code != code.Status() || e.Error != string(code) || e.Code != code || e.Access != "" {
		t.Errorf("%d %s, want %s", w.Code, w.Body, code)
	}
	if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Pragma") != "no-cache" {
		t.Errorf("%d with headers %v", w.Code, w.Header())
	}
	challenge := w.Header().Get("WWW-Authenticate")
	if (w.Code == 401) != strings.HasPrefix(challenge, `Basic realm="`) || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d with challenge %q, %v", w.Code, challenge, w.Header())
	}
}

// claims are what a token says, unverified.
func claims(t testing.TB, compact string) map[string]any {
	t.Helper()
	u, err := jwt.Inspect(compact)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal([]byte(u.Claims()), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (n *node) grant(a app.App, secret string, more ...string) wire.TokenResponse {
	n.t.Helper()
	return read[wire.TokenResponse](n.t, n.post("/oauth/token", append([]string{"grant_type", "client_credentials"}, more...), basic(string(a.ID), secret)), 200)
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	a, secret := n.app("editor")
	got := n.grant(a, secret)
	c := claims(t, got.AccessToken)
	// RFC 6749 §5.1.
	if h := n.post("/oauth/token", []string{"grant_type", "client_credentials"}, basic(string(a.ID), secret)).Header(); h.Get("Cache-Control") != "no-store" || h.Get("Pragma") != "no-cache" {
		t.Errorf("a token with headers %v", h)
	}
	if got.TokenType != "Bearer" || got.ExpiresIn < 899 || got.ExpiresIn > 900 || got.Scope != "tasks:read tasks:write" || got.RefreshToken != "" || got.SessionID != "" {
		t.Errorf("answered %+v", got)
	}
	if c["sub"] != string(a.ID) || c["client_id"] != string(a.ID) || c["aud"] != tasks || c["sid"] != nil || c["scope"] != got.Scope {
		t.Errorf("claims %v", c)
	}
	if got := n.grant(a, secret, "scope", "tasks:read", "resource", tasks+"/"); got.Scope != "tasks:read" {
		t.Errorf("less was asked for: %+v", got)
	}
	posted := n.post("/oauth/token", []string{"grant_type", "client_credentials", "client_id", string(a.ID), "client_secret", secret})
	read[wire.TokenResponse](t, posted, 200)

	// Its token is no account's.
	refused(t, n.do("GET", "/v1/me", nil, bearer(got.AccessToken)), wire.CodeForbidden)
	refused(t, n.do("GET", "/v1/sessions", nil, bearer(got.AccessToken)), wire.CodeForbidden)
	refused(t, n.do("POST", "/v1/logout-all", nil, bearer(got.AccessToken)), wire.CodeForbidden)
}

func TestTokenEndpointRefusals(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	a, secret := n.app("viewer")
	id := string(a.ID)
	other, otherSecret := n.app("editor")
	cc := []string{"grant_type", "client_credentials"}
	for name, c := range map[string]struct {
		form  []string
		edits []edit
		want  wire.Code
	}{
		"no client":                 {cc, nil, wire.CodeInvalidClient},
		"a public client":           {append(cc[:2:2], "client_id", "app_first_party"), nil, wire.CodeInvalidClient},
		"no secret":                 {append(cc[:2:2], "client_id", id), nil, wire.CodeInvalidClient},
		"wrong secret":              {cc, []edit{basic(id, secret+"x")}, wire.CodeInvalidClient},
		"another app's secret":      {cc, []edit{basic(id, otherSecret)}, wire.CodeInvalidClient},
		"unknown app":               {cc, []edit{basic("app_nobody", secret)}, wire.CodeInvalidClient},
		"first party with a secret": {cc, []edit{basic("app_first_party", secret)}, wire.CodeInvalidClient},
		"no Basic":                  {cc, []edit{bearer(secret)}, wire.CodeInvalidClient},
		"broken Basic":              {cc, []edit{header("Authorization", "Basic ???")}, wire.CodeInvalidClient},
		"two ways":                  {append(cc[:2:2], "client_secret", secret, "client_id", id), []edit{basic(id, secret)}, wire.CodeInvalidRequest},
		"two ids":                   {append(cc[:2:2], "client_id", string(other.ID)), []edit{basic(id, secret)}, wire.CodeInvalidRequest},
		"a parameter twice":         {append(cc[:2:2], "scope", "tasks:read", "scope", "tasks:read"), []edit{basic(id, secret)}, wire.CodeInvalidRequest},
		"no grant":                  {nil, []edit{basic(id, secret)}, wire.CodeInvalidRequest},
		"an empty grant":            {[]string{"grant_type", ""}, []edit{basic(id, secret)}, wire.CodeInvalidRequest},
		"another grant":             {[]string{"grant_type", "password"}, []edit{basic(id, secret)}, wire.CodeUnsupportedGrantType},
		"RFR-09 scope up":           {append(cc[:2:2], "scope", "tasks:read tasks:write"), []edit{basic(id, secret)}, wire.CodeInvalidScope},
		"RFR-09 audience up":        {append(cc[:2:2], "audience", files), []edit{basic(id, secret)}, wire.CodeInvalidTarget},
		"RFR-09 administration":     {append(cc[:2:2], "resource", catalog.AdminAudience(issuer)), []edit{basic(id, secret)}, wire.CodeInvalidTarget},
		"unknown audience":          {append(cc[:2:2], "resource", "https://else.example"), []edit{basic(id, secret)}, wire.CodeInvalidTarget},
		"two audiences":             {append(cc[:2:2], "resource", tasks, "audience", files), []edit{basic(id, secret)}, wire.CodeInvalidRequest},
		"no refresh token":          {[]string{"grant_type", "refresh_token"}, nil, wire.CodeInvalidRequest},
		"no token":                  {[]string{"grant_type", "refresh_token", "refresh_token", "x"}, nil, wire.CodeInvalidGrant},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			oauthRefused(t, n.post("/oauth/token", c.form, c.edits...), c.want)
		})
	}
	if w := n.do("POST", "/oauth/token", `{"grant_type":"client_credentials"}`, basic(id, secret)); w.Code != 415 {
		t.Errorf("JSON is answered %d", w.Code)
	}
}

// A refresh token is its session's client's alone, and what is refused consumes
// nothing.
func TestRFR08RefreshByAnotherClient(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	a, secret := n.app("editor")
	token := n.login("alice").RefreshToken
	form := []string{"grant_type", "refresh_token", "refresh_token", token}
	oauthRefused(t, n.post("/oauth/token", form, basic(string(a.ID), secret)), wire.CodeInvalidGrant)
	oauthRefused(t, n.post("/oauth/token", append(form[:4:4], "client_id", string(a.ID))), wire.CodeInvalidClient)
	oauthRefused(t, n.post("/oauth/token", form, basic(string(a.ID), "wrong")), wire.CodeInvalidClient)
	oauthRefused(t, n.post("/oauth/revoke", []string{"token", token}, basic(string(a.ID), secret)), wire.CodeInvalidGrant)
	next := read[wire.TokenResponse](t, n.post("/oauth/token", form), 200)
	if next.RefreshToken == "" || next.RefreshToken == token || next.SessionID == "" {
		t.Errorf("refreshed: %+v", next)
	}
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(next.AccessToken)), 200)
	if n.records(); !strings.Contains(n.records(), `"act":"session.refresh","outcome":"refused"`) {
		t.Error("an attempt by another client is not recorded")
	}
}

// A refresh may ask for less, never for more; more is refused and consumes
// nothing.
func TestRFR09RefreshForMore(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	first := read[wire.TokenResponse](t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password, Scope: "tasks:read"}), 200)
	form := []string{"grant_type", "refresh_token", "refresh_token", first.RefreshToken}
	oauthRefused(t, n.post("/oauth/token", append(form[:4:4], "scope", "tasks:read tasks:write")), wire.CodeInvalidScope)
	oauthRefused(t, n.post("/oauth/token", append(form[:4:4], "scope", strings.Repeat("tasks:read ", 200))), wire.CodeInvalidScope)
	oauthRefused(t, n.post("/oauth/token", append(form[:4:4], "resource", files)), wire.CodeInvalidTarget)
	oauthRefused(t, n.post("/oauth/token", append(form[:4:4], "audience", "https://else.example")), wire.CodeInvalidTarget)
	next := read[wire.TokenResponse](t, n.post("/oauth/token", append(form[:4:4], "scope", "tasks:read", "resource", tasks)), 200)
	if next.Scope != "tasks:read" {
		t.Errorf("scope %q", next.Scope)
	}

	// Less is for one access token; the session keeps what it had (RFC 6749 §6).
	whole := n.login("alice")
	less := read[wire.TokenResponse](t, n.post("/oauth/token", []string{"grant_type", "refresh_token", "refresh_token", whole.RefreshToken, "scope", "tasks:write"}), 200)
	again := read[wire.TokenResponse](t, n.post("/oauth/token", []string{"grant_type", "refresh_token", "refresh_token", less.RefreshToken}), 200)
	if less.Scope != "tasks:write" || again.Scope != "tasks:read tasks:write" {
		t.Errorf("%q, then %q", less.Scope, again.Scope)
	}
}

// One answer for all that is wrong with a client, and the comparison of a
// secret tells nothing: hashes are compared, each in constant time.
func TestBRT07WrongSecretsLookAlike(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	a, secret := n.app("editor")
	off, offSecret := n.app("editor")
	if _, err := n.admin.DisableApp(t.Context(), operator, off.ID); err != nil {
		t.Fatal(err)
	}
	answers := map[string]bool{}
	for _, e := range []edit{
		basic("app_nobody", secret), basic(string(a.ID), "x"), basic(string(a.ID), secret[:len(secret)-1]+"!"),
		basic(string(a.ID), strings.ToUpper(secret)), basic(string(off.ID), offSecret), basic(string(off.ID), "x"),
	} {
		w := n.post("/oauth/token", []string{"grant_type", "client_credentials"}, e)
		oauthRefused(t, w, wire.CodeInvalidClient)
		p := read[map[string]any](t, w, 401)
		delete(p, "id")
		text, _ := json.Marshal(p)
		answers[string(text)+w.Header().Get("WWW-Authenticate")] = true
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
	if n := strings.Count(n.records(), `"act":"app.authenticate"`); n != 2 { // once a minute and app
		t.Errorf("%d events of wrong secrets", n)
	}
	if strings.Contains(n.records()+n.log.String(), secret[4:20]) || strings.Contains(n.log.String(), offSecret[4:20]) {
		t.Error("a secret is in the log")
	}
}

// An app is never an account, whatever either is called.
func TestCLM10AppsAndAccountsAreApart(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	a, secret := n.app("editor")
	alice := n.login("alice")
	if sub := claims(t, alice.AccessToken)["sub"].(string); app.Is(sub) || !app.Is(string(a.ID)) {
		t.Errorf("subjects %s and %s", sub, a.ID)
	}
	// Neither may ask about or end the other's tokens.
	own := n.grant(a, secret).AccessToken
	for _, c := range []struct {
		token  string
		edit   edit
		active bool
	}{
		{own, basic(string(a.ID), secret), true}, {own, bearer(own), true},
		{alice.AccessToken, basic(string(a.ID), secret), false}, {alice.AccessToken, bearer(own), false},
		{own, bearer(alice.AccessToken), false}, {own, bearer(n.introspector().AccessToken), true},
	} {
		got := read[wire.Introspection](t, n.post("/oauth/introspect", []string{"token", c.token}, c.edit), 200)
		if got.Active != c.active {
			t.Errorf("introspection answers %+v, want %v", got, c.active)
		}
	}
	oauthRefused(t, n.post("/oauth/revoke", []string{"token", alice.AccessToken}, basic(string(a.ID), secret)), wire.CodeInvalidGrant)
	oauthRefused(t, n.post("/oauth/revoke", []string{"token", own}), wire.CodeInvalidGrant)
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), 200)
}

func TestIntrospectionByApps(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	asker, secret := n.app(catalog.RoleIntrospector)
	alice := n.login("alice")
	ask := func(edits ...edit) wire.Introspection {
		return read[wire.Introspection](t, n.post("/oauth/introspect", []string{"token", alice.AccessToken}, edits...), 200)
	}
	if got := ask(basic(string(asker.ID), secret)); !got.Active || got.Scope == "" || got.SessionID != alice.SessionID {
		t.Errorf("by secret: %+v", got)
	}
	if got := ask(bearer(n.grant(asker, secret).AccessToken)); got.Active {
		t.Errorf("by a token for another API: %+v", got)
	}
	both := []string{tasks, catalog.AdminAudience(issuer)}
	if _, err := n.admin.SetApp(t.Context(), operator, asker.ID, app.Edit{Audiences: &both}); err != nil {
		t.Fatal(err)
	}
	if got := ask(bearer(n.grant(asker, secret, "resource", both[1]).AccessToken)); !got.Active {
		t.Errorf("by token: %+v", got)
	}
	posted := n.post("/oauth/introspect", []string{"token", alice.AccessToken, "client_id", string(asker.ID), "client_secret", secret})
	if !read[wire.Introspection](t, posted, 200).Active {
		t.Error("by secret in the form: inactive")
	}
	oauthRefused(t, n.post("/oauth/introspect", []string{"token", "x"}, basic(string(asker.ID), "wrong")), wire.CodeInvalidClient)
	oauthRefused(t, n.post("/oauth/introspect", []string{"token", "x", "client_secret", secret}), wire.CodeInvalidClient)
	oauthRefused(t, n.post("/oauth/introspect", []string{"token", "x", "client_secret", secret}, bearer(alice.AccessToken)), wire.CodeInvalidRequest)

	// ADM-07: a role that is taken away gives nothing from the next question on.
	none := []string{}
	if _, err := n.admin.SetApp(t.Context(), operator, asker.ID, app.Edit{Roles: &none}); err != nil {
		t.Fatal(err)
	}
	if got := ask(basic(string(asker.ID), secret)); got.Active {
		t.Error("the role was taken away")
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	a, secret := n.app("editor")
	first, second := n.grant(a, secret).AccessToken, n.grant(a, secret).AccessToken
	active := func(token string) bool {
		return read[wire.Introspection](t, n.post("/oauth/introspect", []string{"token", token}, basic(string(a.ID), secret)), 200).Active
	}
	ok := func(w *recorder) {
		t.Helper()
		if w.Code != 200 || w.Body.Len() > 0 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	for range 2 { // also the second time
		ok(n.post("/oauth/revoke", []string{"token", first, "token_type_hint", "refresh_token"}, basic(string(a.ID), secret)))
		within(t, func() bool { return !active(first) })
	}
	if !active(second) {
		t.Error("another token was revoked with it")
	}
	for _, unknown := range []string{"x", "jsr_x", "a.b.c", first + "x"} {
		ok(n.post("/oauth/revoke", []string{"token", unknown}, basic(string(a.ID), secret)))
	}
	oauthRefused(t, n.post("/oauth/revoke", nil, basic(string(a.ID), secret)), wire.CodeInvalidRequest)
	oauthRefused(t, n.post("/oauth/revoke", []string{"token", second}, basic(string(a.ID), "wrong")), wire.CodeInvalidClient)

	// A session's access token ends alone, its refresh token ends the session.
	alice := n.login("alice")
	ok(n.post("/oauth/revoke", []string{"token", alice.AccessToken}))
	within(t, func() bool { return n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)).Code == 401 })
	alice = read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken}), 200)
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), 200)
	ok(n.post("/oauth/revoke", []string{"token", alice.RefreshToken, "client_id", "app_first_party"}))
	refused(t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), wire.CodeTokenRevoked)
	oauthRefused(t, n.post("/oauth/token", []string{"grant_type", "refresh_token", "refresh_token", alice.RefreshToken}), wire.CodeInvalidGrant)
	if strings.Count(n.records(), `"act":"token.revoke"`) != 2 {
		t.Error("a revocation is not on record once")
	}
}

// within waits for what another goroutine does.
func within(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if done() {
			return
		}
	}
	t.Fatal("it does not happen")
}

// RFR-10, ADM-07: what an operator does to an app is felt at once by the server,
// and by every verifier that follows the feed.
func TestRFR10AppEvents(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]struct {
		do     func(*node, app.App) error
		client bool // may have new tokens afterwards, by the other secret
	}{
		"disabled": {func(n *node, a app.App) error {
			_, err := n.admin.DisableApp(n.t.Context(), operator, a.ID)
			return err
		}, false},
		"deleted": {func(n *node, a app.App) error { return n.admin.DeleteApp(n.t.Context(), operator, a.ID) }, false},
		"secret revoked": {func(n *node, a app.App) error {
			_, err := n.admin.RevokeAppSecret(n.t.Context(), operator, a.ID, a.Secrets[0].ID)
			return err
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := open(t, options{})
			a, secret := n.app("editor")
			a, second, err := n.admin.AddAppSecret(t.Context(), operator, a.ID, 0)
			if err != nil {
				t.Fatal(err)
			}
			ivy := n.introspector().AccessToken
			old := n.grant(a, secret).AccessToken
			active := func(token string) bool {
				return read[wire.Introspection](t, n.post("/oauth/introspect", []string{"token", token}, bearer(ivy)), 200).Active
			}
			if !active(old) {
				t.Fatal("not active")
			}
			if err := act.do(n, a); err != nil {
				t.Fatal(err)
			}
			if active(old) {
				t.Error("introspection answers active afterwards")
			}
			oauthRefused(t, n.post("/oauth/token", []string{"grant_type", "client_credentials"}, basic(string(a.ID), secret)), wire.CodeInvalidClient)
			facts, _, _, err := n.store.FeedSince(t.Context(), 0)
			if err != nil || !slices.ContainsFunc(facts, func(f feed.Fact) bool {
				return f.Kind == jwt.SubjectFact && f.Value == string(a.ID) && !f.Before.IsZero()
			}) {
				t.Errorf("published %+v, %v", facts, err)
			}
			w := n.post("/oauth/token", []string{"grant_type", "client_credentials"}, basic(string(a.ID), second))
			if !act.client {
				oauthRefused(t, w, wire.CodeInvalidClient)
				return
			}
			// The new token dates after the fact, so that it is good at once.
			if fresh := read[wire.TokenResponse](t, w, 200).AccessToken; !active(fresh) {
				t.Error("the new token is not good")
			}
		})
	}
}

func TestMetadataNamesTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	m := read[wire.Metadata](t, n.do("GET", wire.PathMetadata, nil), 200)
	for path, method := range map[string]string{m.TokenEndpoint: "POST", m.RevocationEndpoint: "POST", m.IntrospectionEndpoint: "POST", m.JWKSURI: "GET"} {
		w := n.do(method, strings.TrimPrefix(path, issuer), nil)
		if w.Code == http.StatusNotFound || w.Code == http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", method, path, w.Code)
		}
	}
	for _, grant := range m.GrantTypesSupported {
		w := n.post("/oauth/token", []string{"grant_type", grant})
		if strings.Contains(w.Body.String(), "unsupported_grant_type") {
			t.Errorf("%s is not supported", grant)
		}
	}
}
