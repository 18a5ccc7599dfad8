package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/wire"
)

// An API with a key of its own opens and verifies what it is sent, by guard and
// by command; an opaque API asks the server. Whoever else holds a token reads
// nothing, and an ended session is refused as ever.
func TestEncryptedTokens(t *testing.T) {
	t.Parallel()
	const clinic, reports = "https://clinic.example", "https://reports.example"
	dir := t.TempDir()
	data, private, public := filepath.Join(dir, "data"), filepath.Join(dir, "clinic.jwk"), filepath.Join(dir, "clinic.pub")
	addr := freeAddr(t)
	issuer := "http://" + addr
	mustRun(t, "", "key", "generate", "--use", "enc", "--out", private)
	if err := os.WriteFile(public, []byte(mustRun(t, "", "key", "public", private)), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", "api", "create", clinic, "--encryption-key", public, "--data", data)
	mustRun(t, "", "api", "create", reports, "--opaque", "--data", data)
	mustRun(t, "correct horse battery\n", "account", "create", "ada", "--password-stdin", "--data", data)
	startServe(t, addr, data)
	login := func(audience string) wire.TokenResponse {
		t.Helper()
		return tokens(t, want(t, 200, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: "correct horse battery", Audience: audience}))
	}

	text, err := os.ReadFile(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.ParseDecryption(text)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwk.NewDecryptionSet(key)
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(t.Context(), guard.Config{Issuer: issuer, Audience: clinic, Decryption: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	api := httptest.NewServer(g.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(api.Close)

	sealed := login(clinic)
	if strings.Count(sealed.AccessToken, ".") != 4 {
		t.Fatalf("%s is not encrypted", sealed.AccessToken)
	}
	want(t, 200, "GET", api.URL, sealed.AccessToken, nil)
	signed := strings.TrimSpace(mustRun(t, sealed.AccessToken, "token", "decrypt", "--key", private))
	if strings.Count(signed, ".") != 2 {
		t.Fatalf("token decrypt printed %q", signed)
	}
	want(t, 401, "GET", api.URL, signed, nil) // an API that decrypts takes nothing else
	want(t, 401, "GET", issuer+"/v1/me", sealed.AccessToken, nil)
	want(t, 200, "GET", issuer+"/v1/me", signed, nil)

	opaque := login(reports)
	want(t, 200, "GET", issuer+"/v1/me", opaque.AccessToken, nil)
	want(t, 401, "GET", api.URL, opaque.AccessToken, nil)

	want(t, 204, "POST", issuer+"/v1/logout", signed, nil)
	within(t, 5*time.Second, func() bool {
		status, _, err := call(t.Context(), "GET", api.URL, sealed.AccessToken, nil)
		return err == nil && status == 401
	})
}
