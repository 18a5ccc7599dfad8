package httpapi_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/wire"
)

func (n *node) introspect(caller, token string) wire.Introspection {
	n.t.Helper()
	w := n.do("POST", "/oauth/introspect", url.Values{"token": {token}}.Encode(), bearer(caller), form)
	return read[wire.Introspection](n.t, w, 200)
}

var form = edit(func(r *request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") })

func TestLoginRefreshLogout(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	first := n.login("ALICE")
	if first.TokenType != "Bearer" || first.ExpiresIn != 900 || first.Scope != "tasks:read tasks:write" ||
		!strings.HasPrefix(first.RefreshToken, "jsr_") || !strings.HasPrefix(first.DeviceToken, "jsd_") || !strings.HasPrefix(first.SessionID, "ses_") {
		t.Errorf("log-in answers %+v", first)
	}
	me := read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(first.AccessToken)), 200)
	if me.Username != "alice" || me.DisplayName != "alice" || strings.Join(me.Roles, " ") != "editor" || !strings.HasPrefix(me.ID, "acc_") || me.CreatedAt.IsZero() {
		t.Errorf("me is %+v", me)
	}
	next := read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: first.RefreshToken}), 200)
	if next.SessionID != first.SessionID || next.RefreshToken == first.RefreshToken || next.AccessToken == first.AccessToken || next.DeviceToken != "" {
		t.Errorf("refresh answers %+v", next)
	}
	again := read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: first.RefreshToken}), 200)
	if again.RefreshToken != next.RefreshToken {
		t.Error("a repeated refresh has another successor")
	}
	for range 2 { // also when it has ended already
		if w := n.do("POST", "/v1/logout", nil, bearer(next.AccessToken)); w.Code != 204 {
			t.Fatalf("log-out: %d %s", w.Code, w.Body)
		}
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(next.AccessToken)), wire.CodeTokenRevoked)
	refused(t, n.do("POST", "/v1/logout-all", nil, bearer(next.AccessToken)), wire.CodeTokenRevoked)
	if p := refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: next.RefreshToken}), wire.CodeInvalidRefreshToken); p.Detail != "" {
		t.Errorf("a refused refresh tells more: %q", p.Detail)
	}
}

func TestLoginForAnAPI(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	in := wire.LoginRequest{Username: "alice", Password: password, Audience: files + "/", Scope: "tasks:read"}
	got := read[wire.TokenResponse](t, n.do("POST", "/v1/login", in), 200)
	about := n.introspect(got.AccessToken, got.AccessToken)
	if len(about.Audience) != 1 || about.Audience[0] != files || about.Scope != "tasks:read" || got.Scope != "tasks:read" {
		t.Errorf("the token is for %v, scope %q", about.Audience, about.Scope)
	}
	in.Scope = "tasks:delete"
	refused(t, n.do("POST", "/v1/login", in), wire.CodeInvalidScope)
	in.Scope = strings.Repeat("tasks:read ", 5000)
	refused(t, n.do("POST", "/v1/login", in), wire.CodeInvalidScope)
	in.Audience = "https://elsewhere.example.com"
	refused(t, n.do("POST", "/v1/login", in), wire.CodeInvalidTarget)
	// The password was right, so the log says whose it was.
	if sub := n.log.last(t)["sub"]; sub != about.Subject {
		t.Errorf("the log says that it was %v, want %s", sub, about.Subject)
	}
	// Whoever has not logged in is not told what there is.
	in.Password = "wrong password"
	refused(t, n.do("POST", "/v1/login", in), wire.CodeInvalidCredentials)
}

