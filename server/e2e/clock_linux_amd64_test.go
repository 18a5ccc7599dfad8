package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// A clocked program is the server on a machine whose clock can be set.
type clocked struct{ path string }

// buildClocked builds the server with testdata/clock as a part of it.
func buildClocked(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for _, name := range []string{"clock.go", "clock_amd64.s"} {
		from, err := filepath.Abs(filepath.Join("testdata", "clock", name))
		if err != nil {
			t.Fatal(err)
		}
		to, err := filepath.Abs(filepath.Join("..", "cmd", "jotsmith", "wrong_"+name))
		if err != nil {
			t.Fatal(err)
		}
		replace[to] = from
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "jotsmith")
	cmd := exec.Command("go", "build", "-trimpath", "-overlay", overlay, "-o", path, "./cmd/jotsmith")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building a server with a clock to set: %v\n%s", err, out)
	}
	return path
}

// on makes it the program of one machine, whose clock is off by so much.
func on(t *testing.T, program string, off string) clocked {
	t.Helper()
	c := clocked{filepath.Join(t.TempDir(), "jotsmith")}
	if err := os.Link(program, c.path); err != nil {
		t.Fatal(err)
	}
	c.set(t, off)
	return c
}

func (c clocked) set(t *testing.T, off string) {
	t.Helper()
	if err := os.WriteFile(c.path+".tmp", []byte(off), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(c.path+".tmp", c.path+".clock"); err != nil {
		t.Fatal(err)
	}
}

// loginAt is login at one of the nodes.
func (c *cluster) loginAt(node string) *tracked {
	status, body, header, err := exchange(http.DefaultClient, "POST", node+"/v1/login", "", wire.LoginRequest{Username: "user0", Password: clusterPassword})
	o := op{kind: opLogin, node: header.Get("X-Node")}
	if err != nil || status != 200 {
		o.outcome = unknown
		c.count(o)
		return nil
	}
	c.count(o)
	s := newTracked(c.t, body)
	c.mu.Lock()
	c.sessions = append(c.sessions, s)
	c.mu.Unlock()
	return s
}

// Three nodes, of which one's clock is five minutes behind and one's five
// minutes ahead from the start, and one's is set under load: time is the
// store's, whoever signs. The one whose clock is set asks the database before it
// decides anything more.
func TestFLT05ClockFiveMinutesOff(t *testing.T) {
	t.Parallel()
	program := buildClocked(t)
	c := startCluster(t, 3)
	var machines [3]clocked
	for i, off := range []string{"-5m", "5m", "0s"} {
		machines[i] = on(t, program, off)
		node := c.nodes[i]
		node.stop(t)
		node.proc = startServeOf(t, machines[i].path, node.addr, node.data, node.args...)
	}
	c.healthy(t)
	l := c.startLoad(t, 16)
	c.goesOn(t, 200)

	rightTime := func() {
		t.Helper()
		for i, node := range c.each() {
			before := time.Now().Truncate(time.Second)
			var s *tracked
			within(t, 20*time.Second, func() bool {
				before = time.Now().Truncate(time.Second)
				s = c.loginAt(node)
				return s != nil
			})
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(s.access, ".")[1])
			if err != nil {
				t.Fatal(err)
			}
			var claims struct{ Iat int64 }
			if err := json.Unmarshal(payload, &claims); err != nil {
				t.Fatal(err)
			}
			if at := time.Unix(claims.Iat, 0); at.Before(before.Add(-2*time.Second)) || at.After(time.Now().Add(2*time.Second)) {
				t.Errorf("node %d signs at %v, and it is %v", i, at, time.Now())
			}
			for _, other := range c.each() {
				within(t, 10*time.Second, func() bool {
					status, _, err := call(t.Context(), "GET", other+"/v1/me", s.access, nil)
					return err == nil && status == 200
				})
			}
		}
	}
	rightTime()
	var longest time.Duration
	for _, off := range []string{"5m", "-5m", "0s"} {
		set := time.Now()
		machines[2].set(t, off)
		<-time.After(100 * time.Millisecond) // until it has read that
		within(t, 20*time.Second, func() bool {
			status, _, err := call(t.Context(), "GET", c.each()[2]+"/readyz", "", nil)
			return err == nil && status == 200
		})
		longest = max(longest, time.Since(set))
		c.goesOn(t, 50)
		rightTime()
	}
	l.end()
	c.check(t)
	if c.by["node0"]*c.by["node1"]*c.by["node2"] == 0 {
		t.Errorf("not every node answered: %v", c.by)
	}
	c.nodes[2].stop(t)
	if n := strings.Count(c.nodes[2].stderr.String(), "clock jumped"); n < 3 {
		t.Errorf("the node whose clock was set three times says so %d times", n)
	}
	t.Logf("one clock five minutes behind, one ahead, one set three times, ready again at most %v later: %s; every answer stands", longest.Round(time.Millisecond), c.summary())
}
