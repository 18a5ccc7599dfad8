package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/wire"
)

// Two nodes with one Redis count wrong passwords together. Where Redis is
// killed under load no request fails because of it, each node counts for itself
// and says so, and when Redis is back they count together again.
func TestBRT01FLTNodesCountTogether(t *testing.T) {
	t.Parallel()
	redis := realtest.StartRedis(t)
	store := realtest.StartPostgres(t).NewDatabase(t)
	dir := t.TempDir()
	root := "file:" + filepath.Join(dir, "root-key")
	mustRun(t, effectPassword+"\n", "account", "create", "alice", "--password-stdin",
		"--data", filepath.Join(dir, "operator"), "--store", store, "--root-key", root)
	var nodes [2]*proc
	var urls [2]string
	issuer := "http://" + freeAddr(t)
	flags := []string{"--store", store, "--root-key", root, "--issuer", issuer, "--shared", redis.URL()}
	for i := range nodes {
		addr := freeAddr(t)
		nodes[i], urls[i] = startServe(t, addr, filepath.Join(dir, addr), flags...), "http://"+addr
	}

	// wrong tries ten wrong passwords, on both nodes in turn, and answers what
	// the next one on each is answered.
	wrong := func(username string) (next [2]int) {
		t.Helper()
		try := func(node int) int {
			status, b, err := call(t.Context(), "POST", urls[node]+"/v1/login", "", wire.LoginRequest{Username: username, Password: "not the password"})
			if err != nil || status != 401 && status != 429 {
				t.Fatalf("a wrong password: %d %s %v", status, b, err)
			}
			return status
		}
		for i := range 10 {
			if status := try(i % 2); status != 401 {
				t.Fatalf("wrong password %d is answered %d", i+1, status)
			}
		}
		return [2]int{try(0), try(1)}
	}
	together := [2]int{429, 429}
	if next := wrong("mallory"); next != together {
		t.Fatalf("after ten wrong passwords the next are answered %v", next)
	}

	var failed, answered atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for i := range 4 {
		tok := login(t, urls[i%2], "alice", effectPassword)
		load.Go(func() {
			ask := func(n int, method, path, bearer string, body any) []byte {
				status, b, err := call(ctx, method, urls[n%2]+path, bearer, body)
				switch {
				case ctx.Err() != nil:
				case err != nil || status != 200:
					failed.Add(1)
					t.Errorf("%s: %d %s %v", path, status, b, err)
				default:
					answered.Add(1)
				}
				return b
			}
			for n := 0; ctx.Err() == nil && failed.Load() == 0; n++ {
				if n%20 == 0 {
					if b := ask(n, "POST", "/v1/refresh", "", wire.RefreshRequest{RefreshToken: tok.RefreshToken}); ctx.Err() == nil && failed.Load() == 0 {
						tok = tokens(t, b)
					}
				}
				ask(n, "GET", "/v1/me", tok.AccessToken, nil)
				<-time.After(2 * time.Millisecond) // the nodes have passwords to hash
			}
		})
	}
	redis.Kill()
	if next := wrong("trudy"); next != [2]int{401, 401} {
		t.Errorf("without Redis, after five wrong passwords on each node the next are answered %v", next)
	}
	for _, url := range urls {
		want(t, 200, "GET", url+"/readyz", "", nil)
	}
	out, stderr, code := run(t, "", append([]string{"doctor", "--data", filepath.Join(dir, "operator")}, flags...)...)
	if code != 0 || !strings.Contains(out, "warning  shared state") {
		t.Errorf("doctor without Redis answers %d:\n%s%s", code, out, stderr)
	}
	redis.Start(t)
	tried := 0
	took := within(t, 30*time.Second, func() bool { tried++; return wrong(fmt.Sprint("eve", tried)) == together })
	stop()
	load.Wait()
	t.Logf("%d requests answered, none failed; %v after Redis came back nodes counted together", answered.Load(), took.Round(time.Millisecond))

	out, stderr, code = run(t, "", append([]string{"doctor", "--data", filepath.Join(dir, "operator")}, flags...)...)
	if code != 0 || !strings.Contains(out, "ok       shared state") {
		t.Errorf("doctor answers %d:\n%s%s", code, out, stderr)
	}
	for _, n := range nodes {
		n.stop(t)
		text := n.stderr.String()
		if gone, back := strings.Count(text, "shared state does not answer"), strings.Count(text, "shared state answers again"); gone == 0 || gone != back {
			t.Errorf("a node said %d times that Redis was gone and %d times that it was back", gone, back)
		}
	}
}

// A password of the shared state is no argument of a process, and is not shown.
func TestSharedPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-of-the-cache"
	at := "redis://jotsmith:" + secret + "@127.0.0.1:1"
	_, stderr, code := run(t, "", "serve", "--shared", at, "--data", filepath.Join(t.TempDir(), "data"))
	if code == 0 || !strings.Contains(stderr, "JOTSMITH_SHARED") || strings.Contains(stderr, secret) {
		t.Errorf("a password among the arguments: %d\n%s", code, stderr)
	}
	out, stderr, _ := run(t, "", "config", "show", "--shared", at)
	if strings.Contains(out+stderr, secret) {
		t.Errorf("shown:\n%s%s", out, stderr)
	}
}
