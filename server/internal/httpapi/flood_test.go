package httpapi_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/shared"
	"github.com/jotsmith/jotsmith/wire"
)

// stalled holds whoever has a slot to hash a password, until it is closed.
type stalled struct {
	account.Limiter
	until chan struct{}
}

func (s stalled) Take(ctx context.Context, name string, burst int, every time.Duration) (int, time.Duration, error) {
	<-s.until
	return s.Limiter.Take(ctx, name, burst, every)
}

// While every slot to hash a password is taken and every place to wait for one
// too, all that hashes none is answered, and further log-ins are refused at once.
func TestDOS03OthersNeedNoSlot(t *testing.T) {
	t.Parallel()
	const slots, places = 2, 2 * 32
	until := make(chan struct{})
	close(until)
	limiter := &stalled{shared.NewMemory(0, nil), until}
	n := open(t, options{Slots: slots, LogIns: limiter})
	alice := n.login("alice")
	limiter.until = make(chan struct{})
	var all sync.WaitGroup
	for range slots + places {
		all.Go(func() {
			read[wire.TokenResponse](t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "bob", Password: password}, from("203.0.113.7:1")), 200)
		})
	}
	for st := n.accounts.Stats(); st.Busy < slots || st.Waiting < places; st = n.accounts.Stats() {
		runtime.Gosched()
	}
	w := n.do("POST", "/v1/login", wire.LoginRequest{Username: "bob", Password: password}, from("203.0.113.7:1"))
	refused(t, w, wire.CodeServerBusy)
	if w.Header().Get("Retry-After") == "" {
		t.Error("whoever is refused is not told when to come back")
	}
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), 200)
	if w := n.do("GET", jwksPath, nil); w.Code != 200 {
		t.Errorf("the key set: %d", w.Code)
	}
	if w := n.do("GET", "/readyz", nil); w.Code != 200 {
		t.Errorf("ready: %d", w.Code)
	}
	alice = read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken}), 200)
	if w := n.do("POST", "/v1/logout", nil, bearer(alice.AccessToken)); w.Code != 204 {
		t.Errorf("logging out: %d", w.Code)
	}
	if st := n.accounts.Stats(); st.Busy != slots || st.Waiting != places {
		t.Errorf("meanwhile slots became free: %+v", st)
	}
	close(limiter.until)
	all.Wait()
}

// Whatever is created and never used does not stay in memory: JOTSMITH_FLOOD of
// each (by default 2,000). Not in parallel, since the heap is measured.
func TestDOS05MemoryIsFlat(t *testing.T) {
	flood, err := strconv.Atoi(os.Getenv("JOTSMITH_FLOOD"))
	if err != nil {
		flood = 2000
	}
	n := open(t, options{Quiet: true, Buckets: 512, Hash: account.HashParams{Memory: 8, Time: 1, Threads: 1}})
	ctx, stop := context.WithCancel(t.Context())
	var kept sync.WaitGroup
	kept.Go(func() { n.ring.Run(ctx) }) // reads the ring before its lease is over
	defer kept.Wait()
	defer stop()
	address := func(i int) edit { return from(fmt.Sprintf("10.%d.%d.1:1", i>>8&0xff, i&0xff)) }
	used, err := jwt.NewReplayCache(500)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for _, tt := range []struct {
		name   string
		create func(t *testing.T, i int)
	}{
		{"sessions", func(t *testing.T, i int) {
			if _, err := n.sessions.StartExternal(t.Context(), audit.Actor{Kind: audit.KindOperator, ID: "root"}, session.ExternalRequest{Subject: fmt.Sprint("user-", i)}); err != nil {
				t.Fatal(err)
			}
		}},
		{"wrong passwords for names that nobody has", func(t *testing.T, i int) {
			n.do("POST", "/v1/login", wire.LoginRequest{Username: fmt.Sprint("nobody-", i), Password: "wrong password"}, address(i))
		}},
		{"refresh tokens and addresses", func(t *testing.T, i int) {
			n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: fmt.Sprintf("jr_%064d", i)}, address(i))
		}},
		{"apps", func(t *testing.T, i int) {
			n.do("POST", "/oauth/token", "grant_type=client_credentials", form, basic(fmt.Sprint("app_", i), "wrong"), address(i))
		}},
		{"paths and kids", func(t *testing.T, i int) {
			n.do("GET", fmt.Sprint("/nothing/", i), nil, address(i), bearer(fmt.Sprint("eyJhbGciOiJFUzI1NiIsImtpZCI6I", i, ".e30.AAAA")))
		}},
		{"tokens that are used once", func(t *testing.T, i int) {
			now := start.Add(time.Duration(i) * time.Second)
			if err := used.Use(t.Context(), sha256.Sum256([]byte(strconv.Itoa(i))), now, now.Add(400*time.Second)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			for i := range flood / 4 {
				tt.create(t, i)
			}
			before := heap()
			for i := flood / 4; i < flood; i++ {
				tt.create(t, i)
			}
			grown := heap() - before
			t.Logf("%d more: %+d bytes, %v", flood-flood/4, grown, time.Since(began))
			// What 1,500 of them would take at 43 bytes each.
			if grown > 64<<10 {
				t.Errorf("%d bytes stay of %d", grown, flood-flood/4)
			}
		})
	}
}

// heap is what is in use after what is not was freed.
func heap() int64 {
	runtime.GC()
	runtime.GC() // also what pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
