package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	loadgen "github.com/jotsmith/jotsmith/server/internal/load"
)

// Passwords are hashed in processes of their own, which the very program is that
// was started, and which end with the server however that ends.
func TestHashProcessesEndWithServer(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	for _, c := range []struct {
		name string
		end  func(*proc)
	}{
		{"stop", func(p *proc) { p.stop(t) }},
		{"kill", (*proc).kill},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			data, program := filepath.Join(dir, "data"), filepath.Join(dir, "jotsmith")
			if err := os.Link(jotsmith, program); err != nil {
				t.Fatal(err)
			}
			mustRun(t, password+"\n", "account", "create", "ada", "--password-stdin", "--data", data)
			addr := freeAddr(t)
			p := startServeOf(t, program, addr, data)
			// An upgrade puts another program in its place.
			next := filepath.Join(dir, "next")
			if err := os.WriteFile(next, []byte("#!/bin/false\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(next, program); err != nil {
				t.Fatal(err)
			}
			login(t, "http://"+addr, "ada", password)
			children := loadgen.Children(p.cmd.Process.Pid)
			if len(children) != 1 {
				t.Fatalf("%d processes hash one password\n%s", len(children), p.stderr)
			}
			c.end(p)
			deadline := time.Now().Add(10 * time.Second)
			for _, pid := range children {
				for !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) && !zombie(pid) {
					if time.Now().After(deadline) {
						t.Fatalf("process %d goes on", pid)
					}
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
}

// zombie says whether a process has ended and nobody has asked how.
func zombie(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(after, "Z")
}