// An expired token ends its own session and does nothing else.
func TestLogoutWithAnExpiredToken(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	got := n.login("alice")
	n.advance(time.Hour)
	for _, route := range []string{"GET /v1/me", "GET /v1/sessions", "POST /v1/logout-all", "DELETE /v1/sessions/" + got.SessionID, "POST /oauth/introspect"} {
		method, path, _ := strings.Cut(route, " ")
		refused(t, n.do(method, path, nil, bearer(got.AccessToken)), wire.CodeTokenExpired)
	}
	if w := n.do("POST", "/v1/logout", nil, bearer(got.AccessToken)); w.Code != 204 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: got.RefreshToken}), wire.CodeInvalidRefreshToken)
	refused(t, n.do("POST", "/v1/logout", nil, bearer(got.AccessToken[:len(got.AccessToken)-4]+"AAAA")), wire.CodeTokenInvalid)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	laptop := read[wire.TokenResponse](t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password},
		header("User-Agent", "Laptop/1.0 \x1b[31mred\r\n\u202e"), from("[2001:db8::7]:99")), 200)
	phone, stranger := n.login("alice"), n.login("bob")

	list := read[wire.SessionList](t, n.do("GET", "/v1/sessions", nil, bearer(phone.AccessToken)), 200).Sessions
	if len(list) != 2 {
		t.Fatalf("%d sessions, want 2", len(list))
	}
	for _, s := range list {
		if s.Current != (s.ID == phone.SessionID) || s.Audience != tasks || s.CreatedAt.IsZero() || s.LastUsedAt.IsZero() || !s.ExpiresAt.After(s.CreatedAt) {
			t.Errorf("listed %+v", s)
		}
		if s.ID == laptop.SessionID && (s.Device != "Laptop/1.0 [31mred" || s.Address != "2001:db8::7") {
			t.Errorf("device %q, address %q", s.Device, s.Address)
		}
	}
	page := read[wire.SessionList](t, n.do("GET", "/v1/sessions?limit=1", nil, bearer(phone.AccessToken)), 200).Sessions
	if len(page) != 1 || page[0].ID != list[0].ID {
		t.Errorf("first page %v", page)
	}
	page = read[wire.SessionList](t, n.do("GET", "/v1/sessions?limit=1&after="+page[0].ID, nil, bearer(phone.AccessToken)), 200).Sessions
	if len(page) != 1 || page[0].ID != list[1].ID {
		t.Errorf("second page %v", page)
	}
	for _, bad := range []string{"limit=0", "limit=-1", "limit=101", "limit=x", "limit=99999999999999999999", "after=" + strings.Repeat("x", 100), "limit=%zz"} {
		refused(t, n.do("GET", "/v1/sessions?"+bad, nil, bearer(phone.AccessToken)), wire.CodeInvalidRequest)
	}

	refused(t, n.do("DELETE", "/v1/sessions/"+stranger.SessionID, nil, bearer(phone.AccessToken)), wire.CodeNotFound)
	refused(t, n.do("DELETE", "/v1/sessions/ses_none", nil, bearer(phone.AccessToken)), wire.CodeNotFound)
	refused(t, n.do("DELETE", "/v1/sessions/"+strings.Repeat("x", 5000), nil, bearer(phone.AccessToken)), wire.CodeNotFound)
	for range 2 {
		if w := n.do("DELETE", "/v1/sessions/"+laptop.SessionID, nil, bearer(phone.AccessToken)); w.Code != 204 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(laptop.AccessToken)), wire.CodeTokenRevoked)
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(phone.AccessToken)), 200)
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(stranger.AccessToken)), 200)

	second := n.login("alice")
	if w := n.do("POST", "/v1/logout-all", nil, bearer(phone.AccessToken)); w.Code != 204 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, s := range []wire.TokenResponse{phone, second} {
		refused(t, n.do("GET", "/v1/me", nil, bearer(s.AccessToken)), wire.CodeTokenRevoked)
	}
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(stranger.AccessToken)), 200)
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	mine, other := n.login("alice"), n.login("alice")
	change := func(current, next string) *recorder {
		return n.do("POST", "/v1/me/password", wire.PasswordChange{CurrentPassword: current, NewPassword: next}, bearer(mine.AccessToken))
	}
	refused(t, change("wrong password", "fünf Kühe im Schnee"), wire.CodeInvalidCredentials)
	if p := refused(t, change(password, "password123"), wire.CodePasswordTooWeak); !strings.Contains(p.Detail, "commonest") {
		t.Errorf("detail %q", p.Detail)
	}
	refused(t, change(password, ""), wire.CodeInvalidRequest)
	if w := change(password, "fünf Kühe im Schnee"); w.Code != 204 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(other.AccessToken)), wire.CodeTokenRevoked)
	refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: other.RefreshToken}), wire.CodeInvalidRefreshToken)
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(mine.AccessToken)), 200)
	read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: mine.RefreshToken}), 200)
	refused(t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password}), wire.CodeInvalidCredentials)
}

