package jwt_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

// TestFIPS140 runs this binary again with the FIPS 140-3 module in charge: every
// algorithm is minted, verified, mangled and refused there as elsewhere, also
// where anything else than the module's algorithms fails.
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
	for _, mode := range []string{"on", "only"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			run := exec.CommandContext(t.Context(), binary, "-test.v", "-test.count=1",
				"-test.run=^(TestFIPS140|TestIssueAndVerify|TestToken|TestTokenIDsAreRandom|TestJWS01AlgNone|TestCLM08SingleUse|TestRFC7519|TestRFC8725Section3_2.*)$")
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
			for _, want := range []string{"TestFIPS140", "TestCLM08SingleUse"} {
				if !strings.Contains(string(out), "--- PASS: "+want) {
					t.Errorf("did not run: %s", want)
				}
			}
			for _, alg := range jwk.Algorithms() {
				if !strings.Contains(string(out), "--- PASS: TestIssueAndVerify/"+string(alg)) {
					t.Errorf("%s did not run", alg)
				}
			}
		})
	}
}
