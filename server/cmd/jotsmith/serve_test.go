package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
)

func newTestNode(t *testing.T, with ...func(*nodeConfig)) *node {
	t.Helper()
	dir, err := openDataDir(filepath.Join(t.TempDir(), "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	config := nodeConfig{
		fixedConfig: fixedConfig{
			Dir:     dir,
			RootKey: rootKeySource{file: dir.path + ".root-key"},
			Issuer:  "http://127.0.0.1:1",
			Log:     slog.New(slog.DiscardHandler),
		},
		liveConfig: liveConfig{APIs: []catalog.API{{Audience: testAudience}}},
	}
	for _, f := range with {
		f(&config)
	}
	n, err := openNode(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func (n *node) get(path string) int {
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:1"+path, nil))
	return w.Code
}

// TestReadyzTellsTheTruth breaks what a server needs, one thing at a time.
func TestReadyzTellsTheTruth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		harm func(*node)
	}{
		{"nothing", func(*node) {}},
		{"background work has failed", func(n *node) {
			n.background.stop() // so that the failing work alone is waited for
			n.background.run(n, context.Background(), "test", func(context.Context) error { return errors.New("broken") })
			n.background.work.Wait()
		}},
		{"the server stops", func(n *node) { n.drain() }},
		{"the store is closed", func(n *node) { n.store.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := newTestNode(t)
			want := 503
			if c.name == "nothing" {
				want = 200
			}
			c.harm(n)
			if got := n.get("/readyz"); got != want {
				t.Errorf("/readyz is %d, want %d", got, want)
			}
			if got := n.get("/livez"); got != 200 {
				t.Errorf("/livez is %d", got)
			}
		})
	}
}

// TestDirectoryIsUsedOnce says that a lock lasts as long as its process.
func TestDirectoryIsUsedOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	d, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openDataDir(path); err == nil {
		t.Fatal("two have the same directory")
	}
	d.Close()
	if d, err = openDataDir(path); err != nil {
		t.Fatal(err)
	}
	d.Close()
}

// startServe answers the issuer of a server with one account, ada.
func startServe(t *testing.T) (string, *process) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	create := exec.Command("jotsmith", "account", "create", "ada", "--password-stdin", "--data", dir)
	create.Stdin = bytes.NewReader([]byte("correct horse battery"))
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	addr := freeAddr(t)
	p := start(t, "serve", "--addr", addr, "--data", dir, "--log", "json")
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) { // another process
		if resp, err := http.Get("http://" + addr + "/readyz"); err == nil {
			resp.Body.Close()
			return "http://" + addr, p
		}
		if time.Now().After(deadline) {
			t.Fatal("not ready within 10 s")
		}
	}
}

// TestStopEndsLongPolls says that whoever waits for revocations is answered
// when the server stops, and does not keep it from stopping.
func TestStopEndsLongPolls(t *testing.T) {
	t.Parallel()
	issuer, p := startServe(t)
	resp, err := http.Get(issuer + "/v1/revocations")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	compact, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	u, err := jwt.Inspect(string(compact))
	if err != nil {
		t.Fatal(err)
	}
	var head struct {
		Epoch string `json:"epoch"`
		To    uint64 `json:"to"`
	}
	if err := json.Unmarshal([]byte(u.Claims()), &head); err != nil {
		t.Fatal(err)
	}
	answered, sent := make(chan error, 1), make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
	r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/v1/revocations?after=%s.%d&wait=30", issuer, head.Epoch, head.To), nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil && resp.StatusCode >= 500 {
			err = errors.New(resp.Status)
		}
		answered <- err
	}()
	<-sent
	select {
	case err := <-answered:
		t.Fatalf("the long-poll did not wait: %v", err)
	case <-time.After(300 * time.Millisecond): // until it waits in the other process
	}
	began := time.Now()
	p.stop(t)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if err := <-answered; err != nil {
		t.Errorf("the long-poll was answered %v", err)
	}
}

// TestSecondSignalStopsAtOnce holds a request open, which the first signal
// waits for and the second one does not.
func TestSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	issuer, p := startServe(t)
	conn, err := net.Dial("tcp", issuer[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\nExpect: 100-continue\r\n\r\n")
	// The interim answer comes when the handler begins to read the body.
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	gone := make(chan error, 1)
	go func() { gone <- p.Wait() }()
	p.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-gone:
		t.Fatalf("the first signal did not wait for the request: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	p.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-gone:
		if err == nil {
			t.Error("cut short, it still answered 0")
		}
	case <-time.After(3 * time.Second):
		t.Error("the second signal did not stop it")
	}
}