// Nobody makes themselves an admin by naming more than they may change.
func TestADM03MassAssignment(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	got := n.login("bob")
	for _, body := range []string{
		`{"display_name":"Bob","roles":["admin"]}`, `{"roles":["admin"]}`, `{"id":"acc_x"}`, `{"username":"root"}`,
		`{"disabled":false}`, `{"Display_Name":"x"}`, `{"display_name":null}`, `{"display_name":["x"]}`, `[]`, `null`, `"x"`, ``,
	} {
		refused(t, n.do("PATCH", "/v1/me", body, bearer(got.AccessToken)), wire.CodeInvalidRequest)
	}
	refused(t, n.do("PATCH", "/v1/me", `{"display_name":"\u001b[31m"}`, bearer(got.AccessToken)), wire.CodeInvalidRequest)
	me := read[wire.Me](t, n.do("PATCH", "/v1/me", `{"display_name":"Bob B."}`, bearer(got.AccessToken)), 200)
	if me.DisplayName != "Bob B." || strings.Join(me.Roles, " ") != "viewer" {
		t.Errorf("me is %+v", me)
	}
	if same := read[wire.Me](t, n.do("PATCH", "/v1/me", `{}`, bearer(got.AccessToken)), 200); same.DisplayName != "Bob B." {
		t.Errorf("an empty patch changed %+v", same)
	}
}

// introspector logs ivy in where her role gives her something.
func (n *node) introspector() wire.TokenResponse {
	n.t.Helper()
	login := wire.LoginRequest{Username: "ivy", Password: password, Audience: catalog.AdminAudience(issuer), Scope: catalog.Introspect}
	return read[wire.TokenResponse](n.t, n.do("POST", "/v1/login", login), 200)
}

