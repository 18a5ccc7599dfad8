package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// A road to the server on which what is said may be held up, or lost with the
// connection, in either direction.
type road struct {
	port int
	loss atomic.Uint64 // of each message, from 0 to 1, as bits

	mu   sync.Mutex
	held chan struct{} // closed when what is held goes on; nil where nothing is
}

func newRoad(t *testing.T, to int) *road {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &road{port: l.Addr().(*net.TCPAddr).Port}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", to))
			if err != nil {
				client.Close()
				continue
			}
			go r.pass(client, server)
			go r.pass(server, client)
		}
	}()
	return r
}

func (r *road) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		held := r.held
		r.mu.Unlock()
		if held != nil {
			<-held
		}
		if rand.Float64() < math.Float64frombits(r.loss.Load()) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// hold holds everything up, as a server does that hangs.
func (r *road) hold() (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := make(chan struct{})
	r.held = held
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.held = nil
		close(held)
	})
}

// living starts a session.
func living(t *testing.T, s *Store) (id session.ID) {
	t.Helper()
	holder := account.Account{ID: account.NewID(), Username: string(account.NewID())}
	if _, err := s.CreateAccount(t.Context(), holder, "", event("account.create")); err != nil {
		t.Fatal(err)
	}
	id = session.ID(account.NewID())
	err := s.StartSession(t.Context(), holder.ID, func(a account.Account, now time.Time) (session.Session, audit.Event, error) {
		return session.Session{ID: id, Account: a.ID, AccountVersion: a.Version, Client: session.FirstParty, Transport: session.Body, Audience: "a",
			Generation: 1, MACKey: "00000001", CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour)}, event("session.start"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// rotates makes the plain rotation of a generation.
func rotates(ctx context.Context, s *Store, id session.ID, generation uint32) error {
	_, _, rotated, err := s.RotateSession(context.WithoutCancel(ctx), id, session.Rotation{
		Generation: generation, Client: session.FirstParty, Transport: session.Body, Idle: time.Hour,
		Lives: map[string]time.Duration{"a": time.Minute}, MACKey: "00000002",
	})
	if err == nil && !rotated {
		return errNotRotated
	}
	return err
}

var errNotRotated = errors.New("not rotated")

// FLT-05: a database that hangs, is slow or loses connections is waited for in
// bounds, everybody is told the truth, and nothing is left behind. Not in
// parallel, since goroutines are counted.
func TestFLT05(t *testing.T) {
	p := realtest.SharedPostgres(t)
	url := p.NewDatabase(t)
	direct := open(t, Config{URL: url})
	r := newRoad(t, p.Port)
	before := runtime.NumGoroutine()
	const waits = 400 * time.Millisecond
	byRoad := strings.Replace(url, fmt.Sprint(":", p.Port), fmt.Sprint(":", r.port), 1)
	s := open(t, Config{URL: byRoad, patience: waits})
	id := living(t, s)
	settled := func() {
		t.Helper()
		s.pool.Reset()
		var n int
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
			if n = runtime.NumGoroutine() - before; n <= 3*connections+20 {
				return
			}
		}
		t.Errorf("%d goroutines are left", n)
	}

	t.Run("hang", func(t *testing.T) {
		release := r.hold()
		defer release()
		var all sync.WaitGroup
		var most atomic.Int64
		for i := range 4 * connections {
			all.Go(func() {
				start := time.Now()
				var err error
				switch i % 4 {
				case 0:
					err = s.Record(t.Context(), event("hang"))
				case 1:
					_, _, err = s.Session(t.Context(), id)
				case 2:
					err = s.Check(t.Context())
				default:
					err = rotates(t.Context(), s, id, 1)
				}
				took := time.Since(start)
				for was := most.Load(); int64(took) > was && !most.CompareAndSwap(was, int64(took)); was = most.Load() {
				}
				if !errors.Is(err, fault.ErrUnavailable) {
					t.Errorf("kind %d: %v", i%4, err)
				}
			})
		}
		all.Wait()
		if took := time.Duration(most.Load()); took > waits+10*time.Second { // far more than it takes, for machines that are busy
			t.Errorf("somebody waited for %v", took)
		}
		if n := runtime.NumGoroutine() - before; n > 12*connections {
			t.Errorf("%d goroutines while it hangs", n)
		}
		release()
		for end := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
			if err := s.Check(t.Context()); err == nil {
				break
			} else if time.Now().After(end) {
				t.Fatalf("when it goes on again: %v", err)
			}
		}
		settled()
	})
	t.Run("a queue has an end", func(t *testing.T) {
		s.stats.waiting.Add(queue)
		defer s.stats.waiting.Add(-queue)
		if err := s.Record(t.Context(), event("late")); err != errBusy {
			t.Errorf("%v", err)
		}
	})
	s.Close()
	s = open(t, Config{URL: byRoad})
	for loss, rounds := range map[float64]int{0.01: 30, 0.05: 20, 0.5: 8} {
		t.Run(fmt.Sprintf("%v%% lost", loss*100), func(t *testing.T) {
			before := s.Stats()
			type told struct{ acked, uncertain, certain int }
			var mu sync.Mutex
			var sum told
			var all sync.WaitGroup
			recordedBefore := recorded(t, direct, "lossy")
			acts, maybe := 0, 0
			for range 8 {
				id := living(t, direct)
				all.Go(func() {
					generation, n := uint32(1), told{}
					for range rounds {
						switch err := rotates(t.Context(), s, id, generation); {
						case err == nil:
							n.acked++
							generation++
						case errors.Is(err, fault.ErrUncertain):
							n.uncertain++
							row, _, err := direct.Session(context.WithoutCancel(t.Context()), id)
							if err != nil || row.Generation != generation && row.Generation != generation+1 {
								t.Errorf("after an uncertain answer to %d it is %d, %v", generation, row.Generation, err)
							}
							generation = row.Generation
						case errors.Is(err, fault.ErrUnavailable):
							n.certain++
						default:
							t.Errorf("rotating: %v", err)
						}
						row, _, err := direct.Session(context.WithoutCancel(t.Context()), id)
						if err != nil || row.Generation != generation {
							t.Errorf("it is %d, answered was %d, %v", row.Generation, generation, err)
						}
						err = s.Record(t.Context(), event("lossy"))
						mu.Lock()
						switch {
						case err == nil:
							acts++
						case errors.Is(err, fault.ErrUncertain):
							maybe++
						case !errors.Is(err, fault.ErrUnavailable):
							t.Errorf("recording: %v", err)
						}
						mu.Unlock()
					}
					mu.Lock()
					defer mu.Unlock()
					sum.acked, sum.uncertain, sum.certain = sum.acked+n.acked, sum.uncertain+n.uncertain, sum.certain+n.certain
				})
			}
			r.loss.Store(math.Float64bits(loss))
			all.Wait()
			r.loss.Store(0)
			if n := recorded(t, direct, "lossy") - recordedBefore; n < acts || n > acts+maybe {
				t.Errorf("%d events, %d were answered and %d are uncertain", n, acts, maybe)
			}
			if of := 8 * rounds; loss < 0.1 && sum.acked < of*7/10 {
				t.Errorf("of %d only %+v", of, sum)
			}
			after := s.Stats()
			t.Logf("rotations %+v, %d retries, %d uncertain", sum, after.Retries-before.Retries, after.Uncertain-before.Uncertain)
			for end := time.Now().Add(20 * time.Second); ; <-time.After(10 * time.Millisecond) {
				if err := s.Check(t.Context()); err == nil {
					break
				} else if time.Now().After(end) {
					t.Fatalf("when nothing is lost any more: %v", err)
				}
			}
			settled()
		})
	}
}

// A pool that closes what is idle between two bursts costs more than all that
// is asked in them.
func TestPoolKeepsIdleConnections(t *testing.T) {
	t.Parallel()
	p := realtest.SharedPostgres(t)
	s := open(t, Config{URL: p.NewDatabase(t)})
	if c := s.pool.Config(); c.MaxConns != connections || c.MaxConnIdleTime < 10*time.Minute || c.MaxConnLifetime < time.Hour || c.MaxConnLifetimeJitter == 0 {
		t.Errorf("%+v", c)
	}
	burst := func() {
		var all sync.WaitGroup
		for range 4 * connections {
			all.Go(func() {
				if err := s.read(t.Context(), func(t *tx) error { _, err := t.exec(`SELECT pg_sleep(0.02)`); return err }); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	burst()
	opened := s.Stats().Opened
	for range 5 {
		burst()
	}
	if now := s.Stats(); now.Opened != opened || now.Connections != connections || now.Waiting != 0 {
		t.Errorf("%d connections were opened, then %+v", opened, now)
	}
}

// Whoever turns synchronous_commit off, before or while a node runs, cannot make
// it answer what a crash would take.
func TestCommitsAreSynchronous(t *testing.T) {
	t.Parallel()
	p := realtest.StartPostgres(t)
	url := p.NewDatabase(t)
	setting := func(s *Store) (value string) {
		t.Helper()
		if err := s.read(t.Context(), func(t *tx) error {
			return t.row(`SELECT current_setting('synchronous_commit')`).Scan(&value)
		}); err != nil {
			t.Fatal(err)
		}
		return value
	}
	running := open(t, Config{URL: url})
	p.Exec(t, url, `ALTER SYSTEM SET synchronous_commit = off`, `SELECT pg_reload_conf()`)
	if got := setting(running); got != "on" {
		t.Errorf("turned off while a node runs: %s", got)
	}
	if got := setting(open(t, Config{URL: url})); got != "on" {
		t.Errorf("turned off before a node starts: %s", got)
	}
	p.Exec(t, url, `ALTER SYSTEM SET synchronous_commit = remote_write`, `SELECT pg_reload_conf()`)
	if got := setting(open(t, Config{URL: url})); got != "remote_write" {
		t.Errorf("another promise of the operator's: %s", got)
	}
}
