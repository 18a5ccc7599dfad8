package account

import (
	"fmt"
	"os"
	"strings"
	"testing"
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
	threads, err := os.ReadDir(dir + "task")
	if err != nil || len(threads) < 2 {
		t.Fatal(threads, err)
	}
	for _, thread := range threads {
		own, its := nice("/proc/self/stat"), nice(dir+"task/"+thread.Name()+"/stat")
		var a, b int
		fmt.Sscan(own, &a)
		fmt.Sscan(its, &b)
		if b != min(a+behind, 19) {
			t.Errorf("thread %s has %d, the server %d", thread.Name(), b, a)
		}
	}
}
