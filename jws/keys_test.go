package jws_test

import (
	"encoding/json"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

// everyAlgorithm is every algorithm that exists.
var everyAlgorithm = []jwk.Algorithm{
	jwk.HS256, jwk.HS384, jwk.HS512,
	jwk.RS256, jwk.RS384, jwk.RS512,
	jwk.PS256, jwk.PS384, jwk.PS512,
	jwk.ES256, jwk.ES384, jwk.ES512,
	jwk.EdDSA, jwk.Ed25519,
}

func TestEveryAlgorithmIsTested(t *testing.T) {
	t.Parallel()
	known := jwk.Algorithms()
	for _, alg := range everyAlgorithm {
		if !slices.Contains(known, alg) {
			t.Errorf("%s does not exist", alg)
		}
	}
	if len(known) != len(everyAlgorithm) {
		t.Errorf("%d algorithms exist, %d are tested", len(known), len(everyAlgorithm))
	}
}

type pair struct {
	jwk.Signer
	verifier jwk.Verifier
}

var pairs = sync.OnceValues(func() (map[jwk.Algorithm]pair, error) {
	all := make(map[jwk.Algorithm]pair)
	for _, alg := range everyAlgorithm {
		switch alg[:2] {
		case "HS":
			key, err := jwk.GenerateSecret(alg)
			if err != nil {
				return nil, err
			}
			all[alg] = pair{key, key}
		case "RS", "PS":
			// An RSA key takes long to make: that of RFC 7515 A.2 will do.
			text, err := rsaKey(alg)
			if err != nil {
				return nil, err
			}
			key, err := jwk.ParsePrivate(text)
			if err != nil {
				return nil, err
			}
			all[alg] = pair{key, key.Public()}
		default:
			key, err := jwk.Generate(alg)
			if err != nil {
				return nil, err
			}
			all[alg] = pair{key, key.Public()}
		}
	}
	return all, nil
})

func rsaKey(alg jwk.Algorithm) ([]byte, error) {
	text, err := os.ReadFile("testdata/rfc/rfc7515-a2.json")
	if err != nil {
		return nil, err
	}
	var example struct{ Keys []map[string]string }
	if err := json.Unmarshal(text, &example); err != nil {
		return nil, err
	}
	key := example.Keys[0]
	key["alg"], key["kid"] = string(alg), "rsa-"+string(alg)
	return json.Marshal(key)
}

// keyOf returns the one key of alg that the tests share.
func keyOf(t testing.TB, alg jwk.Algorithm) pair {
	t.Helper()
	all, err := pairs()
	if err != nil {
		t.Fatal(err)
	}
	return all[alg]
}
