package jwe_test

import (
	"testing"

	"github.com/jotsmith/jotsmith/internal/fipstest"
)

// Every algorithm works in Go's FIPS 140-3 mode, and the vectors and attacks
// have the same verdicts there.
func TestFIPS140(t *testing.T) {
	t.Parallel()
	fipstest.Again(t, "on",
		[]string{"TestFIPS140", "TestEncryptDecrypt", "TestRFC7516AppendixA", "TestJWE02Iterations", "TestJWE05RSA", "TestJWE06CBC", "TestJWE07GCM", "TestJSONRecipients"},
		"TestWycheproofEncryption", "TestRFC7520Encryption", "TestRFC8037Encryption")
}
