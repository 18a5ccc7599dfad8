package jwk_test

import (
	"crypto/fips140"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

// Every algorithm works in Go's FIPS 140-3 mode, and deterministic ECDSA stays
// deterministic. The mode is chosen at the start of a process, so that the test
// starts itself again.
func TestFIPS140(t *testing.T) {
	t.Parallel()
	if !fips140.Enabled() {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run=^(TestFIPS140|TestRFC6979|TestRFC8037AppendixA|TestJWS11PSS|TestFromSignerOtherPadding)$", "-test.v")
		cmd.Env = append(os.Environ(), "GODEBUG=fips140=on")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "FIPS mode is on") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	t.Log("FIPS mode is on")
	message := []byte("message")
	for _, alg := range jwk.Algorithms() {
		var signer jwk.Signer
		var verifier jwk.Verifier
		if alg.Symmetric() {
			key, err := jwk.GenerateSecret(alg)
			if err != nil {
				t.Errorf("%s: %v", alg, err)
				continue
			}
			signer, verifier = key, must(jwk.ParseSecret(must(key.MarshalSecretJWK())))
		} else {
			key := generated()[alg]
			signer = must(jwk.ParsePrivatePEM(alg, "", must(key.PrivatePEM())))
			verifier = must(jwk.ParsePublic(must(json.Marshal(key.Public()))))
		}
		signature, err := signer.AppendSignature(nil, message)
		if err != nil {
			t.Errorf("%s: signing: %v", alg, err)
			continue
		}
		if err := verifier.Verify(message, signature); err != nil {
			t.Errorf("%s: verifying: %v", alg, err)
		}
		signature[0] ^= 1
		if verifier.Verify(message, signature) == nil {
			t.Errorf("%s: another signature accepted", alg)
		}
	}
}
