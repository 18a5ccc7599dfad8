package jws

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
)

// JSONSigner makes JSON serializations (RFC 7515 §7.2): the flattened one with
// one key, the general one with several, 8 at most. Every header is protected.
type JSONSigner struct {
	Keys []jwk.Signer
	Type string // "typ" of each header; empty for none
	// Detached leaves the payload out (RFC 7515 appendix F).
	Detached bool
	// Unencoded signs the payload as it is, with "b64":false (RFC 7797). One
	// that is not detached must be UTF-8.
	Unencoded bool
}

type jsonSignature struct {
	Protected string `json:"protected"`
	Signature string `json:"signature"`
}

// Sign returns the JSON serialization of payload.
func (s JSONSigner) Sign(payload []byte) ([]byte, error) {
	if len(s.Keys) == 0 || len(s.Keys) > maxSignatures {
		return nil, fmt.Errorf("%d keys to sign with: 1 to %d are needed", len(s.Keys), maxSignatures)
	}
	var text *string
	if !s.Detached {
		if s.Unencoded && !utf8.Valid(payload) {
			return nil, errors.New("payload is not UTF-8, which JSON cannot carry unencoded: detach it")
		}
		carried := string(payload)
		if !s.Unencoded {
			carried = b64.Encode(payload)
		}
		text = &carried
	}
	signed := make(map[string]bool)
	var signatures []jsonSignature
	for _, key := range s.Keys {
		if key == nil {
			return nil, errors.New("no key to sign with")
		}
		if signed[key.KeyID()] {
			return nil, errors.New("two keys of one key id: a verifier could not tell them apart")
		}
		signed[key.KeyID()] = true
		header, signature, err := sign(key, s.Type, payload, s.Unencoded)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, jsonSignature{header, signature})
	}
	if len(signatures) == 1 {
		return json.Marshal(struct {
			Payload *string `json:"payload,omitempty"`
			jsonSignature
		}{text, signatures[0]})
	}
	return json.Marshal(struct {
		Payload    *string         `json:"payload,omitempty"`
		Signatures []jsonSignature `json:"signatures"`
	}{text, signatures})
}
