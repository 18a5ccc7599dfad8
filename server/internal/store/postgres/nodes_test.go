package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

func event(act string) audit.Event {
	return audit.Event{Act: act, Outcome: audit.OK, Actor: audit.Actor{Kind: audit.KindSystem}}
}

// What several nodes on one database, and a database that comes and goes, must
// not be able to break. One server, so that it is started once.
func TestNodes(t *testing.T) {
	t.Parallel()
	p := realtest.StartPostgres(t)
	t.Run("nodes that start at once are one store", func(t *testing.T) {
		url := p.NewDatabase(t)
		var mu sync.Mutex
		ids := map[string]bool{}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				s, err := Open(t.Context(), Config{URL: url, Log: quiet})
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				mu.Lock()
				defer mu.Unlock()
				ids[s.id] = true
			})
		}
		all.Wait()
		if len(ids) != 1 {
			t.Errorf("%d stores", len(ids))
		}
	})

	url := p.NewDatabase(t)
	a, b := open(t, Config{URL: url}), open(t, Config{URL: url})

	t.Run("a position that is taken and not committed holds the later ones back", func(t *testing.T) {
		_, before, _, err := b.FeedSince(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		taken, commit, done := make(chan struct{}), make(chan struct{}), make(chan error, 2)
		go func() {
			done <- a.do(t.Context(), func(t *tx) error {
				t.publish(jwt.TokenFact, "first", time.Time{}, time.Time{})
				if _, err := t.exec(`SELECT 1`); err != nil { // sends what is queued
					return err
				}
				close(taken)
				<-commit
				return nil
			})
		}()
		<-taken
		go func() {
			done <- b.Publish(t.Context(), feed.Fact{Kind: jwt.TokenFact, Value: "second"}, event("token.revoke"))
		}()
		for range 20 { // the second would be seen here, were it not held back
			facts, head, _, err := b.FeedSince(t.Context(), before.Position)
			if err != nil || len(facts) != 0 || head != before {
				t.Fatalf("%v, head %v, %v", facts, head, err)
			}
		}
		close(commit)
		if err := errors.Join(<-done, <-done); err != nil {
			t.Fatal(err)
		}
		facts, head, _, err := b.FeedSince(t.Context(), before.Position)
		if err != nil || len(facts) != 2 || facts[0].Value != "first" || facts[1].Value != "second" || head.Position != before.Position+2 {
			t.Errorf("%v, head %v, %v", facts, head, err)
		}
	})
	t.Run("a revocation on one node wakes the other", func(t *testing.T) {
		for woken := false; !woken; {
			if err := a.Publish(t.Context(), feed.Fact{Kind: jwt.TokenFact, Value: time.Now().String()}, event("token.revoke")); err != nil {
				t.Fatal(err)
			}
			select {
			case <-b.Committed():
				woken = true
			case <-time.After(time.Second): // it did not listen yet
			}
			if t.Context().Err() != nil {
				t.Fatal("never woken")
			}
		}
	})
	t.Run("two spellings of one audience are one API", func(t *testing.T) {
		if err := a.SaveAPI(t.Context(), catalog.API{Audience: "https://one.example"}, event("api.create")); err != nil {
			t.Fatal(err)
		}
		if err := b.SaveAPI(t.Context(), catalog.API{Audience: "https://one.example/"}, event("api.create")); !errors.Is(err, fault.ErrExists) {
			t.Errorf("the other spelling: %v", err)
		}
	})
	t.Run("a deadlock is tried again", func(t *testing.T) {
		for _, name := range []string{"x", "y"} {
			if _, err := a.CreateAccount(t.Context(), account.Account{ID: account.ID("acc_" + name), Username: name}, "", event("account.create")); err != nil {
				t.Fatal(err)
			}
		}
		var both sync.WaitGroup
		both.Add(2)
		var tries [2]int
		done := make(chan error, 2)
		for i, order := range [][]account.ID{{"acc_x", "acc_y"}, {"acc_y", "acc_x"}} {
			go func() {
				done <- []*Store{a, b}[i].do(t.Context(), func(t *tx) error {
					tries[i]++
					if _, err := t.account(order[0], forUpdate); err != nil {
						return err
					}
					if tries[i] == 1 {
						both.Done()
						both.Wait()
					}
					_, err := t.account(order[1], forUpdate)
					return err
				})
			}()
		}
		if err := errors.Join(<-done, <-done); err != nil || tries[0]+tries[1] < 3 {
			t.Errorf("%v after %v tries", err, tries)
		}
	})
	t.Run("FLT-03 a connection that is lost before the commit is replaced", func(t *testing.T) {
		tries := 0
		err := a.do(t.Context(), func(t *tx) error {
			tries++
			if err := t.record(event("kept")); err != nil {
				return err
			}
			if tries == 1 {
				pid := t.conn.Conn().PgConn().PID()
				if _, err := b.pool.Exec(t.ctx, `SELECT pg_terminate_backend($1)`, int64(pid)); err != nil {
					return err
				}
			}
			_, err := t.exec(`SELECT 1`)
			return err
		})
		if n := recorded(t, a, "kept"); err != nil || tries < 2 || n != 1 {
			t.Errorf("%v after %d tries, recorded %d times", err, tries, n)
		}
	})
	t.Run("FLT-03 an answer that is lost after the commit is uncertain, and nothing is done twice", func(t *testing.T) {
		way := newWay(t, p.Port)
		s := open(t, Config{URL: strings.Replace(url, fmt.Sprint(":", p.Port), fmt.Sprint(":", way.port), 1) + "?pool_max_conns=1"})
		if err := s.Record(t.Context(), event("warm")); err != nil {
			t.Fatal(err)
		}
		tries := 0
		err := s.do(t.Context(), func(t *tx) error {
			tries++
			if err := t.record(event("once")); err != nil {
				return err
			}
			_, err := t.exec(`SELECT 1`)
			way.cut.Store(true) // whatever is answered from now on
			return err
		})
		if n := recorded(t, b, "once"); !errors.Is(err, fault.ErrUncertain) || !errors.Is(err, fault.ErrUnavailable) || tries != 1 || n != 1 {
			t.Errorf("%v after %d tries, recorded %d times", err, tries, n)
		}
	})
	t.Run("FLT-01 a server that was killed is used again when it is back", func(t *testing.T) {
		p.Kill()
		if err := a.Record(t.Context(), event("down")); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("while it is down: %v", err)
		}
		p.Start(t)
		for range 40 {
			if err := a.Record(t.Context(), event("up")); err != nil && !errors.Is(err, fault.ErrUnavailable) {
				t.Errorf("when it is back: %v", err)
			}
		}
		if err := b.Check(t.Context()); err != nil {
			t.Errorf("when it is back: %v", err)
		}
		if n := recorded(t, b, "once"); n != 1 {
			t.Errorf("what was committed before is there %d times", n)
		}
	})
}

