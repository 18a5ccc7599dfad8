package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// One command, no configuration: log in, call, be refused for want of a role,
// refresh, end the session, be refused with the same unexpired token.
func TestTheWholePathOfAToken(t *testing.T) {
	t.Parallel()
	began := time.Now()
	d, p := startDev(t)
	editor := login(t, d.Issuer, "ada", d.password(t, "ada"))
	want(t, 200, "GET", d.API+"/tasks", editor.AccessToken, nil)
	t.Logf("from the command to the first guarded 200: %v", time.Since(began).Round(time.Millisecond))

	want(t, 201, "POST", d.API+"/tasks", editor.AccessToken, map[string]string{"title": "write it down"})
	viewer := login(t, d.Issuer, "vic", d.password(t, "vic"))
	if got := code(t, want(t, 403, "POST", d.API+"/tasks", viewer.AccessToken, map[string]string{"title": "no"})); got != "forbidden" {
		t.Errorf("a viewer who writes is told %q", got)
	}
	if b := want(t, 200, "GET", d.API+"/tasks", viewer.AccessToken, nil); strings.Contains(string(b), "write it down") {
		t.Errorf("a viewer sees somebody else's task: %s", b)
	}

	next := refresh(t, d.Issuer, editor.RefreshToken)
	want(t, 200, "GET", d.API+"/tasks", next.AccessToken, nil)
	want(t, 204, "POST", d.Issuer+"/v1/logout", next.AccessToken, nil)
	within(t, time.Second, func() bool {
		status, b, err := call(t.Context(), "GET", d.API+"/tasks", next.AccessToken, nil)
		return err == nil && status == 401 && code(t, b) == "token_revoked"
	})
	if got := code(t, want(t, 401, "POST", d.Issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: next.RefreshToken})); got != "invalid_refresh_token" {
		t.Errorf("refresh of an ended session is told %q", got)
	}
	p.stop(t)
}

// within waits for the thing itself, at most limit.
func within(t testing.TB, limit time.Duration, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			t.Fatalf("not within %v", limit)
		}
		time.Sleep(time.Millisecond) // between two looks at another process
	}
	return time.Since(began)
}

// Start to ready, and from the command to dev's line.
func TestStartToReady(t *testing.T) {
	dir := t.TempDir()
	addr := freeAddr(t)
	var took []time.Duration
	for range 11 {
		began := time.Now()
		p := startServe(t, addr, filepath.Join(dir, "data"))
		took = append(took, time.Since(began))
		p.stop(t)
	}
	first := took[0]
	again := took[1:]
	slices.Sort(again)
	t.Logf("start to ready: first run, which makes database and keys, %v; then median %v, worst %v of %d",
		first.Round(time.Millisecond), again[len(again)/2].Round(time.Millisecond), again[len(again)-1].Round(time.Millisecond), len(again))
	// Ten times the budget: a fault, not a slow machine.
	if median := again[len(again)/2]; median > 1500*time.Millisecond {
		t.Errorf("start to ready takes %v", median)
	}
}

// A revoked session's access token is refused by a guard in another process
// within a second, without that guard asking anybody per request.
func TestRevocationReachesAnotherProcess(t *testing.T) {
	t.Parallel()
	const rounds = 100
	d, _ := startDev(t)
	api := startTasks(t, d.Issuer)
	var took []time.Duration
	for range rounds {
		tok := login(t, d.Issuer, "ada", d.password(t, "ada"))
		want(t, 200, "GET", api+"/tasks", tok.AccessToken, nil)
		want(t, 204, "POST", d.Issuer+"/v1/logout", tok.AccessToken, nil)
		took = append(took, within(t, time.Second, func() bool {
			status, b, err := call(t.Context(), "GET", api+"/tasks", tok.AccessToken, nil)
			return err == nil && status == 401 && code(t, b) == "token_revoked"
		}))
	}
	slices.Sort(took)
	t.Logf("revocation to refusal in another process: median %v, worst %v of %d", took[rounds/2].Round(100*time.Microsecond), took[rounds-1].Round(100*time.Microsecond), rounds)
}

// startTasks runs the example API in a process of its own and waits until it
// guards.
func startTasks(t testing.TB, issuer string) string {
	t.Helper()
	addr := freeAddr(t)
	p := start(t, io.Discard, tasksAPI, "-issuer", issuer, "-audience", "https://tasks.example", "-addr", addr)
	within(t, 10*time.Second, func() bool {
		select {
		case err := <-p.done:
			p.done <- err
			t.Fatalf("the example API ended: %v\n%s", err, p.stderr)
		default:
		}
		resp, err := http.Get("http://" + addr + "/tasks")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusUnauthorized
	})
	return "http://" + addr
}

// Sixty-four refreshes at once of one refresh token make one chain, and all
// are answered with the same successor.
func TestRFR01ParallelRefreshesConverge(t *testing.T) {
	t.Parallel()
	d, _ := startDev(t)
	tok := login(t, d.Issuer, "vic", d.password(t, "vic"))
	for range 5 {
		const n = 64
		var wg sync.WaitGroup
		answers := make([]string, n)
		for i := range n {
			wg.Go(func() {
				status, b, err := call(t.Context(), "POST", d.Issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: tok.RefreshToken})
				if err != nil || status != 200 {
					t.Errorf("refresh: %d %v: %s", status, err, b)
					return
				}
				var r wire.TokenResponse
				json.Unmarshal(b, &r)
				answers[i] = r.RefreshToken
			})
		}
		wg.Wait()
		slices.Sort(answers)
		if different := slices.Compact(answers); len(different) != 1 || different[0] == tok.RefreshToken {
			t.Fatalf("%d different successors", len(different))
		}
		tok.RefreshToken = answers[0]
	}
}

