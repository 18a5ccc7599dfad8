package jwe_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/jotsmith/jotsmith/internal/vectors"
	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// leftOut are the cases labelled valid that are refused on purpose, and why.
var leftOut = map[string][]int{
	"RSA1_5: its padding tells an attacker the plaintext, one question at a time": {100, 101, 102, 103, 104, 105, 112, 128},
	"zip: a few bytes become a gigabyte, and lengths tell of content":             {135},
	"keys of 192 bits in key wraps: optional, and nobody asks for them":           {60, 61, 70, 72},
	"A192CBC-HS384: optional, and nobody asks for it":                             {31, 56, 80, 86, 92},
}

// decrypters reads the private key of a group for any of its cases.
func decrypters(private json.RawMessage) (jwk.Decrypter, error) {
	encs := jwk.ContentEncryptions()
	var kind struct{ Kty, Alg string }
	if err := json.Unmarshal(private, &kind); err != nil {
		return nil, err
	}
	switch {
	case kind.Alg == "RSA-OAEP":
		return jwk.DangerouslyParseRSAOAEP(private, encs...)
	case jwk.ContentEncryption(kind.Alg).Known():
		return jwk.ParseShared(private)
	case kind.Kty == "oct":
		return jwk.ParseShared(private, encs...)
	default:
		return jwk.ParseDecryption(private, encs...)
	}
}

func TestWycheproofEncryption(t *testing.T) {
	t.Parallel()
	var suite struct {
		TestGroups []struct {
			Private json.RawMessage
			Tests   []struct {
				ID      int `json:"tcId"`
				Comment string
				JWE     json.RawMessage
				PT      string
				Result  string
			}
		}
	}
	vectors.JSON(t, "wycheproof", "json_web_encryption_test.json", &suite)
	refused := make(map[int]string)
	for why, ids := range leftOut {
		for _, id := range ids {
			refused[id] = why
		}
	}
	cases, accepted := 0, 0
	for _, g := range suite.TestGroups {
		key, keyErr := decrypters(g.Private)
		for _, c := range g.Tests {
			cases++
			want := c.Result == "valid" && refused[c.ID] == ""
			if refused[c.ID] != "" && c.Result != "valid" {
				t.Errorf("case %d is not valid anyway", c.ID)
			}
			if keyErr != nil {
				if want {
					t.Errorf("case %d: %v", c.ID, keyErr)
				}
				continue
			}
			var compact string
			if json.Unmarshal(c.JWE, &compact) != nil {
				compact = string(c.JWE)
			}
			got, err := jwe.Decrypt(t.Context(), compact, must(jwk.NewDecryptionSet(key)))
			if (err == nil) != want {
				t.Errorf("case %d (%s): %v, want accepted: %v", c.ID, c.Comment, err, want)
				continue
			}
			if err != nil {
				if got.Plaintext != nil || got.Key != nil {
					t.Errorf("case %d: plaintext or key beside an error", c.ID)
				}
				if !slices.ContainsFunc([]error{jwe.ErrMalformed, jwe.ErrAlgorithm, jwe.ErrDecrypt, jwk.ErrUnknownKey}, func(e error) bool { return errors.Is(err, e) }) {
					t.Errorf("case %d: %v", c.ID, err)
				}
				continue
			}
			accepted++
			if hex.EncodeToString(got.Plaintext) != c.PT {
				t.Errorf("case %d: plaintext %x", c.ID, got.Plaintext)
			}
		}
	}
	if cases != 139 || accepted != 65-18 {
		t.Errorf("%d cases, %d accepted", cases, accepted)
	}
}
