package jwe_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFIPS140 runs this binary again with the FIPS 140-3 module in charge: every
// algorithm works there, and the vectors and attacks have the same verdicts.
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
	tests := []string{"TestFIPS140", "TestEncryptDecrypt", "TestRFC7516AppendixA", "TestJWE02Iterations", "TestJWE05RSA", "TestJWE06CBC", "TestJWE07GCM", "TestJSONRecipients"}
	withVectors := []string{"TestWycheproofEncryption", "TestRFC7520Encryption", "TestRFC8037Encryption"}
	run := exec.CommandContext(t.Context(), binary, "-test.v", "-test.count=1", "-test.run=^("+strings.Join(append(withVectors, tests...), "|")+")$")
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
	for _, name := range withVectors {
		if s := string(out); !strings.Contains(s, "--- PASS: "+name+" ") && !strings.Contains(s, "--- SKIP: "+name+" ") {
			t.Errorf("did not run: %s", name)
		}
	}
}
