// Package fipstest runs tests a second time in Go's FIPS 140-3 mode, which is
// chosen when a process starts. It is for tests alone.
package fipstest

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// inside is set in the second run, which does not begin a third.
const inside = "JOTSMITH_TEST_FIPS140"

// Again runs the named tests of the calling test's program in a process of the
// given mode ("on", or "only" where anything but the module's algorithms fails)
// and fails unless each has passed there. A name may be that of a subtest, such
// as TestX/case. Those in maySkip may have been skipped there.
//
// It reports whether the caller itself runs in that process, where it has done
// nothing.
func Again(t *testing.T, mode string, tests []string, maySkip ...string) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		if !fips140.Enabled() {
			t.Fatal("not in FIPS 140-3 mode")
		}
		return true
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var whole []string
	for _, name := range append(tests, maySkip...) {
		name, _, _ = strings.Cut(name, "/")
		whole = append(whole, name)
	}
	run := exec.CommandContext(t.Context(), program, "-test.v", "-test.count=1", "-test.run=^("+strings.Join(whole, "|")+")$")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GODEBUG=") && !strings.HasPrefix(v, "GOCOVERDIR=") {
			run.Env = append(run.Env, v)
		}
	}
	run.Env = append(run.Env, "GODEBUG=fips140="+mode, inside+"=1")
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	did := func(verdict, name string) bool { return strings.Contains(string(out), "--- "+verdict+": "+name+" ") }
	for _, name := range tests {
		if !did("PASS", name) {
			t.Errorf("has not passed with fips140=%s: %s", mode, name)
		}
	}
	for _, name := range maySkip {
		if !did("PASS", name) && !did("SKIP", name) {
			t.Errorf("did not run with fips140=%s: %s", mode, name)
		}
	}
	return false
}
