package e2e

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// promised is how long after an act was answered a connected guard may still
// take a token that the act ended.
const promised = time.Second

// A revoker is a server, a guard in another process, and an operator.
type revoker struct {
	*testing.T
	issuer, api   string
	admin         string // token
	asker         string // Basic credentials of an app that may introspect
	accountNumber int
}

const effectPassword = "correct horse battery"

func startRevoker(t *testing.T) *revoker {
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	r := &revoker{T: t, issuer: "http://" + addr}
	mustRun(t, effectPassword+"\n", "account", "create", "root", "--role", "admin", "--password-stdin", "--data", data)
	startServe(t, addr, data, "--api", "https://tasks.example")
	r.api = startTasks(t, r.issuer)
	r.logIn()
	id, secret := r.newApp("introspector")
	r.asker = "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
	return r
}

func (r *revoker) logIn() {
	r.admin = tokens(r, want(r, 200, "POST", r.issuer+"/v1/login", "", wire.LoginRequest{Username: "root", Password: effectPassword, Audience: r.issuer + wire.PathAdmin})).AccessToken
}

// do performs an operator's act.
func (r *revoker) do(status int, method, path string, body any) []byte {
	r.Helper()
	return want(r, status, method, r.issuer+wire.PathAdmin+path, r.admin, body)
}

func (r *revoker) newApp(roles ...string) (id, secret string) {
	var made wire.AppWithSecret
	if err := json.Unmarshal(r.do(201, "POST", "/apps", wire.AppCreate{Name: "app", Roles: roles}), &made); err != nil {
		r.Fatal(err)
	}
	return made.App.ID, made.Secret
}

// A holder is somebody, or an app, with good tokens.
type holder struct {
	id, secret, username string // secret: it is an app
	wire.TokenResponse
}

// person makes an account that may write, with a session.
func (r *revoker) person() holder {
	r.accountNumber++
	name := "writer" + strconv.Itoa(r.accountNumber)
	var a wire.Account
	if err := json.Unmarshal(r.do(201, "POST", "/accounts", wire.AccountCreate{Username: name, Password: effectPassword, Roles: []string{"editor"}}), &a); err != nil {
		r.Fatal(err)
	}
	return holder{a.ID, "", name, login(r, r.issuer, name, effectPassword)}
}

// service makes an app with a token.
func (r *revoker) service() holder {
	id, secret := r.newApp("editor")
	status, tok := grantApp(r, r.issuer, id, secret)
	if status != 200 {
		r.Fatalf("the token endpoint answers %d", status)
	}
	return holder{id, secret, "", tok}
}

// renewable says whether h gets another access token, which it answers.
func (r *revoker) renewable(h holder) (string, bool) {
	if h.secret != "" {
		status, tok := grantApp(r, r.issuer, h.id, h.secret)
		return tok.AccessToken, status == 200
	}
	status, b, err := call(r.Context(), "POST", r.issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: h.RefreshToken})
	if err != nil || status != 200 && status != 401 {
		r.Fatalf("refresh: %d, %v: %s", status, err, b)
	}
	var tok wire.TokenResponse
	json.Unmarshal(b, &tok)
	return tok.AccessToken, status == 200
}

func (r *revoker) form(path, authorization string, form url.Values) []byte {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), "POST", r.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		r.Fatalf("%s: %d, %v: %s", path, resp.StatusCode, err, b)
	}
	return b
}

// writer says whether introspection takes a token for that of somebody who may
// write.
func (r *revoker) writer(token string) bool {
	r.Helper()
	var i wire.Introspection
	if err := json.Unmarshal(r.form("/oauth/introspect", r.asker, url.Values{"token": {token}}), &i); err != nil {
		r.Fatal(err)
	}
	return i.Active && slices.Contains(i.Roles, "editor")
}

// writes says whether the guard lets a token write.
func (r *revoker) writes(token string) bool {
	status, b, err := call(r.Context(), "POST", r.api+"/tasks", token, map[string]string{"title": "one more"})
	if err != nil || status != 201 && status != 401 && status != 403 {
		r.Errorf("the guard: %d, %v: %s", status, err, b)
	}
	return status == 201
}

// What goes on after an act, although the token is not what it was.
const (
	renews = 1 << iota // another access token is had
	passes             // the old one passes the guard until it expires
	says               // introspection says that it is good
)

