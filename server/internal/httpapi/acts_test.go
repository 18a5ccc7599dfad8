package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// Operators' acts, and what they do to those who are logged in.
func TestOperatorsActs(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	ctx := t.Context()
	alice, bob := n.login("alice"), n.login("bob")
	if err := n.admin.SetPassword(ctx, operator, n.id("ALICE"), "fünf Kühe im Schnee"); err != nil {
		t.Fatal(err)
	}
	refused(t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), wire.CodeTokenRevoked)
	refused(t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password}), wire.CodeInvalidCredentials)
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(bob.AccessToken)), 200)

	for name, roles := range map[string][]string{"a space": {"big boss"}, "empty": {""}, "too many": strings.Fields(strings.Repeat("x ", 33))} {
		if _, err := n.admin.SetRoles(ctx, operator, n.id("bob"), roles, false); err == nil {
			t.Errorf("%s: taken", name)
		}
		if _, err := n.admin.CreateAccount(ctx, operator, account.NewAccount{Username: "new", Password: password, Roles: roles}); err == nil {
			t.Errorf("%s: taken for a new account", name)
		}
	}
	accounts, next, err := n.admin.ListAccounts(ctx, operator, admin.AccountFilter{}, "alice", 2)
	if err != nil || next != "carol" || len(accounts) != 2 || accounts[0].Username != "bob" || !accounts[1].Disabled {
		t.Errorf("listed %+v, %v", accounts, err)
	}

	// A key that was rotated at once signs, and what its predecessor signed holds.
	made, err := n.admin.RotateKey(ctx, operator, keyring.Access, jwk.ES256, true)
	if err != nil {
		t.Fatal(err)
	}
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(bob.AccessToken)), 200)
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(n.login("bob").AccessToken)), 200)
	keys, err := n.admin.ListKeys(ctx, operator)
	states := map[string]string{}
	for _, k := range keys {
		states[k.ID] = k.State
	}
	if err != nil || states[made.ID] != keyring.Active {
		t.Errorf("keys %v, %v", states, err)
	}
	if all := n.records(); !strings.Contains(all, `"act":"account.set_password"`) {
		t.Error("an operator's act is not recorded")
	}
}

// While log-ins with the old password run, the password is changed. Whoever
// logs in with the old one, however close it is, has no session afterwards.
func TestPasswordChangedDuringLogins(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	holder, err := n.accounts.Find(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		old, next := fmt.Sprintf("vier Kühe %d", round), fmt.Sprintf("vier Kühe %d", round+1)
		if round == 0 {
			old = password
		}
		var mu sync.Mutex
		var tokens []string
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				w := n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: old}, from(fmt.Sprintf("198.51.%d.%d:1", round, i)))
				if w.Code != 200 {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				tokens = append(tokens, read[wire.TokenResponse](t, w, 200).AccessToken)
			})
		}
		wg.Go(func() {
			err := n.accounts.ChangePassword(t.Context(), audit.Actor{Kind: audit.KindAccount, ID: string(holder.ID)}, holder.ID, old, next, "", netip.MustParseAddr("192.0.2.1"))
			if err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for _, token := range tokens {
			refused(t, n.do("GET", "/v1/me", nil, bearer(token)), wire.CodeTokenRevoked)
		}
	}
}

// Nothing that is about somebody may be kept by anybody on the way, and no
// answer is a page.
func TestWEB06NoStore(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	a := bearer(n.login("alice").AccessToken)
	for _, w := range []*recorder{
		n.do("POST", "/v1/login", wire.LoginRequest{Username: "bob", Password: password}),
		n.do("GET", "/v1/me", nil, a), n.do("PATCH", "/v1/me", `{}`, a), n.do("GET", "/v1/sessions", nil, a),
		n.do("POST", "/oauth/introspect", "token=x", form, a), n.do("GET", "/v1/revocations", nil), n.do("GET", "/livez", nil),
		n.do("POST", "/v1/logout", nil, a), n.do("GET", "/v1/me", nil, a), n.do("GET", "/nothing", nil), n.do("GET", "/panic", nil),
	} {
		h := w.Header()
		for name, want := range map[string]string{
			"Cache-Control":                "no-store",
			"Content-Security-Policy":      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "accelerometer=(), camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
			"Referrer-Policy":              "no-referrer",
			"Strict-Transport-Security":    "max-age=63072000",
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%d: %s: %q, want %q", w.Code, name, got, want)
			}
		}
		if len(h["Set-Cookie"]) > 0 || strings.HasPrefix(h.Get("Content-Type"), "text/html") {
			t.Errorf("%d %v", w.Code, h)
		}
	}
}

// Clients cannot invent labels.
func TestDOS06LabelsAreBounded(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	routes, methods := map[any]bool{}, map[any]bool{}
	a := bearer(n.login("alice").AccessToken)
	for i := range 50 {
		n.do("DELETE", fmt.Sprintf("/v1/sessions/x%d", i), nil, a)
		line := n.log.last(t)
		routes[line["route"]] = true
		n.do(fmt.Sprintf("BREW%d", i), fmt.Sprintf("/y%d", i), nil)
		line = n.log.last(t)
		routes[line["route"]], methods[line["method"]] = true, true
	}
	if len(routes) != 2 || !routes["DELETE /v1/sessions/{id}"] || !routes[""] || len(methods) != 1 {
		t.Errorf("routes %v, methods %v", routes, methods)
	}
}

// Whoever sends a body byte by byte is not waited for.
func TestDOS04SlowBody(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes as long as a body may")
	}
	s := listen(t, open(t, options{}))
	body, w := io.Pipe()
	defer w.Close()
	go io.WriteString(w, `{"username":`)
	resp, err := http.Post(s.URL+"/v1/login", "application/json", body)
	if err != nil {
		return // cut off
	}
	defer resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("%s", resp.Status)
	}
}
