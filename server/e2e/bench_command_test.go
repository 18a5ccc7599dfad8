package e2e

import (
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

// TestBenchOnPostgreSQL says that a server which is measured gets a database of
// its own: one that holds anything is refused and left alone.
func TestBenchOnPostgreSQL(t *testing.T) {
	t.Parallel()
	url := realtest.StartPostgres(t).NewDatabase(t)
	out := mustRun(t, "", "bench", "refresh", "revoke", "--store", url, "--duration", "200ms", "--connections", "2", "--accounts", "1")
	for _, want := range []string{"a server of its own on postgres://", "refresh ", "Stays in the database: 1 disabled account"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	_, errs, code := run(t, "", "bench", "--store", url)
	if code != 1 || !strings.Contains(errs, "is not empty") {
		t.Errorf("a database that holds something: exit %d, %s", code, errs)
	}
}
