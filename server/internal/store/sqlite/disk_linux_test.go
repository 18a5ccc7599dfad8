package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// A file system that is really full.
func TestFullFileSystem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("this test mounts a small file system, which is not allowed here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	filler := filepath.Join(dir, "filler")
	write(t, filler, make([]byte, 2<<20))
	s := open(t, Config{Path: filepath.Join(dir, "jotsmith.db")})
	add(t, s, 0, 1)
	checkFull(t, s, func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	})
}

// What this user may not write is said, with what to do.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		file, dir os.FileMode // file 0 is no file
		want      string
	}{
		{"no file in a read-only directory", 0, 0o555, "writable by this user"},
		{"a read-only file in a read-only directory", 0o444, 0o555, "writable by this user"},
		{"a read-only file", 0o444, 0o777, "writable by this user"},
		{"a writable file in a read-only directory", 0o666, 0o555, "writable by this user"},
		{"an unreadable file", 0o200, 0o777, "by this user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "unwritable")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "jotsmith.db")
			t.Cleanup(func() { os.RemoveAll(dir) })
			if c.file != 0 {
				write(t, path, read(t, standing(t, 1)))
				os.Chmod(path, c.file)
			}
			os.Chmod(dir, c.dir)
			before := snapshot(t, dir)
			unprivileged(func() {
				var s *Store
				if s, err = Open(t.Context(), Config{Path: path, Log: quiet}); err == nil {
					s.Close()
				}
			})
			if err == nil {
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q, want one about %q and the path", err, c.want)
			}
			if c.file != 0 && !errors.Is(err, fault.ErrUnavailable) {
				t.Errorf("%v is not ErrUnavailable", err)
			}
			if after := snapshot(t, dir); len(after) != len(before) || after["jotsmith.db"] != before["jotsmith.db"] {
				t.Errorf("files were touched:\n%v\n%v", before, after)
			}
		})
	}
}

// unprivileged runs f on a thread that has no more rights to files than
// nobody has, which matters where tests run as root.
func unprivileged(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if os.Geteuid() == 0 {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
			syscall.RawSyscall(syscall.SYS_SETFSGID, 65534, 0, 0)
		}
		f()
	}()
	<-done
}
