package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/wire"
)

// A balancer sends each request to one of the nodes that say that they are
// ready, and never twice.
type balancer struct {
	nodes []*balanced
	next  atomic.Uint64
}

type balanced struct {
	url   *url.URL
	proxy *httputil.ReverseProxy
	ready atomic.Bool
}

// newBalancer asks every node ten times a second, as real ones do every second.
func newBalancer(t *testing.T, addrs ...string) (*httptest.Server, *balancer) {
	t.Helper()
	b := new(balancer)
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for _, addr := range addrs {
		at := &url.URL{Scheme: "http", Host: addr}
		n := &balanced{url: at, proxy: httputil.NewSingleHostReverseProxy(at)}
		n.proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
		b.nodes = append(b.nodes, n)
		asking.Go(func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for {
				status, _, err := call(ctx, "GET", at.String()+"/readyz", "", nil)
				n.ready.Store(err == nil && status == 200)
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	s := httptest.NewServer(b)
	t.Cleanup(func() {
		s.Close()
		cancel()
		asking.Wait()
	})
	return s, b
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for range b.nodes {
		if n := b.nodes[b.next.Add(1)%uint64(len(b.nodes))]; n.ready.Load() {
			n.proxy.ServeHTTP(w, r)
			return
		}
	}
	http.Error(w, "no node is ready", http.StatusBadGateway)
}

// TestFLT08GracefulStop restarts both nodes behind a balancer, one after the
// other, under load: no request fails, and whatever was answered holds, since
// each refresh presents what the one before was answered. Who waits for news on
// a node that stops is answered.
func TestFLT08GracefulStop(t *testing.T) {
	t.Parallel()
	const clients = 16
	store := realtest.StartPostgres(t).NewDatabase(t)
	dir := t.TempDir()
	addrs := []string{freeAddr(t), freeAddr(t)}
	root := "file:" + filepath.Join(dir, "root-key")
	mustRun(t, effectPassword+"\n", "account", "create", "alice", "--password-stdin",
		"--data", filepath.Join(dir, "operator"), "--store", store, "--root-key", root)
	serve := func(addr string) *proc {
		return startServe(t, addr, filepath.Join(dir, addr), "--store", store, "--root-key", root,
			"--issuer", "http://127.0.0.1:1", "--api", "https://tasks.example", "--drain", "500ms", "--log-level", "warn")
	}
	nodes := []*proc{serve(addrs[0]), serve(addrs[1])}
	front, balancer := newBalancer(t, addrs...)
	allReady := func() bool { return balancer.nodes[0].ready.Load() && balancer.nodes[1].ready.Load() }
	within(t, 20*time.Second, allReady)

	var chains [clients]wire.TokenResponse
	for i := range chains {
		chains[i] = login(t, front.URL, "alice", effectPassword)
	}
	var answered, failed atomic.Int64
	over := make(chan struct{})
	var load sync.WaitGroup
	for i := range chains {
		load.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				for _, ask := range []func() (int, []byte, error){
					func() (int, []byte, error) {
						return call(t.Context(), "POST", front.URL+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: chains[i].RefreshToken})
					},
					func() (int, []byte, error) {
						return call(t.Context(), "GET", front.URL+"/v1/me", chains[i].AccessToken, nil)
					},
				} {
					status, body, err := ask()
					if err != nil || status != 200 {
						failed.Add(1)
						t.Errorf("client %d: %d %s %v", i, status, body, err)
						return
					}
					answered.Add(1)
					if strings.Contains(string(body), "refresh_token") {
						chains[i] = tokens(t, body)
					}
				}
			}
		})
	}
	polled := make(chan error, len(nodes))
	for i, addr := range addrs {
		at := "http://" + addr + "/v1/revocations"
		after := place(t, want(t, 200, "GET", at, "", nil))
		go func() {
			status, body, err := call(t.Context(), "GET", at+"?after="+after+"&wait=30", "", nil)
			if err == nil && status != 200 {
				err = fmt.Errorf("%d %s", status, body)
			}
			polled <- err
		}()
		answeredAfter(t, &answered, 200)
		began := time.Now()
		nodes[i].stop(t)
		if took := time.Since(began); took < 500*time.Millisecond || took > 10*time.Second {
			t.Errorf("node %d stopped within %v", i, took)
		}
		if err := <-polled; err != nil {
			t.Errorf("who waited for news on node %d: %v", i, err)
		}
		answeredAfter(t, &answered, 200)
		nodes[i] = serve(addr)
		within(t, 20*time.Second, allReady)
	}
	close(over)
	load.Wait()
	t.Logf("%d requests answered, %d failed", answered.Load(), failed.Load())
	for i, c := range chains {
		status, body, err := call(t.Context(), "POST", front.URL+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: c.RefreshToken})
		if err != nil || status != 200 {
			t.Errorf("chain %d is lost: %d %s %v", i, status, body, err)
		}
	}
	for _, n := range nodes {
		n.stop(t)
	}
}

// answeredAfter waits for more answers.
func answeredAfter(t *testing.T, answered *atomic.Int64, more int64) {
	t.Helper()
	until := answered.Load() + more
	within(t, 20*time.Second, func() bool { return answered.Load() >= until })
}

// place is where a document of the feed leads to.
func place(t *testing.T, compact []byte) string {
	t.Helper()
	part := strings.Split(string(compact), ".")
	payload, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Epoch string
		To    uint64
	}
	if err := json.Unmarshal(payload, &document); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s.%d", document.Epoch, document.To)
}
