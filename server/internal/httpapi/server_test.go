package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/wire"
)

// listen serves n over TCP as the command does.
func listen(t testing.TB, n *node) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(n.handler)
	s.Config.ReadHeaderTimeout = 5 * time.Second
	s.Config.IdleTimeout = time.Minute
	s.Config.MaxHeaderBytes = 32 << 10
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// raw sends text over a connection of its own and reads to its end.
func raw(t *testing.T, s *httptest.Server, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	go io.Copy(c, strings.NewReader(text))
	answer, _ := io.ReadAll(io.LimitReader(c, 1<<20))
	return string(answer)
}

func TestDOS01HeadersOfAMegabyte(t *testing.T) {
	t.Parallel()
	s := listen(t, open(t, options{}))
	for name, text := range map[string]string{
		"token":       "GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + strings.Repeat("a", 1<<20) + "\r\n\r\n",
		"many tokens": "GET /v1/me HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("Authorization: Bearer a\r\n", 50_000) + "\r\n",
	} {
		// The server may close before it has read all, and the answer is lost.
		if answer := raw(t, s, text); answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 431 ") {
			t.Errorf("%s: %.80q", name, answer)
		}
	}
}

// Two readings of where a request ends: none of them serves a second one.
func TestHTP06Smuggling(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	s := listen(t, n)
	const second = "GET /livez HTTP/1.1\r\nHost: x\r\nX-Smuggled: 1\r\n\r\n"
	body := `{"refresh_token":"x"}`
	for name, c := range map[string]struct {
		text    string
		answers int // at most
	}{
		"content length and chunks": {"POST /v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second, 1},
		"two content lengths":       {"POST /v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: " + fmt.Sprint(len(second)) + "\r\n\r\n" + second, 1},
		"unknown coding":            {"POST /v1/refresh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n" + second, 1},
		"space before the colon":    {"POST /v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n" + second, 1},
		"folded header":             {"POST /v1/refresh HTTP/1.1\r\n Content-Length: 5\r\nHost: x\r\n\r\n" + second, 1},
		"bare line feed in a chunk": {"POST /v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n15;a\n" + body + "\r\n0\r\n\r\n" + second, 1},
		"no host":                   {"GET /v1/me HTTP/1.1\r\n\r\n" + second, 1},
		"two hosts":                 {"GET /v1/me HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + second, 1},
		"null in a header":          {"GET /v1/me HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n" + second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := raw(t, s, c.text)
			if got := strings.Count(answer, "HTTP/1.1 "); got > c.answers {
				t.Errorf("%d answers: %q", got, answer)
			}
			if strings.Contains(answer, `"status":"ok"`) {
				t.Errorf("the second request was served: %q", answer)
			}
			if answer != "" && !strings.HasPrefix(answer, "HTTP/1.1 4") && !strings.HasPrefix(answer, "HTTP/1.1 501 ") {
				t.Errorf("%.60q", answer)
			}
		})
	}
}

// A long poll outlives the limits that hold for every other answer.
func TestLongPollOutlivesTimeouts(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	s := httptest.NewUnstartedServer(n.handler)
	s.Config.ReadTimeout = 200 * time.Millisecond
	s.Config.WriteTimeout = 200 * time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	d := n.document(n.do("GET", "/v1/revocations", nil))
	resp, err := http.Get(s.URL + "/v1/revocations?wait=1&after=" + revocation.Cursor{Epoch: d.Epoch, Position: d.To}.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || len(body) == 0 {
		t.Errorf("%d, %v", resp.StatusCode, err)
	}
}

// Connections are used again, and one answer's limits do not reach the next.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	s := listen(t, n)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	for _, text := range []string{
		"POST /v1/refresh HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{\"refresh_token\":\"x\"}",
		"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		io.WriteString(c, text)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%.20q: %v", text, err)
		}
		io.Copy(io.Discard, resp.Body)
	}
}

// While far more log in than can be hashed, the rest are told so with a time to
// come back, and every other route answers as ever.
func TestDOS03LoginFlood(t *testing.T) {
	t.Parallel()
	n := open(t, options{Slots: 1, Hash: account.HashParams{Memory: 8 << 10, Time: 2, Threads: 1}})
	alice := n.login("alice")
	var mu sync.Mutex
	got := map[int]int{}
	var wg sync.WaitGroup
	for i := range 150 {
		wg.Go(func() {
			w := n.do("POST", "/v1/login", wire.LoginRequest{Username: "bob", Password: password}, from(fmt.Sprintf("203.0.%d.1:1", i%2)))
			mu.Lock()
			defer mu.Unlock()
			got[w.Code]++
			if w.Code == 503 {
				refused(t, w, wire.CodeServerBusy)
			}
		})
	}
	for range 50 {
		read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), 200)
	}
	// Somebody from elsewhere gets a place among them.
	read[wire.TokenResponse](t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password}, from("198.51.100.1:1")), 200)
	wg.Wait()
	if got[503] == 0 || got[200] == 0 || got[200]+got[503] != 150 {
		t.Errorf("answers %v", got)
	}
}

func BenchmarkMe(b *testing.B)         { benchmark(b, "GET", "/v1/me", "") }
func BenchmarkJWKS(b *testing.B)       { benchmark(b, "GET", jwksPath, "") }
func BenchmarkIntrospect(b *testing.B) { benchmark(b, "POST", "/oauth/introspect", "token=") }

func benchmark(b *testing.B, method, path, body string) {
	n := open(b, options{Quiet: true})
	token := n.login("alice").AccessToken
	s := listen(b, n)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var reader io.Reader
			if body != "" {
				reader = strings.NewReader(body + token)
			}
			r, _ := http.NewRequest(method, s.URL+path, reader)
			r.Header.Set("Authorization", "Bearer "+token)
			if body != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			resp, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 {
				b.Errorf("status %d", resp.StatusCode)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
}

// BenchmarkFloor is what the same server and client do without any of ours.
func BenchmarkFloor(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(make([]byte, 300))
	}))
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Get(s.URL)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
}
