package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

// FLT-05: a node that migrates vanishes with its machine: its connections stay
// open, and nothing comes. The next one waits while it is there, says for whom,
// and begins when the database has noticed; whoever comes back goes on with nothing.
func TestFLT05MigratingMachineVanishes(t *testing.T) {
	t.Parallel()
	p := realtest.SharedPostgres(t)
	url := p.NewDatabase(t)
	open(t, Config{URL: url}).Close()
	road := newRoad(t, p.Port)
	node := func(url string, log *slog.Logger) *Store {
		t.Helper()
		s, err := probe(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.shut() })
		s.log, s.away = log, 2*time.Second
		return s
	}
	first := node(strings.Replace(url, fmt.Sprint(":", p.Port), fmt.Sprint(":", road.port), 1), quiet)
	held, unlock, err := first.lockTables(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	var text locked
	second := node(url+"?lock_timeout=300ms", slog.New(slog.NewTextHandler(&text, nil)))
	got := make(chan error, 1)
	go func() {
		_, unlock, err := second.lockTables(t.Context())
		if err == nil {
			unlock()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("locked by two: %v", err)
	case <-held.Done():
		t.Fatalf("lost while it was there: %v", context.Cause(held))
	case <-time.After(2 * first.away):
	}
	pid := p.Ask(t, `SELECT pid FROM pg_stat_activity WHERE application_name = 'jotsmith migrate' AND datname = '`+url[strings.LastIndex(url, "/")+1:]+`' AND wait_event_type <> 'Lock'`)
	if s := text.String(); strings.Count(s, "\n") != 1 || pid == "" || !strings.Contains(s, "pid="+pid+` application="jotsmith migrate" address=127.0.0.1 since=`) ||
		!strings.Contains(s, "pg_terminate_backend("+pid+")") {
		t.Errorf("the log, of %s:\n%s", pid, s)
	}

	release := road.hold()
	began := time.Now()
	select {
	case err := <-got:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * first.away):
		t.Fatal("the next node waits for one that has vanished")
	}
	t.Logf("the next node goes on %v after the other has vanished", time.Since(began).Round(time.Millisecond))
	select {
	case <-held.Done():
		if !errors.Is(context.Cause(held), errTaken) {
			t.Errorf("ended by %v", context.Cause(held))
		}
	case <-time.After(20 * first.away):
		t.Error("a node goes on migrating with a lock that it has lost")
	}
	release()
	unlock()
}

// A statement of a migration is ended too where nobody waits for it any more.
func TestMigrationsNoticeLoss(t *testing.T) {
	t.Parallel()
	s, err := probe(t.Context(), realtest.SharedPostgres(t).NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.shut()
	_, db, err := s.provider()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, want := range map[string]string{
		"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", "client_connection_check_interval": "5s", "lock_timeout": "2s",
	} {
		var got string
		if err := db.QueryRowContext(t.Context(), "SHOW "+name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q; %v", name, got, want, err)
		}
	}
}

// locked is written to by one and read by another.
type locked struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
