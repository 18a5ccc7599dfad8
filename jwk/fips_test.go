package jwk_test

import (
	"encoding/json"
	"testing"

	"github.com/jotsmith/jotsmith/internal/fipstest"
	"github.com/jotsmith/jotsmith/jwk"
)

// Every algorithm works in Go's FIPS 140-3 mode, and deterministic ECDSA stays
// deterministic.
func TestFIPS140(t *testing.T) {
	t.Parallel()
	inside := fipstest.Again(t, "on", []string{"TestFIPS140", "TestRFC6979", "TestRFC8037AppendixA", "TestJWS11PSS", "TestFromSignerOtherPadding"})
	if !inside {
		return
	}
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
