package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

// TestRFR13StepUp goes the whole way: a log-in, which grows older than an API
// and a proxy take it; refreshes, which do not make it younger; and another one.
func TestRFR13StepUp(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	v, err := jwt.NewVerifier(jwt.Policy{Issuer: issuer, Audiences: []string{tasks}, Keys: n.ring.Keys(keyring.Access), Revocations: n.feed.Local(), Now: n.clock})
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(t.Context(), guard.Config{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	api := g.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		authz.LoggedInWithin(5*time.Minute), authz.AMR("pwd"))
	call := func(token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("DELETE", "/account", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		return w
	}
	const proxied = ask + "&max_age=300&amr=pwd"
	passes := func(what, token string) {
		t.Helper()
		if w := call(token); w.Code != http.StatusNoContent {
			t.Errorf("%s, at the API: %d %s", what, w.Code, w.Body)
		}
		if w := n.do("GET", proxied, nil, bearer(token)); w.Code != http.StatusOK {
			t.Errorf("%s, at the proxy: %d %s", what, w.Code, w.Body)
		}
	}
	fails := func(what, token, more string) {
		t.Helper()
		w := call(token)
		challenge := `Bearer realm="api", error="insufficient_user_authentication", error_description="needs ` + more
		if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || got != challenge || !strings.Contains(w.Body.String(), `"code":"insufficient_user_authentication"`) {
			t.Errorf("%s, at the API: %d %s, %s", what, w.Code, got, w.Body)
		}
		w = n.do("GET", proxied, nil, bearer(token))
		denied(t, w, wire.CodeLoginTooWeak)
		if got := w.Header().Get("WWW-Authenticate"); !strings.HasSuffix(got, `", error="insufficient_user_authentication", error_description="needs `+more) {
			t.Errorf("%s, at the proxy: %s", what, got)
		}
	}
	refresh := func(token string) wire.TokenResponse {
		t.Helper()
		return read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: token}), 200)
	}
	const old = `log-in within 300 s", max_age="300"`

	n.advance(0) // from now on the clock stands
	began := n.clock().Unix()
	first := n.login("alice")
	passes("a fresh log-in", first.AccessToken)
	c := claims(t, first.AccessToken)
	if methods, _ := c["amr"].([]any); c["auth_time"] != float64(began) || len(methods) != 1 || methods[0] != "pwd" || c["acr"] != nil {
		t.Errorf("claims of a log-in by password: %v", c)
	}
	n.advance(4 * time.Minute)
	second := refresh(first.RefreshToken)
	passes("a refresh, in time", second.AccessToken)
	n.advance(time.Minute + 2*time.Second)
	fails("an older log-in", first.AccessToken, old)
	fails("refreshed before", second.AccessToken, old)
	third := refresh(second.RefreshToken)
	fails("refreshed", third.AccessToken, old)
	if c := claims(t, third.AccessToken); c["auth_time"] != float64(began) {
		t.Errorf("a refresh moved auth_time by %v", c["auth_time"].(float64)-float64(began))
	}
	if c := claims(t, third.AccessToken); c["iat"] == float64(began) {
		t.Error("the clock stood still")
	}
	passes("logged in again", n.login("alice").AccessToken)
	fails("the session that was there before", third.AccessToken, old)

	// Neither an app nor the session of somebody whom another system has checked
	// says when a password was asked for.
	a, secret := n.app("editor")
	fails("an app", n.grant(a, secret).AccessToken, old)
	external, err := n.sessions.StartExternal(t.Context(), audit.Actor{}, session.ExternalRequest{Subject: "42", Roles: []string{"viewer"}, Audience: tasks})
	if err != nil {
		t.Fatal(err)
	}
	fails("another system's log-in", external.AccessToken, old)
	for _, token := range []string{external.AccessToken, n.grant(a, secret).AccessToken} {
		if c := claims(t, token); c["auth_time"] != nil || c["amr"] != nil || c["acr"] != nil {
			t.Errorf("it says how one logged in: %v", c)
		}
	}

	for name, query := range map[string]string{
		"no number": "max_age=5m", "a sign": "max_age=+5", "none": "max_age=0", "less": "max_age=-1", "zeros": "max_age=05", "many": "max_age=99999999999",
		"twice": "max_age=5&max_age=6", "empty": "acr_values=", "spaces": "acr_values=a++b", "a quote": "acr_values=%22", "classes twice": "acr_values=a&acr_values=b",
		"two methods": "amr=pwd+otp", "no method": "amr=", "a method with a quote": "amr=%22",
	} {
		if w := n.do("GET", ask+"&"+query, nil, bearer(first.AccessToken)); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	w := n.do("GET", ask+"&acr_values=silver+gold", nil, bearer(first.AccessToken))
	denied(t, w, wire.CodeLoginTooWeak)
	if got := w.Header().Get("WWW-Authenticate"); !strings.HasSuffix(got, `acr_values="silver gold"`) {
		t.Errorf("the classes are not told: %s", got)
	}
}
