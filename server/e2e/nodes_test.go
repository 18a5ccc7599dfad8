package e2e

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/wire"
)

// Two nodes that start at once on an empty database make one key ring, and are
// one server to whoever uses them: what one hands out the other refreshes, and
// what one ends the other refuses within a second, as does a guard that
// follows it.
func TestTwoNodesOnOnePostgres(t *testing.T) {
	t.Parallel()
	store := realtest.StartPostgres(t).NewDatabase(t)
	dir := t.TempDir()
	addrs := []string{freeAddr(t), freeAddr(t)}
	issuer := "http://" + addrs[0]
	// One of them makes the root key, the other is given the same.
	root := "file:" + filepath.Join(dir, "root-key")
	mustRun(t, effectPassword+"\n", "account", "create", "alice", "--password-stdin",
		"--data", filepath.Join(dir, "operator"), "--store", store, "--root-key", root)
	var starting sync.WaitGroup
	nodes := make([]*proc, len(addrs))
	for i, addr := range addrs {
		starting.Go(func() {
			nodes[i] = startServe(t, addr, filepath.Join(dir, addr), "--store", store, "--root-key", root,
				"--issuer", issuer, "--api", "https://tasks.example")
		})
	}
	starting.Wait()
	a, b := "http://"+addrs[0], "http://"+addrs[1]

	keys := func(node string) string { return string(want(t, 200, "GET", node+"/.well-known/jwks.json", "", nil)) }
	if keys(a) != keys(b) {
		t.Errorf("two key rings:\n%s\n%s", keys(a), keys(b))
	}
	first := tokens(t, want(t, 200, "POST", a+"/v1/login", "", wire.LoginRequest{Username: "alice", Password: effectPassword}))
	second := tokens(t, want(t, 200, "POST", b+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: first.RefreshToken}))
	again := tokens(t, want(t, 200, "POST", a+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: first.RefreshToken}))
	if again.RefreshToken != second.RefreshToken {
		t.Error("a repetition on the other node began another chain")
	}
	want(t, 200, "GET", b+"/v1/me", second.AccessToken, nil)
	want(t, 204, "POST", a+"/v1/logout", second.AccessToken, nil)
	took := within(t, promised, func() bool {
		status, _, err := call(t.Context(), "GET", b+"/v1/me", second.AccessToken, nil)
		return err == nil && status == 401
	})
	t.Logf("what one node ended, the other refuses after %v", took.Round(time.Millisecond))
	want(t, 401, "POST", b+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: second.RefreshToken})

	// What ends a session at one node ends it at the other: a refresh at once,
	// access within the bound.
	over := func(t *testing.T, newest wire.TokenResponse) {
		for _, node := range []string{b, a} {
			want(t, 401, "POST", node+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: newest.RefreshToken})
			within(t, promised, func() bool {
				status, _, err := call(t.Context(), "GET", node+"/v1/me", newest.AccessToken, nil)
				return err == nil && status == 401
			})
		}
	}
	t.Run("RFR-03 a stolen token is presented", func(t *testing.T) {
		stolen := login(t, a, "alice", effectPassword)
		newest := refresh(t, a, refresh(t, b, stolen.RefreshToken).RefreshToken)
		want(t, 401, "POST", a+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: stolen.RefreshToken})
		over(t, newest)
	})
	t.Run("RFR-10 the account is disabled", func(t *testing.T) {
		newest := login(t, b, "alice", effectPassword)
		mustRun(t, "", "account", "disable", "alice", "--store", store, "--root-key", root, "--data", filepath.Join(dir, "operator"))
		over(t, newest)
		want(t, 401, "POST", a+"/v1/login", "", wire.LoginRequest{Username: "alice", Password: effectPassword})
	})

	out, _, code := run(t, "", "doctor", "--store", store, "--root-key", root, "--data", filepath.Join(dir, "operator"), "--addr", addrs[0], "--issuer", issuer)
	if !strings.Contains(out, "database") || code != 0 {
		t.Errorf("doctor answers %d:\n%s", code, out)
	}
	for _, n := range nodes {
		n.stop(t)
		if text := n.stderr.String(); strings.Contains(text, "level=ERROR") {
			t.Errorf("a node complained:\n%s", text)
		}
	}
}

// A password of the database is no argument of a process, and is not shown.
func TestDatabasePasswordIsNotShown(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-of-the-database"
	at := "postgres://jotsmith:" + secret + "@127.0.0.1:1/jotsmith"
	_, stderr, code := run(t, "", "serve", "--store", at, "--data", filepath.Join(t.TempDir(), "data"))
	if code == 0 || !strings.Contains(stderr, "JOTSMITH_STORE") || strings.Contains(stderr, secret) {
		t.Errorf("a password among the arguments: %d\n%s", code, stderr)
	}
}
