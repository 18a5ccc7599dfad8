package account

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{HashCommand}) {
		if err := ServeHashes(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var small = HashParams{Memory: 64, Time: 1, Threads: 1}

func newProcesses(t *testing.T) *HashProcesses {
	h := NewHashProcesses(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { h.Close() })
	return h
}

// What hashes in another process says what hashing here says.
func TestHashProcesses(t *testing.T) {
	t.Parallel()
	const latin = "gr\xfc\xdfe" // not UTF-8, as other systems let passwords be
	foreign, err := bcrypt.GenerateFromPassword([]byte(latin), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	h := newProcesses(t)
	own, err := h.Hash(t.Context(), small, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if read, err := parseHash(own); err != nil || read.params != small {
		t.Fatalf("%q: %v", own, err)
	}
	for _, c := range []struct {
		name, stored, password string
		want                   bool
	}{
		{"right", own, "correct horse", true},
		{"wrong", own, "correct horsf", false},
		{"empty", own, "", false},
		{"of another system", string(foreign), latin, true},
		{"of another system, wrong", string(foreign), "grüße", false},
	} {
		for _, hasher := range []Hasher{h, inProcess{}} {
			if got, err := hasher.Matches(t.Context(), c.stored, c.password); err != nil || got != c.want {
				t.Errorf("%s, %T: %v, %v", c.name, hasher, got, err)
			}
		}
	}
	if _, err := h.Matches(t.Context(), "$6$rounds=1$unknown", "x"); err == nil || !strings.Contains(err.Error(), errHash.Error()) {
		t.Errorf("a hash of no known kind: %v", err)
	}
	if n := len(h.idle); n != 1 {
		t.Errorf("%d processes for one task at a time", n)
	}
}

// As many processes as tasks at once, and no more.
func TestHashProcessesAtOnce(t *testing.T) {
	t.Parallel()
	h := newProcesses(t)
	for range 5 {
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := h.Hash(t.Context(), small, "correct horse"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	if n := len(h.idle); n < 1 || n > 3 {
		t.Errorf("%d processes for three tasks at once", n)
	}
}

// FLT: a process that somebody ends, such as a kernel without memory, fails
// nobody, as long as the next one lives.
func TestHashProcessEnds(t *testing.T) {
	t.Parallel()
	h := newProcesses(t)
	ask := func() error {
		_, err := h.Hash(t.Context(), small, "correct horse")
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	h.idle[0].cmd.Process.Kill()
	h.idle[0].cmd.Process.Wait()
	if err := ask(); err != nil {
		t.Errorf("after its end while idle: %v", err)
	}

	var starts, fail atomic.Int32
	h.command = func() *exec.Cmd {
		if starts.Add(1) <= fail.Load() {
			return exec.Command("sh", "-c", "echo {}") // and reads no task
		}
		return hashCommand()
	}
	h.remove(h.idle[0])
	fail.Store(1)
	if err := ask(); err != nil || starts.Load() != 2 {
		t.Errorf("after one end: %v, %d starts", err, starts.Load())
	}
	h.remove(h.idle[0])
	starts.Store(0)
	fail.Store(2)
	if err := ask(); err == nil || starts.Load() != 2 {
		t.Errorf("after two ends: %v, %d starts", err, starts.Load())
	}
}

// Where there is no process that could hash, the server does, and says so once.
func TestHashProcessCannotStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, script, told string }{
		{"no program", "", "/nowhere/at/all"},
		{"ends at once, as for want of threads", "exit 2", "exit status 2"},
		{"is killed by a filter of system calls", "kill -KILL $$", "signal: killed"},
		{"is never ready", "exec sleep 60", errSlowHash.Error()},
		{"says what is no answer", "echo hello; exec sleep 60", "invalid character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h := NewHashProcesses(slog.New(slog.NewTextHandler(&log, nil)))
			h.longest = time.Second
			h.command = func() *exec.Cmd {
				if c.script == "" {
					return exec.Command("/nowhere/at/all")
				}
				return exec.Command("sh", "-c", c.script)
			}
			for range 2 {
				if s, err := h.Hash(t.Context(), small, "correct horse"); err != nil || !strings.HasPrefix(s, "$argon2id$") {
					t.Errorf("%q, %v", s, err)
				}
			}
			if n := strings.Count(log.String(), c.told); n != 1 {
				t.Errorf("told %d times: %s", n, &log)
			}
		})
	}
}

// Where the priority cannot be lowered, it hashes all the same.
func TestHashProcessAbreast(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := NewHashProcesses(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { h.Close() })
	h.command = func() *exec.Cmd {
		return exec.Command("sh", "-c", `echo '{"Error":"operation not permitted"}'; read task; echo '{"Hash":"x"}'`)
	}
	for range 2 {
		if s, err := h.Hash(t.Context(), small, "correct horse"); err != nil || s != "x" {
			t.Errorf("%q, %v", s, err)
		}
	}
	if n := strings.Count(log.String(), "operation not permitted"); n != 1 {
		t.Errorf("told %d times: %s", n, &log)
	}
}

func TestHashProcessHangs(t *testing.T) {
	t.Parallel()
	h := newProcesses(t)
	h.longest = 2 * time.Second
	var starts atomic.Int32
	h.command = func() *exec.Cmd { starts.Add(1); return exec.Command("sh", "-c", "echo {}; exec sleep 60") }
	if _, err := h.Hash(t.Context(), small, "correct horse"); !errors.Is(err, errSlowHash) || starts.Load() != 1 {
		t.Errorf("%v, %d starts", err, starts.Load())
	}
}

// A process ends where it is unused, and with the server, and only then.
func TestHashProcessLife(t *testing.T) {
	t.Parallel()
	h := newProcesses(t)
	ask := func() *hashProcess {
		t.Helper()
		if _, err := h.Hash(t.Context(), small, "correct horse"); err != nil {
			t.Fatal(err)
		}
		return h.idle[0]
	}
	p := ask()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		p.cmd.Process.Signal(s)
	}
	if ask() != p {
		t.Error("a signal that is for the server ended it")
	}
	h.remove(p)
	if p.cmd.ProcessState == nil {
		t.Error("unused, it goes on")
	}
	h.remove(p)
	p = ask()
	h.Close()
	if p.cmd.ProcessState == nil {
		t.Error("it goes on after the server")
	}

	for _, c := range []struct {
		in   string
		code int
	}{{"", 0}, {"nothing of ours\n", 1}} {
		cmd := hashCommand()
		cmd.Stdin = strings.NewReader(c.in)
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code {
			t.Errorf("%q: exit code %d", c.in, code)
		}
	}
}
