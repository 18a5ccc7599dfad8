package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwks"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/wire"
)

// guardOf names the environment variable that makes this program a guarded API
// of an issuer instead of its tests.
const guardOf = "JOTSMITH_E2E_GUARD"

// serveGuarded guards one route with the tokens of issuer and prints its
// address. What package guard does by itself is spelled out, since the
// cool-down of its key sets is measured in the same scale as the life of keys:
// ten seconds to a day there, one second to a few here.
func serveGuarded(issuer string) error {
	ctx := context.Background()
	resp, err := http.Get(issuer + wire.PathMetadata)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var m wire.Metadata
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		return err
	}
	keys, err := jwks.New(jwks.Config{URL: m.JWKSURI, CoolDown: time.Second})
	if err != nil {
		return err
	}
	feedKeys, err := jwks.New(jwks.Config{URL: m.RevocationsJWKSURI, CoolDown: time.Second})
	if err != nil {
		return err
	}
	feed, err := revocation.NewFollower(revocation.FollowerConfig{URL: m.RevocationsURI, Issuer: issuer, Keys: feedKeys})
	if err != nil {
		return err
	}
	go feed.Run(ctx)
	<-feed.Ready()
	v, err := jwt.NewVerifier(jwt.Policy{Issuer: issuer, Audiences: []string{issuer}, Keys: keys, Revocations: feed})
	if err != nil {
		return err
	}
	g, err := guard.New(ctx, guard.Config{Verifier: v})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, g.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "good") })))
}

// startGuard runs serveGuarded in a process of its own.
func startGuard(t testing.TB, issuer string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), guardOf+"="+issuer)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Wait()
		t.Fatalf("the guard did not start: %v\n%s", err, &stderr)
	}
	return "http://" + strings.TrimSpace(line)
}

// ringKey is a key as `jotsmith key list --json` prints it.
type ringKey struct {
	ID        string    `json:"id"`
	Purpose   string    `json:"purpose"`
	Algorithm string    `json:"algorithm"`
	State     string    `json:"state"`
	GoneAt    time.Time `json:"gone_at"`
}

func listKeys(t testing.TB, data string) []ringKey {
	t.Helper()
	var list struct{ Keys []ringKey }
	if err := json.Unmarshal([]byte(mustRun(t, "", "key", "list", "--json", "--data", data)), &list); err != nil {
		t.Fatal(err)
	}
	return list.Keys
}

