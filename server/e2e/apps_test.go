package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// grantApp asks the token endpoint for an app's token.
func grantApp(t testing.TB, issuer, id, secret string) (int, wire.TokenResponse) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", issuer+"/oauth/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer wire.TokenResponse
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return w.StatusCode, answer
}

// What an operator does to an app reaches a guard in another process within a
// second, and the token endpoint at once.
func TestAppsAreTakenBack(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	issuer := "http://" + addr
	mustRun(t, "correct horse battery\n", "account", "create", "ada", "--role", "admin", "--password-stdin", "--data", data)
	mustRun(t, "", "api", "create", "https://tasks.example", "--data", data)
	var made wire.AppWithSecret
	if err := json.Unmarshal([]byte(mustRun(t, "", "app", "create", "Nightly", "--json", "--data", data)), &made); err != nil {
		t.Fatal(err)
	}
	startServe(t, addr, data)
	api := startTasks(t, issuer)
	admin := tokens(t, want(t, 200, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: "correct horse battery", Audience: issuer + "/v1/admin"})).AccessToken
	app := issuer + "/v1/admin/apps/" + made.App.ID

	taken := func(what, secret string, act func()) {
		t.Helper()
		status, got := grantApp(t, issuer, made.App.ID, secret)
		if status != 200 {
			t.Fatalf("%s: the token endpoint answers %d", what, status)
		}
		within(t, 5*time.Second, func() bool {
			status, _, err := call(t.Context(), "GET", api+"/tasks", got.AccessToken, nil)
			return err == nil && status == 200
		})
		act()
		if status, _ := grantApp(t, issuer, made.App.ID, secret); status != 401 {
			t.Errorf("%s: the token endpoint answers %d", what, status)
		}
		began := time.Now()
		within(t, 5*time.Second, func() bool {
			status, _, err := call(t.Context(), "GET", api+"/tasks", got.AccessToken, nil)
			return err == nil && status == 401
		})
		t.Logf("%s: refused by the guard after %v", what, time.Since(began).Round(time.Millisecond))
	}
	taken("app disabled", made.Secret, func() { want(t, 200, "POST", app+"/disable", admin, nil) })
	want(t, 200, "POST", app+"/enable", admin, nil)
	taken("secret revoked", made.Secret, func() { want(t, 200, "DELETE", app+"/secrets/"+made.App.Secrets[0].ID, admin, nil) })
	var next wire.AppWithSecret
	if err := json.Unmarshal(want(t, 201, "POST", app+"/secrets", admin, map[string]any{}), &next); err != nil {
		t.Fatal(err)
	}
	taken("app deleted", next.Secret, func() { want(t, 204, "DELETE", app, admin, nil) })
}
