package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// TestADM06KillWhileChaining kills the server at random moments of a load that
// is recorded, and looks at the log without starting it again: the chain is
// good each time, goes on from the head of the time before, and in the end
// holds each act that was answered, once.
func TestADM06KillWhileChaining(t *testing.T) {
	t.Parallel()
	kills := 6
	if testing.Short() {
		kills = 3
	}
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	issuer := "http://" + addr
	const password = "correct horse battery"
	mustRun(t, password+"\n", "account", "create", "ada", "--password-stdin", "--data", data)

	var (
		mu       sync.Mutex
		answered = map[string]bool{}
		noted    string
		head     = regexp.MustCompile(`(?m)^head: (\S+)$`)
	)
	for k := range kills {
		p := startServe(t, addr, data)
		client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					status, b, err := post(client, issuer+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: password})
					if err != nil {
						return
					}
					var r wire.TokenResponse
					if err := json.Unmarshal(b, &r); err != nil || status != 200 {
						t.Errorf("login: %d: %s", status, b)
						return
					}
					mu.Lock()
					answered[r.SessionID] = true
					mu.Unlock()
				}
			})
		}
		// The chain is written each second.
		time.Sleep(time.Duration(900_000+rand.IntN(300_000)) * time.Microsecond)
		p.kill()
		wg.Wait()
		client.CloseIdleConnections()

		args := []string{"audit", "verify", "--data", data}
		if noted != "" {
			args = append(args, "--head", noted)
		}
		out := mustRun(t, "", args...)
		m := head.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("kill %d: %s", k, out)
		}
		noted = m[1]
	}

	// A command chains what waits.
	out := mustRun(t, "", "audit", "export", "--data", data)
	recorded := map[string]int{}
	for line := range strings.Lines(out) {
		var r struct {
			What struct {
				Act     string            `json:"act"`
				Targets map[string]string `json:"targets"`
			} `json:"what"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if r.What.Act == "session.start" {
			recorded[r.What.Targets["session"]]++
		}
	}
	for id := range answered {
		if recorded[id] != 1 {
			t.Errorf("session %s was answered and is recorded %d times", id, recorded[id])
		}
	}
	for id, n := range recorded {
		if n != 1 {
			t.Errorf("session %s is recorded %d times", id, n)
		}
	}
	t.Logf("%d kills, %d log-ins answered, %d recorded, head %s", kills, len(answered), len(recorded), noted)
}
