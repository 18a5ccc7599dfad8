package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

// TestExamine reads a store beside the one that works on it, and after that,
// and makes nothing where there is nothing.
func TestExamine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	if _, err := sqlite.Examine(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made")
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, state := range []string{"open", "closed"} {
		e, err := sqlite.Examine(t.Context(), path)
		if err != nil {
			t.Fatalf("%s: %v", state, err)
		}
		if e.Version == 0 || e.Version != e.Newest || e.Ring.StoreID == "" || e.Mark.After(time.Now()) {
			t.Errorf("%s: %+v", state, e)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}

	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(raw); i += 512 {
		raw[i] ^= 0xff
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := sqlite.Examine(t.Context(), path); err == nil {
		t.Errorf("a damaged file is good: %+v", e)
	}
}
