package sqlite

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

var done = audit.Event{Act: "test", Outcome: audit.OK}

// add makes n accounts named user000, user001 and so on, from the given
// number.
func add(t testing.TB, s *Store, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		a := account.Account{ID: account.ID(fmt.Sprintf("acc_%03d", i)), Username: fmt.Sprintf("user%03d", i), DisplayName: strings.Repeat("x", 100)}
		if _, err := s.CreateAccount(t.Context(), a, "hash", done); err != nil {
			t.Fatal(err)
		}
	}
}

// names lists all user names.
func names(t testing.TB, s *Store) (all []string) {
	t.Helper()
	list, err := s.Accounts(t.Context(), "", 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		all = append(all, a.Username)
	}
	return all
}

// standing answers the path of a closed database with n accounts.
func standing(t testing.TB, n int) string {
	t.Helper()
	s := open(t, Config{})
	add(t, s, 0, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s.path
}

// snapshot maps each file in a directory to a hash of what is in it.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		// A reader leaves an empty log and shared memory behind, which hold
		// nothing.
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), "-shm") {
			continue
		}
		if data := read(t, filepath.Join(dir, e.Name())); len(data) > 0 || !strings.HasSuffix(e.Name(), "-wal") {
			all[e.Name()] = fmt.Sprintf("%x", sha256.Sum256(data))
		}
	}
	return all
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// execute runs SQL on a closed database.
func execute(t *testing.T, path, query string) {
	t.Helper()
	c, err := connect(t.Context(), path, writing)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if _, err := c.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// What cannot be opened is refused with what to do, and left as it is.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	random := make([]byte, 20_000)
	rand.Read(random)
	for _, c := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"random bytes", func(t *testing.T, path string) { write(t, path, random) }, "it is no SQLite database"},
		{"random bytes after a good magic", func(t *testing.T, path string) {
			write(t, path, append([]byte("SQLite format 3\x00"), random...))
		}, "it is no SQLite database"},
		{"a text file", func(t *testing.T, path string) { write(t, path, []byte("hello\n")) }, "it is no SQLite database"},
		{"a damaged header", func(t *testing.T, path string) {
			data := read(t, standing(t, 3))
			copy(data, "SQLite format 4")
			write(t, path, data)
		}, "restore a backup"},
		{"pages of random bytes", func(t *testing.T, path string) {
			data := read(t, standing(t, 100))
			rand.Read(data[4096:])
			write(t, path, data)
		}, "damaged"},
		{"cut in half", func(t *testing.T, path string) {
			data := read(t, standing(t, 100))
			write(t, path, data[:len(data)/8192*4096])
		}, "damaged"},
		{"a directory", func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, "it is a directory"},
		{"a device", func(t *testing.T, path string) { os.Symlink(os.DevNull, path) }, "it is no regular file"},
		{"another program's database", func(t *testing.T, path string) {
			write(t, path, nil)
			execute(t, path, `CREATE TABLE session (id TEXT); INSERT INTO session VALUES ('x')`)
		}, "another program"},
		{"another program's mark", func(t *testing.T, path string) {
			write(t, path, nil)
			execute(t, path, `PRAGMA application_id = 7`)
		}, "another program"},
		{"a newer version", func(t *testing.T, path string) {
			write(t, path, read(t, standing(t, 3)))
			execute(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
		}, "newer version of jotsmith; run that version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "jotsmith.db")
			c.make(t, path)
			before := snapshot(t, filepath.Dir(path))
			s, err := Open(t.Context(), Config{Path: path, Log: quiet})
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if text := err.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, path) {
				t.Errorf("error %q, want one about %q and the path", text, c.want)
			}
			if after := snapshot(t, filepath.Dir(path)); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("files were touched:\n%v\n%v", before, after)
			}
		})
	}
	for name, path := range map[string]string{"no path": "", "a path with NUL": "a\x00b"} {
		if s, err := Open(t.Context(), Config{Path: path}); err == nil {
			s.Close()
			t.Errorf("%s was opened", name)
		}
	}
	t.Run("no directory", func(t *testing.T) {
		_, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "none", "jotsmith.db")})
		if err == nil || !strings.Contains(err.Error(), "directory must exist and be writable") {
			t.Errorf("error %v", err)
		}
	})
}

