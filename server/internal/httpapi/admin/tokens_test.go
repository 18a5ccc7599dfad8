package admin_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/wire"
)

// A token that an operator revokes is refused from then on: an access token
// alone, a refresh token with its session.
func TestRevokeToken(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin").tokens.AccessToken
	revoke := func(token string) string {
		return read[wire.TokenEnded](t, n.do("POST", "/v1/admin/tokens/revoke", wire.TokenRevoke{Token: token}, boss), 200).Ended
	}
	one, two := n.person("", "admin").tokens, n.person("", "admin").tokens
	revoke(one.AccessToken)
	if err := n.feed.Look(t.Context()); err != nil { // as a server does by itself
		t.Fatal(err)
	}
	refused(t, n.do("GET", "/v1/admin/keys", nil, one.AccessToken), wire.CodeTokenRevoked)
	next := read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: one.RefreshToken}, ""), 200)
	if w := n.do("GET", "/v1/admin/keys", nil, next.AccessToken); w.Code != 200 {
		t.Errorf("its session is gone too: %s", w.Body)
	}
	for range 2 { // what has ended is as it was wanted
		if got := revoke(two.RefreshToken); got != two.SessionID {
			t.Errorf("ended %s, want %s", got, two.SessionID)
		}
	}
	refused(t, n.do("GET", "/v1/admin/keys", nil, two.AccessToken), wire.CodeTokenRevoked)
	refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: two.RefreshToken}, ""), wire.CodeInvalidRefreshToken)

	// A token that is no good says nothing about the one of who asks.
	for name, token := range map[string]string{
		"nothing": "", "no token": "abc", "a forged one": boss[:len(boss)-8] + "AAAAAAAA", "a forged refresh token": two.RefreshToken[:40] + "AAAA" + two.RefreshToken[44:],
		"of nobody": "eyJhbGciOiJub25lIn0.e30.", "a device token": two.DeviceToken, "much": strings.Repeat("x", 60_000),
	} {
		w := n.do("POST", "/v1/admin/tokens/revoke", wire.TokenRevoke{Token: token}, boss)
		p := refused(t, w, wire.CodeInvalidRequest)
		if w.Header().Get("WWW-Authenticate") != "" || len(token) > 8 && strings.Contains(p.Detail, token[len(token)-8:]) {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

func TestIssueToken(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin").tokens.AccessToken
	a, _, err := n.admin.CreateApp(t.Context(), operator, app.NewApp{Name: "billing", Roles: []string{"viewer"}})
	if err != nil {
		t.Fatal(err)
	}
	route := "/v1/admin/apps/" + string(a.ID) + "/token"
	got := read[wire.TokenResponse](t, n.do("POST", route, wire.AppToken{Scope: "tasks:read"}, boss), 201)
	if got.Scope != "tasks:read" || got.ExpiresIn == 0 || got.RefreshToken != "" {
		t.Errorf("%+v", got)
	}
	about := n.do("POST", "/oauth/introspect", "token="+url.QueryEscape(got.AccessToken), got.AccessToken)
	if in := read[wire.Introspection](t, about, 200); !in.Active || in.Subject != string(a.ID) {
		t.Errorf("%s", about.Body)
	}
	refused(t, n.do("POST", route, wire.AppToken{Scope: "tasks:write"}, boss), wire.CodeInvalidScope)
	refused(t, n.do("POST", route, wire.AppToken{Audience: "https://else.example"}, boss), wire.CodeInvalidTarget)
	refused(t, n.do("POST", route, `{"roles":["admin"]}`, boss), wire.CodeInvalidRequest)
	if _, err := n.admin.DisableApp(t.Context(), operator, a.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, n.do("POST", route, wire.AppToken{}, boss), wire.CodeInvalidRequest)

	// Nobody gets hold of permissions of administration by way of an app.
	powerful, _, err := n.admin.CreateApp(t.Context(), operator, app.NewApp{Name: "root", Roles: []string{"admin"}, Audiences: []string{audience}})
	if err != nil {
		t.Fatal(err)
	}
	writer := n.person("", only("jotsmith:apps:write")).tokens.AccessToken
	refused(t, n.do("POST", fmt.Sprintf("/v1/admin/apps/%s/token", powerful.ID), wire.AppToken{}, writer), wire.CodeForbidden)
}