// A way to the server, which can be cut so that what is asked still arrives and
// what is answered does not.
type way struct {
	port int
	cut  atomic.Bool
}

func newWay(t *testing.T, to int) *way {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := &way{port: l.Addr().(*net.TCPAddr).Port}
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
			go func() { io.Copy(server, client); server.Close() }()
			go func() {
				defer client.Close()
				answer := make([]byte, 64<<10)
				for {
					n, err := server.Read(answer)
					if err != nil || w.cut.Load() {
						return
					}
					client.Write(answer[:n])
				}
			}()
		}
	}()
	return w
}

func recorded(t *testing.T, s *Store, act string) (n int) {
	t.Helper()
	err := s.read(context.WithoutCancel(t.Context()), func(t *tx) error {
		return t.row(`SELECT count(*) FROM audit_outbox WHERE convert_from(what, 'UTF8') LIKE '%"' || $1 || '"%'`, act).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What the database refused is told from what it may have done.
func TestUncertain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"refused":              {&pgconn.PgError{Severity: "ERROR", Code: serializationFailure}, false},
		"completion unknown":   {&pgconn.PgError{Severity: "ERROR", Code: completionUnknown}, true},
		"shut down meanwhile":  {&pgconn.PgError{Severity: "FATAL", Code: "57P01"}, true},
		"connection was lost":  {errors.New("unexpected EOF"), true},
		"no answer in time":    {context.DeadlineExceeded, true},
		"a row that was there": {&pgconn.PgError{Severity: "ERROR", Code: uniqueViolation}, false},
	} {
		if got := errors.Is(uncertain(c.err), fault.ErrUncertain); got != c.want {
			t.Errorf("%s: uncertain %v", name, got)
		}
	}
	if again(uncertain(errors.New("unexpected EOF"))) {
		t.Error("what may have been done is tried again")
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for _, url := range []string{
		"postgres://u:" + secret + "@127.0.0.1:1/d",
		"postgres://u:" + secret + "@127.0.0.1:1/d?sslmode=nonsense",
		"postgres://u:" + secret + "@127.0.0.1:port/d",
		"host=127.0.0.1 port=1 user=u password=" + secret,
		"host=127.0.0.1 port=1 user=u password=" + secret + " sslmode=nonsense",
	} {
		var log strings.Builder
		_, err := Open(t.Context(), Config{URL: url, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %s", err, err, log.String()), secret) {
			t.Errorf("%v, %s", err, log.String())
		}
	}
}
