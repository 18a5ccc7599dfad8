package account

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// DOS-03: hashes stand behind everything else that wants a core, all threads of
// them; and no secret of the server's is in their environment.
func TestDOS03HashesComeLast(t *testing.T) {
	t.Setenv("JOTSMITH_STORE", "postgres://jotsmith:secret@db/jotsmith")
	h := newProcesses(t)
	if _, err := h.Hash(t.Context(), small, "correct horse"); err != nil {
		t.Fatal(err)
	}
	dir := fmt.Sprintf("/proc/%d/", h.idle[0].cmd.Process.Pid)
	environment, err := os.ReadFile(dir + "environ")
	if err != nil || strings.Contains(string(environment), "secret") {
		t.Errorf("%q, %v", environment, err)
	}
	// A kernel without memory ends it before the server.
	if first, err := os.ReadFile(dir + "oom_score_adj"); string(first) != "1000\n" {
		t.Errorf("oom_score_adj %q, %v", first, err)
	}
	nice := func(stat string) string {
		b, err := os.ReadFile(stat)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))[16] // proc(5)
	}
	var a int
	fmt.Sscan(nice("/proc/self/stat"), &a)
	want := min(a+behind, 19)
	if _, err := os.Stat(dir + "autogroup"); err == nil {
		// A session of its own, which comes behind others.
		var session string
		for i := 0; !strings.HasSuffix(session, fmt.Sprintf(" nice %d\n", want)); i++ {
			if i == 10_000 {
				t.Fatalf("the session is %q, not behind by %d", session, want)
			}
			b, _ := os.ReadFile(dir + "autogroup")
			session = string(b)
			time.Sleep(time.Millisecond)
		}
		own, _ := os.ReadFile("/proc/self/autogroup")
		if ours, _, _ := strings.Cut(string(own), " "); strings.HasPrefix(session, ours+" ") {
			t.Errorf("the session %q is the server's", session)
		}
	}
	threads, err := os.ReadDir(dir + "task")
	if err != nil || len(threads) < 2 {
		t.Fatal(threads, err)
	}
	for _, thread := range threads {
		var its int
		fmt.Sscan(nice(dir+"task/"+thread.Name()+"/stat"), &its)
		if its != want {
			t.Errorf("thread %s has %d, the server %d", thread.Name(), its, a)
		}
	}
}