// FLT-07: an older program leaves a newer database alone, also one that was
// not closed.
func TestFLT07NewerWithLog(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	add(t, s, 0, 3)
	if err := s.do(t.Context(), func(t *tx) error {
		_, err := t.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	path := killed(t, s)
	before := snapshot(t, filepath.Dir(path))
	if _, err := Open(t.Context(), Config{Path: path, Log: quiet}); !errors.Is(err, errNewer) {
		t.Fatalf("opened: %v", err)
	}
	if after := snapshot(t, filepath.Dir(path)); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("files were touched:\n%v\n%v", before, after)
	}
}

// killed copies the files of an open database as a crash would leave them.
func killed(t testing.TB, s *Store) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jotsmith.db")
	for _, suffix := range []string{"", "-wal"} {
		write(t, path+suffix, read(t, s.path+suffix))
	}
	return path
}

// FLT-01: what was answered is there, without a checkpoint or a clean end.
func TestFLT01KilledKeepsWhatWasAnswered(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	for n := range 5 {
		add(t, s, n*10, 10)
		path := killed(t, s)
		if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
			t.Fatalf("no log to recover from: %v, %v", info, err)
		}
		again := open(t, Config{Path: path})
		if got, want := fmt.Sprint(names(t, again)), fmt.Sprint(names(t, s)); got != want || len(want) < 10 {
			t.Errorf("after the crash:\n%s\nbefore:\n%s", got, want)
		}
		records, _, err := again.Records(t.Context(), 0, 1000)
		if err != nil || len(records) != (n+1)*10 {
			t.Errorf("%d events, %v", len(records), err)
		}
		if err := again.Integrity(t.Context()); err != nil {
			t.Error(err)
		}
		add(t, again, 500, 1)
	}
}

// damages is how often a test damages something: few times each day, and in a
// campaign a part of what JOTSMITH_DAMAGES says.
func damages(few, part int) int {
	if n, err := strconv.Atoi(os.Getenv("JOTSMITH_DAMAGES")); err == nil {
		return n / part
	}
	return few
}

// FLT-03: a damaged log loses its tail from the damage on and nothing else.
func TestFLT03DamagedLog(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	add(t, s, 0, 30)
	path := killed(t, s)
	base, log := read(t, path), read(t, path+"-wal")
	all := names(t, s)
	rnd := mrand.New(mrand.NewPCG(1, 2))
	try := func(t *testing.T, log []byte) {
		path := filepath.Join(t.TempDir(), "jotsmith.db")
		write(t, path, base)
		write(t, path+"-wal", log)
		s, err := Open(t.Context(), Config{Path: path, Log: quiet})
		if err != nil {
			t.Fatalf("not opened: %v", err)
		}
		defer s.Close()
		got := names(t, s)
		if len(got) > len(all) || fmt.Sprint(got) != fmt.Sprint(all[:len(got)]) {
			t.Errorf("no prefix of what was committed: %v", got)
		}
		records, _, err := s.Records(t.Context(), 0, 1000)
		if err != nil || len(records) != len(got) {
			t.Errorf("%d events for %d accounts, %v", len(records), len(got), err)
		}
		if err := s.Integrity(t.Context()); err != nil {
			t.Error(err)
		}
		add(t, s, 700, 1)
	}
	last := max(0, len(log)-64<<10)
	n := damages(16, 1)
	for k := range min(n, len(log)-last) {
		i, bit := last+rnd.IntN(len(log)-last), rnd.IntN(8)
		if n >= 64<<10 { // each byte
			i = last + k
		}
		t.Run(fmt.Sprintf("bit %d of byte %d", bit, i), func(t *testing.T) {
			damaged := bytes.Clone(log)
			damaged[i] ^= 1 << bit
			try(t, damaged)
		})
	}
	for range damages(10, 16) {
		n := rnd.IntN(len(log))
		t.Run(fmt.Sprintf("torn at %d", n), func(t *testing.T) { try(t, log[:n]) })
	}
}

