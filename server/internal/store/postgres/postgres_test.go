package postgres

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/server/internal/store/storetest"
)

// quiet keeps expected complaints out of the tests' output.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestMain(m *testing.M) { os.Exit(realtest.Main(m)) }

func open(t testing.TB, c Config) *Store {
	t.Helper()
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
	p := realtest.SharedPostgres(t)
	var mu sync.Mutex
	storetest.Run(t, func(t *testing.T) (storetest.Store, func() storetest.Store) {
		mu.Lock()
		url := p.NewDatabase(t)
		mu.Unlock()
		s := open(t, Config{URL: url})
		return s, func() storetest.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, Config{URL: url})
			return s
		}
	})
}
