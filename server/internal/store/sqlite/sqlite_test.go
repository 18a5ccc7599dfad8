package sqlite

import (
	"io"
	"log/slog"
	"path/filepath"
	"regexp"
	"testing"

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
var slow = regexp.MustCompile(`SCAN (s|a|session|account|fact|audit_outbox|audit_log)\b|TEMP B-TREE`)

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