// FLT-03: no damage to the file makes the program fall over, and what is found
// in its structure is said.
func TestFLT03DamagedFile(t *testing.T) {
	t.Parallel()
	base := read(t, standing(t, 30))
	rnd := mrand.New(mrand.NewPCG(3, 4))
	n := damages(36, 16)
	for i := range n {
		damaged := bytes.Clone(base)
		switch {
		case i < n/3: // the header and the root of the schema
			damaged[rnd.IntN(200)] ^= byte(1 + rnd.IntN(255))
		case i < 2*n/3: // somewhere
			damaged[rnd.IntN(len(base))] ^= byte(1 + rnd.IntN(255))
		default: // a whole sector
			rand.Read(damaged[rnd.IntN(len(base)/512)*512:][:512])
		}
		path := filepath.Join(t.TempDir(), "jotsmith.db")
		write(t, path, damaged)
		s, err := Open(t.Context(), Config{Path: path, Log: quiet})
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("an error without the path: %v", err)
			}
			continue
		}
		for n := range 30 {
			_, err := s.Account(t.Context(), account.ID(fmt.Sprintf("acc_%03d", n)))
			if err != nil && !errors.Is(err, fault.ErrUnavailable) && !errors.Is(err, fault.ErrNotFound) && !errors.Is(err, errDamaged) {
				t.Errorf("reading a damaged file: %v", err)
			}
		}
		s.CreateAccount(t.Context(), account.Account{ID: "acc_new", Username: "new"}, "", done)
		s.Close()
	}
}

// Damage that is met at work is answered as such, and noticed by Integrity.
func TestDamageAtWork(t *testing.T) {
	t.Parallel()
	path, ids := filled(t, 15_000) // larger than what is checked when opened
	data := read(t, path)
	if len(data) <= smallFile {
		t.Fatalf("%d bytes are checked when opened", len(data))
	}
	rand.Read(data[64<<10:])
	write(t, path, data)
	s, err := Open(t.Context(), Config{Path: path, Log: quiet})
	if err == nil {
		defer s.Close()
		if err := s.Integrity(t.Context()); !errors.Is(err, errDamaged) && !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("integrity: %v", err)
		}
		_, _, err = s.Session(t.Context(), ids[0])
	}
	if err == nil || !strings.Contains(err.Error(), "restore a backup") {
		t.Errorf("error %v", err)
	}
}

func TestFileModes(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	add(t, s, 0, 1)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(s.path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", suffix, info.Mode(), err)
		}
	}
}

// A path is a path, whatever is in it.
func TestOddPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "a?mode=memory", "a#b", "a%20b", "ünïcode.db", ":memory:", "file:x", "a&b=c"} {
		path := filepath.Join(t.TempDir(), name)
		s := open(t, Config{Path: path})
		add(t, s, 0, 1)
		s.Close()
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%q: %v", name, err)
		}
		if got := names(t, open(t, Config{Path: path})); len(got) != 1 {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// A crash while the file is made leaves nothing that cannot be opened.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"empty":          ``,
		"marked":         `PRAGMA application_id = 1246712915`,
		"marked, logged": `PRAGMA application_id = 1246712915; PRAGMA journal_mode = WAL`,
		"version 0":      `PRAGMA application_id = 1246712915; CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now'))); INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`,
	} {
		path := filepath.Join(t.TempDir(), "jotsmith.db")
		write(t, path, nil)
		if query != "" {
			execute(t, path, query)
		}
		s, err := Open(t.Context(), Config{Path: path, Log: quiet})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		add(t, s, 0, 1)
		s.Close()
	}
}

// A store's id and epoch are made once.
func TestIdentity(t *testing.T) {
	t.Parallel()
	path := standing(t, 0)
	var seen []string
	for range 2 {
		s := open(t, Config{Path: path})
		ring, _, err := s.LoadRing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, head, _, err := s.FeedSince(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, ring.StoreID+" "+head.Epoch)
		s.Close()
	}
	other := open(t, Config{})
	if seen[0] != seen[1] || len(seen[0]) != 53 || strings.Contains(seen[0], other.id) {
		t.Errorf("%q, another %q", seen, other.id)
	}
}
