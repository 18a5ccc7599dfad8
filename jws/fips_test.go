package jws_test

import (
	"testing"

	"github.com/jotsmith/jotsmith/internal/fipstest"
)

// Every algorithm works in Go's FIPS 140-3 mode, and the vectors, the examples
// of the standards and the attacks have the same verdicts there.
func TestFIPS140(t *testing.T) {
	t.Parallel()
	tests := []string{
		"TestFIPS140", "TestExamplesOfTheStandards", "TestDetached", "TestJSONSigners", "TestEachFormHasItsOwnEntryPoint",
		"TestJWS09ECDSA", "TestJWS10Ed25519", "TestJWS11PSS",
	}
	for _, alg := range everyAlgorithm {
		tests = append(tests, "TestDetached/"+string(alg))
	}
	fipstest.Again(t, "on", tests,
		"TestWycheproofSignatures", "TestWycheproofKeys", "TestRFC7520Signatures", "TestRFC7520SeveralSignatures", "TestRFC7797Cookbook")
}
