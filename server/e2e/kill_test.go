package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// A chain is one session as its client knows it: what was answered, and what
// was asked and never answered.
type chain struct {
	tokens   wire.TokenResponse // the last answer
	places   []listed           // of its access tokens that name a status list
	endAsked bool               // a log-out was sent
	ended    bool               // and answered
}

// answered takes in an answer.
func (c *chain) answered(t testing.TB, b []byte) {
	t.Helper()
	if err := json.Unmarshal(b, &c.tokens); err != nil {
		t.Error(err)
	}
	if p, ok := listedAt(t, c.tokens.AccessToken); ok {
		c.places = append(c.places, p)
	}
}

// TestFLT01RFR06KillNine kills the server with SIGKILL at random moments of a load
// of logins, refreshes and revocations, and starts it again on the same files.
// Every answered refresh token works or has been properly succeeded; every
// answered revocation stands. Half of the time tokens name status lists: none of
// those that were answered is missing there once its session has ended.
// JOTSMITH_KILLS is the number of kills.
func TestFLT01RFR06KillNine(t *testing.T) {
	kills := 100
	if s := os.Getenv("JOTSMITH_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	issuer := "http://" + addr
	const password = "correct horse battery"
	mustRun(t, password+"\n", "account", "create", "ada", "--password-stdin", "--data", data)

	const workers = 8
	var (
		chains  [workers][]*chain
		buried  []*chain // ended, and checked once already
		counts  struct{ login, refresh, end, lost int }
		mu      sync.Mutex
		counted = func(n *int) { mu.Lock(); *n++; mu.Unlock() }
	)
	p := startServe(t, addr, data, "--sessions-per-account", "1000")
	for w := range chains {
		for range 4 {
			chains[w] = append(chains[w], &chain{tokens: login(t, issuer, "ada", password)})
		}
	}
	p.stop(t)
	for k := range kills {
		flags := []string{"--sessions-per-account", "1000"}
		if k%2 == 1 {
			flags = append(flags, "--status-lists")
		}
		p := startServe(t, addr, data, flags...)
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}, Timeout: 20 * time.Second}

		// What was answered before the kill stands.
		for w := range chains {
			var living []*chain
			for _, c := range chains[w] {
				status, b, err := post(client, issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: c.tokens.RefreshToken})
				if err != nil {
					t.Fatalf("kill %d: %v", k, err)
				}
				switch {
				case c.ended && status != 401:
					t.Fatalf("kill %d: session %s was ended and answered, and refreshes with %d", k, c.tokens.SessionID, status)
				case !c.endAsked && status != 200:
					t.Fatalf("kill %d: the last answered refresh token of %s is refused with %d: %s\n%s", k, c.tokens.SessionID, status, b, p.stderr)
				}
				if status != 200 {
					buried = append(buried, c)
					continue
				}
				c.endAsked = false
				c.answered(t, b)
				living = append(living, c)
			}
			chains[w] = living
		}
		for _, c := range buried[max(0, len(buried)-20):] {
			revoked(t, client, issuer, c)
		}

		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for w := range chains {
			wg.Go(func() {
				for ctx.Err() == nil {
					n := len(chains[w])
					switch dice := rand.IntN(100); {
					case n == 0, dice < 4 && n < 20:
						status, b, err := post(client, issuer+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: password})
						if err != nil {
							return
						}
						if status != 200 {
							t.Errorf("login: %d: %s", status, b)
							return
						}
						c := &chain{}
						c.answered(t, b)
						chains[w] = append(chains[w], c)
						counted(&counts.login)
					case dice < 6:
						c := chains[w][rand.IntN(n)]
						if c.endAsked {
							continue
						}
						c.endAsked = true
						status, b, err := post(client, issuer+"/v1/logout", c.tokens.AccessToken, nil)
						if err != nil {
							counted(&counts.lost)
							return
						}
						if status != 204 {
							t.Errorf("logout: %d: %s", status, b)
							return
						}
						c.ended = true
						counted(&counts.end)
					default:
						c := chains[w][rand.IntN(n)]
						if c.endAsked {
							continue
						}
						status, b, err := post(client, issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: c.tokens.RefreshToken})
						if err != nil {
							counted(&counts.lost)
							return
						}
						if status != 200 {
							t.Errorf("refresh: %d: %s", status, b)
							return
						}
						c.answered(t, b)
						counted(&counts.refresh)
					}
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(300_000)) * time.Microsecond) // the random moment
		p.kill()
		cancel()
		wg.Wait()
		client.CloseIdleConnections()
		if t.Failed() {
			t.Fatalf("kill %d\n%s", k, p.stderr)
		}
	}

	startServe(t, addr, data)
	for _, c := range buried {
		revoked(t, http.DefaultClient, issuer, c)
	}
	var lives []*chain // one of each worker's; the others end
	for w := range chains {
		for i, c := range chains[w] {
			// A log-out that was not answered may have been made all the same.
			status, b, err := post(http.DefaultClient, issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: c.tokens.RefreshToken})
			switch {
			case err != nil:
				t.Fatal(err)
			case status == 401 && c.endAsked:
				buried = append(buried, c)
				continue
			case status != 200:
				t.Fatalf("refresh: %d: %s", status, b)
			case i == 0:
				lives = append(lives, c)
				continue
			}
			c.answered(t, b)
			if status, b, err := post(http.DefaultClient, issuer+"/v1/logout", c.tokens.AccessToken, nil); err != nil || status != 204 {
				t.Fatalf("logout: %d: %s, %v", status, b, err)
			}
			buried = append(buried, c)
		}
	}
	lists := statusLists{issuer: issuer}
	named := lists.check(t, buried, 1) + lists.check(t, lives, 0)
	if kills > 1 && named == 0 {
		t.Error("no token named a status list")
	}
	if kills >= 100 && min(counts.login, counts.refresh, counts.end, counts.lost) == 0 {
		t.Errorf("the load had none of something: %+v", counts)
	}
	t.Logf("%d kills: %d logins, %d refreshes, %d revocations answered, %d answers lost; %d tokens in status lists; nothing that was answered was lost",
		kills, counts.login, counts.refresh, counts.end, counts.lost, named)
}

// revoked checks that an ended session's access token is refused, and for that
// reason while it lives.
func revoked(t testing.TB, client *http.Client, issuer string, c *chain) {
	t.Helper()
	req, _ := http.NewRequest("GET", issuer+"/v1/me", nil)
	req.Header.Set("Authorization", "Bearer "+c.tokens.AccessToken)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 401 || code(t, body) != "token_revoked" && code(t, body) != "token_expired" {
		t.Fatalf("session %s was ended, and its access token is answered %d: %s", c.tokens.SessionID, resp.StatusCode, body)
	}
}

// post is call with a client of its own; an answer that ends early is an
// error, as it is to a real client.
func post(client *http.Client, url, token string, body any) (int, []byte, error) {
	var b []byte
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequest("POST", url, bytes.NewReader(b))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		return 0, nil, fmt.Errorf("reading the answer: %w", err)
	}
	return resp.StatusCode, answer.Bytes(), nil
}