// Everything answered is there after a restart: sessions, ends, the converging
// answer to a repeated refresh.
func TestRestartKeepsWhatWasAnswered(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	issuer := "http://" + addr
	mustRun(t, "correct horse battery\n", "account", "create", "ada", "--role", "editor", "--password-stdin", "--data", data)
	p := startServe(t, addr, data)
	kept := login(t, issuer, "ada", "correct horse battery")
	ended := login(t, issuer, "ada", "correct horse battery")
	next := refresh(t, issuer, kept.RefreshToken)
	want(t, 204, "POST", issuer+"/v1/logout", ended.AccessToken, nil)
	p.stop(t)

	startServe(t, addr, data)
	if again := refresh(t, issuer, kept.RefreshToken); again.RefreshToken != next.RefreshToken {
		t.Error("a refresh repeated after a restart, within the grace, got another successor")
	}
	want(t, 200, "GET", issuer+"/v1/me", kept.AccessToken, nil)
	if got := code(t, want(t, 401, "GET", issuer+"/v1/me", ended.AccessToken, nil)); got != "token_revoked" {
		t.Errorf("an ended session is told %q after a restart", got)
	}
	want(t, 401, "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: ended.RefreshToken})

	// Row 10 of the refresh table, across the restart: the predecessor of the
	// predecessor is theft, and it ends the session.
	third := refresh(t, issuer, next.RefreshToken)
	want(t, 401, "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: kept.RefreshToken})
	want(t, 401, "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: third.RefreshToken})
	if got := code(t, want(t, 401, "GET", issuer+"/v1/me", third.AccessToken, nil)); got != "token_revoked" {
		t.Errorf("after a theft the access token is told %q", got)
	}
}

// A key is rotated and nobody is logged out: neither by the server nor by a
// guard in another process that lived through it.
func TestRotationLogsNobodyOut(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	issuer := "http://" + addr
	mustRun(t, "correct horse battery\n", "account", "create", "ada", "--role", "editor", "--password-stdin", "--data", data)
	p := startServe(t, addr, data, "--api", "https://tasks.example")
	api := startTasks(t, issuer)
	before := login(t, issuer, "ada", "correct horse battery")
	want(t, 200, "GET", api+"/tasks", before.AccessToken, nil)
	p.stop(t)
	for _, purpose := range []string{"access", "feed", "refresh"} {
		mustRun(t, "", "key", "rotate", "--purpose", purpose, "--now", "--data", data)
	}

	startServe(t, addr, data, "--api", "https://tasks.example")
	want(t, 200, "GET", api+"/tasks", before.AccessToken, nil)
	after := refresh(t, issuer, before.RefreshToken)
	if a, b := kid(t, before.AccessToken), kid(t, after.AccessToken); a == b {
		t.Errorf("after the rotation the same key %s signs", a)
	}
	within(t, 10*time.Second, func() bool {
		status, _, err := call(t.Context(), "GET", api+"/tasks", after.AccessToken, nil)
		return err == nil && status == 200
	})
	// The guard follows the feed under its new key.
	want(t, 204, "POST", issuer+"/v1/logout", after.AccessToken, nil)
	within(t, 10*time.Second, func() bool {
		status, _, err := call(t.Context(), "GET", api+"/tasks", after.AccessToken, nil)
		return err == nil && status == 401
	})
}

func kid(t testing.TB, compact string) string {
	t.Helper()
	u, err := jwt.Inspect(compact)
	if err != nil {
		t.Fatal(err)
	}
	var h struct {
		KeyID string `json:"kid"`
	}
	if err := json.Unmarshal([]byte(u.Header()), &h); err != nil || h.KeyID == "" {
		t.Fatalf("no kid in %s: %v", u.Header(), err)
	}
	return h.KeyID
}

// A graceful stop answers what is under way: no request that the server took
// is lost.
func TestFLT08GracefulStopLosesNothing(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	issuer := "http://" + addr
	mustRun(t, "correct horse battery\n", "account", "create", "ada", "--password-stdin", "--data", data)
	p := startServe(t, addr, data)
	var logins []wire.TokenResponse
	for range 8 {
		logins = append(logins, login(t, issuer, "ada", "correct horse battery"))
	}
	var wg sync.WaitGroup
	stopping := make(chan struct{})
	for i := range logins {
		wg.Go(func() {
			for n := 0; ; n++ {
				if n == 5 && i == 0 {
					close(stopping)
				}
				status, b, err := call(context.Background(), "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: logins[i].RefreshToken})
				if err != nil {
					return // refused: the listener is closed
				}
				if status != 200 {
					t.Errorf("%d while stopping: %s", status, b)
					return
				}
				json.Unmarshal(b, &logins[i])
			}
		})
	}
	<-stopping
	p.stop(t)
	wg.Wait()
	startServe(t, addr, data)
	for _, l := range logins {
		refresh(t, issuer, l.RefreshToken)
	}
}
