package jwt_test

import (
	"testing"

	"github.com/jotsmith/jotsmith/internal/fipstest"
	"github.com/jotsmith/jotsmith/jwk"
)

// Every algorithm is minted, verified, mangled and refused in Go's FIPS 140-3
// mode as elsewhere, also where anything but the module's algorithms fails.
func TestFIPS140(t *testing.T) {
	t.Parallel()
	tests := []string{
		"TestFIPS140", "TestIssueAndVerify", "TestToken", "TestTokenIDsAreRandom", "TestJWS01AlgNone", "TestCLM08SingleUse", "TestRFC7519",
		"TestRFC8725Section3_2AppropriateAlgorithms",
	}
	for _, alg := range jwk.Algorithms() {
		tests = append(tests, "TestIssueAndVerify/"+string(alg))
	}
	for _, mode := range []string{"on", "only"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			fipstest.Again(t, mode, tests)
		})
	}
}
