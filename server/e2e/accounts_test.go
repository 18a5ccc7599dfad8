package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// claimsOf reads a token without verifying it, as an app might show it.
func claimsOf(t testing.TB, compact string) map[string]any {
	t.Helper()
	u, err := jwt.Inspect(compact)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(u.Claims()), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// An account that came with its bcrypt hash logs in with the password that it
// had, before and after that hash is replaced, and over a restart.
func TestImportedAccountLogsIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, file, addr := filepath.Join(dir, "data"), filepath.Join(dir, "people.jsonl"), freeAddr(t)
	line := `{"username":"bob","roles":["editor"],"claims":{"legacy_id":4711},"password_hash":"$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"}`
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "account", "import", file, "--data", data)
	for range 2 {
		p := startServe(t, addr, data)
		issuer := "http://" + addr
		want(t, 401, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "bob", Password: "wrong horse"})
		tok := login(t, issuer, "bob", "correct horse")
		if got := claimsOf(t, refresh(t, issuer, tok.RefreshToken).AccessToken)["legacy_id"]; got != 4711.0 {
			t.Errorf("legacy_id is %v", got)
		}
		p.stop(t)
	}
}

// A team keeps its accounts: its app checks who somebody is and starts their
// session. That app can be nobody who administers the server, and a person who
// is disabled is out everywhere within a second.
func TestSessionsOfExternalAccounts(t *testing.T) {
	t.Parallel()
	data, addr := filepath.Join(t.TempDir(), "data"), freeAddr(t)
	issuer, admin := "http://"+addr, "http://"+addr+"/v1/admin"
	mustRun(t, "correct horse battery", "account", "create", "ada", "--role", "admin", "--password-stdin", "--data", data)
	startServe(t, addr, data, "--api", "https://tasks.example", "--role", "editor=tasks:read,tasks:write")
	api := startTasks(t, issuer)

	ada := tokens(t, want(t, 200, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: "correct horse battery", Audience: admin})).AccessToken
	want(t, 201, "POST", admin+"/roles", ada, wire.RoleCreate{Name: "session-starter", Permissions: []string{"jotsmith:sessions:start"}})
	var app wire.AppWithSecret
	made := want(t, 201, "POST", admin+"/apps", ada, wire.AppCreate{Name: "shop", Roles: []string{"session-starter"}, Audiences: []string{admin}, Claims: json.RawMessage(`{"team":"shop","who":"${username}"}`)})
	if err := json.Unmarshal(made, &app); err != nil || app.App.ID == "" || app.Secret == "" {
		t.Fatalf("%v: no app in the answer", err)
	}
	shop := clientToken(t, issuer, app.App.ID, app.Secret)
	if c := claimsOf(t, shop); c["team"] != "shop" || c["who"] != nil || c["sub"] != app.App.ID {
		t.Errorf("the app's own token says %v", c)
	}

	start := wire.SessionStart{
		Subject: "user/42", Roles: []string{"editor"}, Claims: json.RawMessage(`{"tenant":"acme"}`), Device: "Firefox", Address: "192.0.2.7",
	}
	person := tokens(t, want(t, 201, "POST", admin+"/sessions", shop, start))
	if c := claimsOf(t, person.AccessToken); c["sub"] != "user/42" || c["tenant"] != "acme" || c["scope"] != "tasks:read tasks:write" {
		t.Errorf("claims %v", c)
	}
	want(t, 200, "GET", api+"/tasks", person.AccessToken, nil)
	person = refresh(t, issuer, person.RefreshToken)
	want(t, 200, "GET", issuer+"/v1/sessions", person.AccessToken, nil)

	for name, no := range map[string]wire.SessionStart{
		"an administrator":       {Subject: "user/42", Roles: []string{"admin"}},
		"the starter's own role": {Subject: "user/42", Roles: []string{"session-starter"}},
		"administration":         {Subject: "user/42", Audience: admin},
	} {
		if status, body, err := call(t.Context(), "POST", admin+"/sessions", shop, no); err != nil || status != 403 {
			t.Errorf("%s: %d, %v: %s", name, status, err, body)
		}
	}
	for name, bad := range map[string]wire.SessionStart{
		"an account's id":  {Subject: "acc_x"},
		"an app's id":      {Subject: app.App.ID},
		"a reserved claim": {Subject: "user/42", Claims: json.RawMessage(`{"roles":["admin"]}`)},
		"no address":       {Subject: "user/42", Address: "home"},
	} {
		if status, body, err := call(t.Context(), "POST", admin+"/sessions", shop, bad); err != nil || status != 400 {
			t.Errorf("%s: %d, %v: %s", name, status, err, body)
		}
	}
	want(t, 403, "GET", admin+"/accounts", shop, nil)
	want(t, 401, "GET", admin+"/accounts", person.AccessToken, nil)
	want(t, 401, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "external:user/42", Password: "correct horse battery"})

	want(t, 200, "POST", admin+"/accounts/"+url.PathEscape("user/42")+"/disable", ada, nil)
	want(t, 401, "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: person.RefreshToken})
	want(t, 409, "POST", admin+"/sessions", shop, start)
	took := within(t, time.Second, func() bool {
		status, _, err := call(t.Context(), "GET", api+"/tasks", person.AccessToken, nil)
		return err == nil && status == 401
	})
	t.Logf("disabled to refused by a guard in another process: %v", took.Round(100*time.Microsecond))
}

// clientToken asks for an app's own token (RFC 6749 §4.4).
func clientToken(t testing.TB, issuer, id, secret string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", issuer+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("asking for a token: %d, %v: %s", resp.StatusCode, err, body)
	}
	var answer wire.TokenResponse
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("asking for a token: %v", err)
	}
	return answer.AccessToken
}
