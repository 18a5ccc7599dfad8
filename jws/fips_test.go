package jws_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFIPS140 runs this binary again with the FIPS 140-3 module in charge: the
// vectors, the examples of the standards and the attacks have the same verdicts
// there.
func TestFIPS140(t *testing.T) {
	t.Parallel()
	const inside = "JOTSMITH_TEST_FIPS140"
	if os.Getenv(inside) != "" {
		if !fips140.Enabled() {
			t.Fatal("not in FIPS 140-3 mode")
		}
		return
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tests := []string{
		"TestFIPS140", "TestExamplesOfTheStandards", "TestDetached", "TestJSONSigners", "TestEachFormHasItsOwnEntryPoint",
		"TestJWS09ECDSA", "TestJWS10Ed25519", "TestJWS11PSS",
	}
	withVectors := []string{"TestWycheproofSignatures", "TestWycheproofKeys", "TestRFC7520Signatures", "TestRFC7520SeveralSignatures", "TestRFC7797Cookbook"}
	run := exec.CommandContext(t.Context(), binary, "-test.v", "-test.count=1",
		"-test.run=^("+strings.Join(append(withVectors, tests...), "|")+")$")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GODEBUG=") && !strings.HasPrefix(v, "GOCOVERDIR=") {
			run.Env = append(run.Env, v)
		}
	}
	run.Env = append(run.Env, "GODEBUG=fips140=on", inside+"=1")
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range tests {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("did not run: %s", name)
		}
	}
	for _, alg := range everyAlgorithm {
		if !strings.Contains(string(out), "--- PASS: TestDetached/"+string(alg)) {
			t.Errorf("%s did not run", alg)
		}
	}
	for _, name := range withVectors {
		if s := string(out); !strings.Contains(s, "--- PASS: "+name+" ") && !strings.Contains(s, "--- SKIP: "+name+" ") {
			t.Errorf("did not run: %s", name)
		}
	}
}
