//go:build linux

package load

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestReadUsage(t *testing.T) {
	t.Parallel()
	before, err := ReadUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 1_000_000 {
		bucket(1)
	}
	after, err := ReadUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after.CPU <= before.CPU || after.Resident < 1<<20 || after.Threads < 1 || after.Descriptors < 1 {
		t.Errorf("used %+v, then %+v", before, after)
	}
	if _, err := ReadUsage(1 << 30); err == nil {
		t.Error("a process that is not there uses something")
	}
}

// What a process has others do counts, while they run and when they have ended.
func TestReadUsageOfChildren(t *testing.T) {
	t.Parallel()
	const work = `i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; `
	running := exec.Command("sh", "-c", `exec 3<&0; sh -c '`+work+`echo; read x <&3' & wait`)
	ended := exec.Command("sh", "-c", `sh -c '`+work+`'; echo; read x`)
	for name, cmd := range map[string]*exec.Cmd{"running": running, "ended": ended} {
		in, err1 := cmd.StdinPipe()
		out, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		out.Read(make([]byte, 1))
		own, err := CPUTime(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if u, err := ReadUsage(cmd.Process.Pid); err != nil || u.CPU < own+20*time.Millisecond {
			t.Errorf("%s: %v of CPU time with what it started, %v without: %v", name, u.CPU, own, err)
		}
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}
}
