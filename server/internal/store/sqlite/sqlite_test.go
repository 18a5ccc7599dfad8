package sqlite

import (
	"io"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/store/storetest"
)

// quiet keeps expected complaints out of the tests' output.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func open(t testing.TB, c Config) *Store {
	t.Helper()
	if c.Path == "" {
		c.Path = filepath.Join(t.TempDir(), "jotsmith.db")
	}
	if c.Log == nil {
		c.Log = quiet
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) (storetest.Store, func() storetest.Store) {
		s := open(t, Config{})
		t.Cleanup(func() { checkPlans(t, s) })
		return s, func() storetest.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, Config{Path: s.path})
			return s
		}
	})
}

// slow is what a statement's plan must not say of a table that grows.
var slow = regexp.MustCompile(`SCAN (s|a|e|f|session|account|fact|status_entry|audit_outbox|audit_log)\b|TEMP B-TREE`)

// checkPlans looks at how each statement that a test used finds its rows: a
// cost that grows with the number of sessions begins here.
func checkPlans(t *testing.T, s *Store) {
	select {
	case <-s.closing:
		return
	default:
	}
	explain := func(c *conn) {
		for query := range c.stmts {
			if strings.HasPrefix(query, `SELECT count(*) FROM `) {
				continue // Sizes counts, and is asked rarely
			}
			rows, err := c.QueryContext(uninterrupted, "EXPLAIN QUERY PLAN "+query, 0, 0, 0, 0, 0, 0)
			if err != nil {
				continue // SAVEPOINT and the like have no plan
			}
			for rows.Next() {
				var id, parent, unused int
				var step string
				if err := rows.Scan(&id, &parent, &unused, &step); err == nil && slow.MatchString(step) {
					t.Errorf("%s\n\tin the plan of %s", step, query)
				}
			}
			rows.Close()
		}
	}
	s.do(uninterrupted, func(t *tx) error { explain(t.c); return nil })
	for range readers {
		r := <-s.readers
		explain(r)
		defer func() { s.readers <- r }()
	}
}

// A reader that fell over in the middle of what it read sees the next
// revocation all the same.
func TestSnapshotEndsWithAPanic(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	add(t, s, 0, 1)
	for range readers {
		func() {
			defer func() { recover() }()
			s.read(t.Context(), func(c *conn) error {
				return c.snapshot(func() error {
					if _, err := c.head(); err != nil {
						t.Error(err)
					}
					panic("boom")
				})
			})
		}()
	}
	id := start(t, s, "acc_000")
	if _, err := s.EndSessions(t.Context(), session.Selection{ID: id}, "test", done); err != nil {
		t.Fatal(err)
	}
	for range 2 * readers {
		if row, _, err := s.Session(t.Context(), id); err != nil || row.EndedAt.IsZero() {
			t.Fatalf("a reader does not see the end: %+v, %v", row, err)
		}
		if facts, _, _, err := s.FeedSince(t.Context(), 0); err != nil || len(facts) != 1 {
			t.Fatalf("a reader does not see the fact: %v, %v", facts, err)
		}
	}
}

// FLT-04: a power cut takes nothing that was answered only where each commit is
// synced; that cannot be seen from within, so the settings are looked at. A
// reader cannot write whatever it is asked.
func TestFLT04Settings(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	reader := <-s.readers
	defer func() { s.readers <- reader }()
	settings := func(c *conn, names ...string) (all string) {
		for _, name := range names {
			var value string
			if err := c.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&value); err != nil {
				t.Fatal(err)
			}
			all += name + " " + value + ", "
		}
		return all
	}
	both := []string{"journal_mode", "trusted_schema", "cell_size_check"}
	if got := settings(s.writer, append(both, "synchronous", "fullfsync", "checkpoint_fullfsync", "foreign_keys")...); got !=
		"journal_mode wal, trusted_schema 0, cell_size_check 1, synchronous 2, fullfsync 1, checkpoint_fullfsync 1, foreign_keys 1, " {
		t.Errorf("the writer: %s", got)
	}
	if got := settings(reader, append(both, "query_only")...); got != "journal_mode wal, trusted_schema 0, cell_size_check 1, query_only 1, " {
		t.Errorf("a reader: %s", got)
	}
	if _, err := reader.ExecContext(t.Context(), `DELETE FROM session`); err == nil {
		t.Error("a reader wrote")
	}
}
