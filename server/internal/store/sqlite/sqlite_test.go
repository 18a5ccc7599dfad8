package sqlite

import (
	"io"
	"log/slog"
	"path/filepath"
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
		return s, func() storetest.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, Config{Path: s.path})
			return s
		}
	})
}
