package client_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/client"
)

func inFile(path string) func(*client.Config) {
	return func(c *client.Config) { c.Store = client.NewFile(path, issuer) }
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "logins.json")
	w := newWorld(t)
	w.in(inFile(path))
	about, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && about.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", about, err)
	}
	// Another process finds it.
	other := w.client(inFile(path))
	if got := token(t, other); got != "access-1" {
		t.Error(got)
	}
	elsewhere := w.client(func(c *client.Config) { c.Store = client.NewFile(path, "https://other.example") })
	if _, err := elsewhere.Token(t.Context()); !errors.Is(err, client.ErrSignedOut) {
		t.Errorf("another name's log-in: %v", err)
	}
	if err := other.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), "access-1") || strings.Contains(string(text), "refresh-1") {
		t.Errorf("after the log-out: %s, %v", text, err)
	}
	left, err := filepath.Glob(path + "-*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Processes that find one token expired renew once and all have the next.
func TestFileIsShared(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "logins.json")
	w := newWorld(t)
	w.in(inFile(path))
	age(t, path)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if got := token(t, w.client(inFile(path))); got != "access-2" {
				t.Error(got)
			}
		})
	}
	all.Wait()
	if n := w.count("/v1/refresh"); n != 1 {
		t.Errorf("%d renewals", n)
	}
}

// The clock may have been set since the file was written.
func TestFileAndAnotherClock(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{"set back by two hours": 2 * time.Hour, "set forward by two hours": -2 * time.Hour} {
		path := filepath.Join(t.TempDir(), "logins.json")
		w := newWorld(t)
		c := w.in(inFile(path))
		err := client.NewFile(path, issuer).Update(t.Context(), func(s *client.State) error {
			s.IssuedAt, s.ExpiresAt = s.IssuedAt.Add(ahead), s.ExpiresAt.Add(ahead)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := token(t, c); got != "access-1" {
			t.Errorf("%s: in the process that got it: %s", name, got)
		}
		if got := token(t, w.client(inFile(path))); got != "access-2" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestFileThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"readable by others": func(path string) error { return os.Chmod(path, 0o640) },
		"damaged":            func(path string) error { return os.WriteFile(path, []byte(`{"x":"refresh-1`), 0o600) },
		"a folder":           func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		if runtime.GOOS == "windows" && name == "readable by others" {
			continue
		}
		path := filepath.Join(t.TempDir(), "logins.json")
		w := newWorld(t)
		w.in(inFile(path))
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		if _, err := w.client(inFile(path)).Token(t.Context()); err == nil || strings.Contains(err.Error(), "refresh-1") || errors.Is(err, client.ErrSignedOut) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// age makes the log-in of a file one whose access token has expired.
func age(t *testing.T, path string) {
	t.Helper()
	err := client.NewFile(path, issuer).Update(t.Context(), func(s *client.State) error {
		s.IssuedAt, s.ExpiresAt = s.IssuedAt.Add(-time.Hour), s.ExpiresAt.Add(-time.Hour)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