// TestRotationUnderLoad lets all keys rotate every five seconds while three
// guards in other processes, whose caches are at different phases, verify
// 2,000 tokens a second: old ones and ones that were made a moment ago. No good
// token is refused. JOTSMITH_ROTATION is how long it lasts.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	lasts := 30 * time.Second
	if s := os.Getenv("JOTSMITH_ROTATION"); s != "" {
		var err error
		if lasts, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	const (
		every    = 5 * time.Second
		rate     = 2000 // verifications a second
		workers  = 48
		sessions = 16
		password = "correct horse battery"
	)
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	issuer := "http://" + addr
	mustRun(t, password+"\n", "account", "create", "ada", "--password-stdin", "--data", data)
	server := startServe(t, addr, data, "--dangerously-hurry-keys", "--key-rotate-every", every.String(), "--key-lead", "2500ms", "--log-level", "warn")

	chains := make([]wire.TokenResponse, sessions)
	for i := range chains {
		chains[i] = login(t, issuer, "ada", password)
	}
	var pool atomic.Pointer[[]string] // of access tokens, all of them good
	first := make([]string, sessions)
	for i, c := range chains {
		first[i] = c.AccessToken
	}
	pool.Store(&first)

	var guards []string
	for range 3 {
		guards = append(guards, startGuard(t, issuer))
		time.Sleep(1700 * time.Millisecond) // so that their caches are at different phases
	}

	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}, Timeout: 10 * time.Second}
	var done, refused, unanswered atomic.Int64
	var firstRefusal atomic.Pointer[string]
	verify := func(guard, token string) {
		req, _ := http.NewRequest("GET", guard, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(req)
		if err != nil {
			unanswered.Add(1)
			text := err.Error()
			firstRefusal.CompareAndSwap(nil, &text)
			return
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		done.Add(1)
		if resp.StatusCode != http.StatusOK {
			refused.Add(1)
			text := fmt.Sprintf("%d %s", resp.StatusCode, b)
			firstRefusal.CompareAndSwap(nil, &text)
		}
	}

	var wg sync.WaitGroup
	began := time.Now()
	var slot atomic.Int64
	for range workers {
		wg.Go(func() {
			for {
				n := slot.Add(1)
				if wait := time.Until(began.Add(time.Duration(n) * time.Second / rate)); wait > 0 {
					time.Sleep(wait) // the pace of the load
				}
				if ctx.Err() != nil {
					return
				}
				tokens := *pool.Load()
				verify(guards[n%3], tokens[rand.IntN(len(tokens))])
			}
		})
	}
	signers := map[string]bool{}
	refreshes := 0
	wg.Go(func() { // new tokens, each verified everywhere as soon as it is there
		for i := 0; ctx.Err() == nil; i = (i + 1) % sessions {
			c := refresh(t, issuer, chains[i].RefreshToken)
			chains[i] = c
			refreshes++
			signers[headerKeyID(t, c.AccessToken)] = true
			for _, g := range guards {
				verify(g, c.AccessToken)
			}
			tokens := append(slices.Clone(*pool.Load()), c.AccessToken)
			pool.Store(&tokens)
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	wg.Wait()
	took := time.Since(began)
	server.stop(t)

	t.Logf("%d refused of %d good tokens, %d unanswered; %.0f verifications/s for %v by 3 guards, %d keys signed %d refreshes",
		refused.Load(), done.Load(), unanswered.Load(), float64(done.Load())/took.Seconds(), took.Round(time.Second), len(signers), refreshes)
	if refused.Load()+unanswered.Load() > 0 {
		t.Errorf("the first was refused with: %s", *firstRefusal.Load())
	}
	if least := int(lasts / every); len(signers) < least {
		t.Errorf("%d keys signed, so that there were fewer than %d rotations", len(signers), least-1)
	}
	oneActive(t, listKeys(t, data))
}

func headerKeyID(t testing.TB, compact string) string {
	t.Helper()
	u, err := jwt.Inspect(compact)
	if err != nil {
		t.Fatal(err)
	}
	return u.KeyID()
}

// oneActive wants exactly one active key of each purpose and algorithm.
func oneActive(t testing.TB, keys []ringKey) {
	t.Helper()
	active := map[string]int{"access ES256": 0, "feed ES256": 0, "refresh HS256": 0}
	for _, k := range keys {
		if k.State == "active" {
			active[k.Purpose+" "+k.Algorithm]++
		}
	}
	for slot, n := range active {
		if n != 1 {
			t.Fatalf("%d active keys of %s: %+v", n, slot, keys)
		}
	}
}

// onLine calls f at the first line that holds want.
type onLine struct {
	want string
	f    func()
	once sync.Once
	seen []byte
}

func (w *onLine) Write(p []byte) (int, error) {
	w.seen = append(w.seen, p...)
	if bytes.Contains(w.seen, []byte(w.want)) {
		w.once.Do(w.f)
	}
	return len(p), nil
}

// TestKillNineWhileKeysRotate kills a server 50 times with SIGKILL in the
// moment in which it rotates its keys, and in between a `key rotate`. No key is
// ever lost, there are never two that sign for one purpose, and what was signed
// before is good afterwards.
func TestKillNineWhileKeysRotate(t *testing.T) {
	t.Parallel()
	const kills = 50
	const password = "correct horse battery"
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	issuer := "http://" + addr
	mustRun(t, password+"\n", "account", "create", "ada", "--password-stdin", "--data", data)
	// Times of keys are whole seconds: a shorter lead would rotate without end.
	hurry := []string{"--dangerously-hurry-keys", "--key-rotate-every", "2s", "--key-lead", "1s"}

	p := startServe(t, addr, data, hurry...)
	chain := login(t, issuer, "ada", password)
	good := []string{chain.AccessToken}
	p.stop(t)

	known := map[string]ringKey{}
	check := func(kill int) {
		t.Helper()
		keys := listKeys(t, data)
		oneActive(t, keys)
		now := map[string]ringKey{}
		for _, k := range keys {
			now[k.ID] = k
		}
		for id, k := range known {
			if _, there := now[id]; !there && (k.GoneAt.IsZero() || k.GoneAt.After(time.Now())) {
				t.Fatalf("kill %d: the %s key %s is lost", kill, k.State, id)
			}
		}
		known = now
	}
	check(0)
	began := time.Now()
	mustRun(t, "", "key", "rotate", "--now", "--purpose", "access", "--data", data)
	command := time.Since(began) // that one rotation by command takes
	check(0)
	rotated := 0
	for kill := range kills {
		if kill%2 == 1 {
			// The other half: by command, at any moment of it.
			cmd := exec.Command(jotsmith, "key", "rotate", "--now", "--purpose", []string{"access", "feed", "refresh"}[kill/2%3], "--data", data)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(rand.N(2 * command))
			cmd.Process.Kill()
			if cmd.Wait() == nil {
				rotated++
			}
			check(kill)
			continue
		}
		begun := make(chan struct{})
		cmd := exec.Command(jotsmith, append([]string{"serve", "--addr", addr, "--data", data, "--log", "json"}, hurry...)...)
		stderr := &onLine{want: `"msg":"key.an`, f: func() { close(begun) }}
		cmd.Stderr = stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-begun:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			cmd.Wait()
			t.Fatalf("kill %d: no rotation began\n%s", kill, stderr.seen)
		}
		time.Sleep(rand.N(12 * time.Millisecond)) // all purposes rotate one after the other
		cmd.Process.Kill()
		cmd.Wait()
		check(kill)

		if kill%10 == 0 {
			p := startServe(t, addr, data)
			chain = refresh(t, issuer, chain.RefreshToken)
			good = append(good, chain.AccessToken)
			for _, token := range good {
				want(t, 200, "GET", issuer+"/v1/me", token, nil)
			}
			p.stop(t)
			check(kill)
		}
	}
	t.Logf("%d kills while keys rotated: %d keys, none lost, one active of each purpose; %d rotations by command were over by then", kills, len(known), rotated)
}