// What each act does to refresh, introspection and a guard in another process,
// and how long after it was answered. Table of docs/revocation.md.
func TestRFR10ADM07TimeToEffect(t *testing.T) {
	t.Parallel()
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv("JOTSMITH_EFFECT_ROUNDS")); err == nil {
		rounds = n
	}
	r := startRevoker(t)
	table := []string{"", "| act | next refresh or grant | introspection | guard: median, worst | of |", "| --- | --- | --- | --- | --- |"}
	for _, c := range []struct {
		act    string
		who    func() holder
		do     func(holder)
		goesOn int
		rounds int // 0: all
	}{
		{act: "log-out", who: r.person, do: func(h holder) { want(t, 204, "POST", r.issuer+"/v1/logout", h.AccessToken, nil) }},
		{act: "log-out everywhere", who: r.person, do: func(h holder) { want(t, 204, "POST", r.issuer+"/v1/logout-all", h.AccessToken, nil) }},
		{act: "session ended by an operator", who: r.person, do: func(h holder) { r.do(204, "DELETE", "/sessions/"+h.SessionID, nil) }},
		{act: "password changed, in another session", who: r.person, do: func(h holder) {
			other := login(t, r.issuer, h.username, effectPassword)
			want(t, 204, "POST", r.issuer+"/v1/me/password", other.AccessToken, wire.PasswordChange{CurrentPassword: effectPassword, NewPassword: "battery horse correct"})
		}},
		{act: "password set by an operator", who: r.person, do: func(h holder) {
			r.do(204, "PUT", "/accounts/"+h.id+"/password", wire.AccountPassword{Password: "battery horse correct"})
		}},
		{act: "account disabled", who: r.person, do: func(h holder) { r.do(200, "POST", "/accounts/"+h.id+"/disable", nil) }},
		{act: "role taken away", who: r.person, goesOn: renews | passes, do: func(h holder) {
			r.do(200, "PUT", "/accounts/"+h.id+"/roles", wire.AccountRoles{Roles: []string{}})
		}},
		{act: "role taken away and sessions ended", who: r.person, do: func(h holder) {
			r.do(200, "PUT", "/accounts/"+h.id+"/roles", wire.AccountRoles{Roles: []string{}, EndSessions: true})
		}},
		{act: "theft of a refresh token", who: r.person, do: func(h holder) {
			refresh(t, r.issuer, refresh(t, r.issuer, h.RefreshToken).RefreshToken)
			want(t, 401, "POST", r.issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: h.RefreshToken})
		}},
		{act: "one access token revoked", who: r.person, goesOn: renews, do: func(h holder) {
			r.form("/oauth/revoke", "", url.Values{"token": {h.AccessToken}})
		}},
		{act: "app's secret revoked", who: r.service, do: func(h holder) {
			var a wire.App
			if err := json.Unmarshal(r.do(200, "GET", "/apps/"+h.id, nil), &a); err != nil {
				t.Fatal(err)
			}
			r.do(200, "DELETE", "/apps/"+h.id+"/secrets/"+a.Secrets[0].ID, nil)
		}},
		{act: "app disabled", who: r.service, do: func(h holder) { r.do(200, "POST", "/apps/"+h.id+"/disable", nil) }},
		{act: "app deleted", who: r.service, do: func(h holder) { r.do(204, "DELETE", "/apps/"+h.id, nil) }},
		{act: "app's role taken away", who: r.service, goesOn: renews | passes, do: func(h holder) {
			r.do(200, "PATCH", "/apps/"+h.id, map[string]any{"roles": []string{}})
		}},
		// Whoever revokes a key logs in again, so these are the last.
		{act: "refresh key revoked", who: r.person, goesOn: passes | says, rounds: 3, do: func(h holder) { r.revokeKey("refresh") }},
		{act: "access key revoked", who: r.person, goesOn: renews, rounds: 3, do: func(h holder) { r.revokeKey("access") }},
	} {
		var took []time.Duration
		n := min(rounds, cmp.Or(c.rounds, rounds))
		for range n {
			h := c.who()
			if !r.writes(h.AccessToken) || !r.writer(h.AccessToken) {
				t.Fatalf("%s: the token is not good before", c.act)
			}
			c.do(h)
			answered := time.Now()
			refused := make(chan time.Duration, 1)
			if c.goesOn&passes == 0 {
				go func() {
					for r.writes(h.AccessToken) && time.Since(answered) < 5*promised {
						time.Sleep(time.Millisecond) // between two looks at another process
					}
					refused <- time.Since(answered)
				}()
			}
			if got, want := r.writer(h.AccessToken), c.goesOn&says != 0; got != want {
				t.Errorf("%s: the next introspection says %v", c.act, got)
			}
			next, again := r.renewable(h)
			if want := c.goesOn&renews != 0; again != want {
				t.Errorf("%s: another access token: %v", c.act, again)
			}
			if c.goesOn&passes != 0 {
				if !r.writes(h.AccessToken) {
					t.Errorf("%s: the guard refused the token that it cannot know about", c.act)
				}
				if again && r.writes(next) {
					t.Errorf("%s: the next token may do what the old one could", c.act)
				}
				continue
			}
			took = append(took, <-refused)
			if c.act == "access key revoked" {
				r.logIn()
				within(t, 10*time.Second, func() bool { return r.writes(r.person().AccessToken) }) // with the new key
			}
		}
		table = append(table, fmt.Sprintf("| %s | %s | %s | %s | %d |", c.act,
			either(c.goesOn&renews == 0, "refused", either(c.goesOn&passes != 0, "without it", "goes on")),
			either(c.goesOn&says == 0, "at once", "goes on"), spread(took), n))
		if len(took) > 0 && slices.Max(took) > promised {
			t.Errorf("%s: the guard took %v", c.act, slices.Max(took))
		}
	}
	t.Log(strings.Join(table, "\n"))
}

// revokeKey revokes the key that signs for a purpose.
func (r *revoker) revokeKey(purpose string) {
	r.Helper()
	var all wire.KeyList
	if err := json.Unmarshal(r.do(200, "GET", "/keys", nil), &all); err != nil {
		r.Fatal(err)
	}
	for _, k := range all.Keys {
		if k.Purpose == purpose && k.State == "active" {
			r.do(200, "POST", "/keys/"+k.ID+"/revoke", nil)
			return
		}
	}
	r.Fatalf("no active %s key in %v", purpose, all.Keys)
}

func either(which bool, a, b string) string {
	if which {
		return a
	}
	return b
}

func spread(took []time.Duration) string {
	if len(took) == 0 {
		return "until it expires"
	}
	slices.Sort(took)
	return fmt.Sprintf("%v, %v", took[len(took)/2].Round(100*time.Microsecond), took[len(took)-1].Round(100*time.Microsecond))
}
