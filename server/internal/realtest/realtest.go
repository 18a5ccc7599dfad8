// Package realtest starts real servers for tests, from the programs that are
// installed, each in a directory of its own and for one test binary. Nothing of
// it may be part of a program: it asks for no password and keeps no promise to
// anybody but tests.
package realtest

import (
	"os"
	"testing"
)

// missing says that a program which a test needs is not installed: the test
// is skipped, and fails under CI=true.
func missing(t testing.TB, program, packages string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed; install the package %s", program, packages)
	}
	t.Skipf("%s is not installed; install the package %s", program, packages)
}
