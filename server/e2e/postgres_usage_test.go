package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	loadgen "github.com/jotsmith/jotsmith/server/internal/load"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

// postgresCPU is what the processes of a PostgreSQL have used so far, each of
// which serves one connection.
func postgresCPU(t testing.TB, p *realtest.Postgres) (sum time.Duration) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.Dir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range append(strings.Fields(string(children)), first) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			t.Fatal(err)
		}
		used, _ := loadgen.CPUTime(pid) // it may have ended
		sum += used
	}
	return sum
}