func TestIntrospect(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	alice, bob, ivy, gone := n.login("alice"), n.login("bob"), n.introspector(), n.login("alice")
	about := n.introspect(alice.AccessToken, alice.AccessToken)
	if !about.Active || about.SessionID != alice.SessionID || about.Issuer != issuer || about.Audience[0] != tasks ||
		about.Scope != "tasks:read tasks:write" || about.Roles[0] != "editor" || about.ClientID != "app_first_party" ||
		about.Expires-about.IssuedAt != 900 || about.ID == "" || !strings.HasPrefix(about.Subject, "acc_") || about.TokenType != "Bearer" {
		t.Errorf("about her own: %+v", about)
	}
	if got := n.introspect(ivy.AccessToken, alice.AccessToken); !got.Active || got.Subject != about.Subject {
		t.Errorf("an introspector is told %+v", got)
	}
	const inactive = `{"active":false}`
	n.do("POST", "/v1/logout", nil, bearer(bob.AccessToken))
	if got := n.introspect(alice.AccessToken, gone.AccessToken); !got.Active || got.SessionID != gone.SessionID {
		t.Errorf("about another session of hers: %+v", got)
	}
	n.do("POST", "/v1/logout", nil, bearer(gone.AccessToken))
	for name, c := range map[string]struct{ caller, token string }{
		"somebody else's":            {alice.AccessToken, ivy.AccessToken},
		"another session that ended": {alice.AccessToken, gone.AccessToken},
		// Whom ivy calls has it, and may not ask with it.
		"with a token for another API": {n.login("ivy").AccessToken, alice.AccessToken},
		"an ended session":             {ivy.AccessToken, bob.AccessToken},
		"not a token":                  {ivy.AccessToken, "x"},
		"a refresh token":              {ivy.AccessToken, alice.RefreshToken},
		"bad signature":                {ivy.AccessToken, alice.AccessToken[:len(alice.AccessToken)-4] + "AAAA"},
		"too large a token":            {ivy.AccessToken, strings.Repeat("x", 60_000)},
	} {
		w := n.do("POST", "/oauth/introspect", url.Values{"token": {c.token}}.Encode(), bearer(c.caller), form)
		if w.Code != 200 || w.Body.String() != inactive || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for name, body := range map[string]string{
		"no token": "", "empty": "token=", "twice": "token=a&token=b", "not a form": "token=%zz", "token in the form too": "token=a&access_token=b",
	} {
		w := n.do("POST", "/oauth/introspect", body, bearer(ivy.AccessToken), form)
		oauth := read[wire.OAuthError](t, w, 400)
		if oauth.Error != "invalid_request" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
	refused(t, n.do("POST", "/oauth/introspect", "token=x", form), wire.CodeTokenMissing)
	refused(t, n.do("POST", "/oauth/introspect", "token=x", form, bearer(bob.AccessToken)), wire.CodeTokenRevoked)
	refused(t, n.do("POST", "/oauth/introspect", `{"token":"x"}`, bearer(ivy.AccessToken)), wire.CodeUnsupportedMediaType)
	n.store.Close()
	w := n.do("POST", "/oauth/introspect", "token="+ivy.AccessToken, form, bearer(ivy.AccessToken))
	if w.Code != 503 {
		t.Errorf("with the store gone a token is called inactive: %d %s", w.Code, w.Body)
	}
}

// Rights that were taken away are gone at once where the store is asked.
func TestADM07RoleRemoved(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	alice, ivy := n.login("alice"), n.introspector()
	if _, err := n.admin.SetRoles(t.Context(), operator, n.id("alice"), []string{"viewer"}, false); err != nil {
		t.Fatal(err)
	}
	if got := n.introspect(alice.AccessToken, alice.AccessToken); !got.Active || len(got.Roles) != 0 || got.Scope != "" {
		t.Errorf("told %+v", got)
	}
	if me := read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), 200); strings.Join(me.Roles, " ") != "viewer" {
		t.Errorf("me is %+v", me)
	}
	next := read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken}), 200)
	if next.Scope != "tasks:read" {
		t.Errorf("a refresh gives %q", next.Scope)
	}
	if _, err := n.admin.SetRoles(t.Context(), operator, n.id("ivy"), nil, false); err != nil {
		t.Fatal(err)
	}
	if got := n.introspect(ivy.AccessToken, next.AccessToken); got.Active {
		t.Error("who is no introspector any more is still told")
	}

	// Where the sessions are to end too, nothing of before is good any more.
	bob := n.login("bob")
	if _, err := n.admin.SetRoles(t.Context(), operator, n.id("bob"), nil, true); err != nil {
		t.Fatal(err)
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(bob.AccessToken)), wire.CodeTokenRevoked)
	refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: bob.RefreshToken}), wire.CodeInvalidRefreshToken)
	if !strings.Contains(n.records(), "sessions end") {
		t.Error("the audit log does not say that the sessions ended")
	}
}

func TestDisabledAtOnce(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	alice := n.login("alice")
	if _, err := n.admin.DisableAccount(t.Context(), operator, n.id("alice")); err != nil {
		t.Fatal(err)
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), wire.CodeTokenRevoked)
	refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken}), wire.CodeInvalidRefreshToken)
	if w := n.do("POST", "/v1/logout", nil, bearer(alice.AccessToken)); w.Code != 204 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if _, err := n.admin.EnableAccount(t.Context(), operator, n.id("alice")); err != nil {
		t.Fatal(err)
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), wire.CodeTokenRevoked)
	n.login("alice")
}
