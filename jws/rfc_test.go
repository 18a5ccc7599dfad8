package jws_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/vectors"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

// parseKey reads a secret, or a key pair whose halves must belong together, or
// the public half alone.
func parseKey(t testing.TB, text []byte) (signer jwk.Signer, verifier jwk.Verifier) {
	t.Helper()
	if key, err := jwk.ParseSecret(text); err == nil {
		return key, key
	}
	if key, err := jwk.ParsePrivate(text); err == nil {
		return key, key.Public()
	}
	key, err := jwk.ParsePublic(text)
	if err != nil {
		t.Fatal(err)
	}
	return nil, key
}

// golden is an example of a standard. Its keys are as they stand there, with
// "alg" and "kid" where we ask for them.
type golden struct {
	Title         string
	Keys          []json.RawMessage
	Payload       string
	Unencoded     bool
	Deterministic bool // signing again gives the same signature
	Refused       bool
	Compact       string
	Detached      string
	JSON          json.RawMessage
}

func readGolden(t testing.TB) []golden {
	t.Helper()
	files, err := filepath.Glob("testdata/rfc/*.json")
	if err != nil || len(files) != 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var all []golden
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(text, &g); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, g)
	}
	return all
}

// Appendix A of RFC 7515, RFC 7797 §4 and RFC 8037 appendix A.
func TestExamplesOfTheStandards(t *testing.T) {
	t.Parallel()
	for _, g := range readGolden(t) {
		t.Run(g.Title, func(t *testing.T) {
			t.Parallel()
			var signer jwk.Signer
			var verifiers []jwk.Verifier
			for _, text := range g.Keys {
				s, v := parseKey(t, text)
				if s == nil {
					t.Fatal("the private half does not belong to the public one")
				}
				signer, verifiers = s, append(verifiers, v)
			}
			keys := setOf(t, verifiers...)
			if g.Refused {
				if _, err := jws.Verify(ctx, g.Compact, keys); !errors.Is(err, jws.ErrAlgorithm) {
					t.Errorf("%v", err)
				}
				return
			}
			if g.Compact != "" {
				v, err := jws.Verify(ctx, g.Compact, keys)
				if err != nil || v.Payload != g.Payload {
					t.Errorf("compact: %q, %v", v.Payload, err)
				}
				input, signature, _ := cutLast(g.Compact)
				checkSigning(t, signer, g.Deterministic, input, signature)
			}
			if g.Detached != "" {
				if _, err := jws.VerifyDetachedUnencoded(ctx, g.Detached, []byte(g.Payload), keys); err != nil {
					t.Errorf("detached: %v", err)
				}
				header, signature, _ := strings.Cut(g.Detached, "..")
				checkSigning(t, signer, g.Deterministic, header+"."+g.Payload, signature)
			}
			if g.JSON != nil {
				all := jws.JSONVerifier{Signers: len(g.Keys), Unencoded: g.Unencoded}
				v, err := all.Verify(ctx, g.JSON, keys)
				if err != nil || v.Payload != g.Payload || len(v.Signatures) != len(g.Keys) {
					t.Errorf("JSON: %+v, %v", v, err)
				}
			}
		})
	}
}

func cutLast(compact string) (input, signature string, ok bool) {
	i := strings.LastIndexByte(compact, '.')
	return compact[:i], compact[i+1:], true
}

func checkSigning(t *testing.T, key jwk.Signer, deterministic bool, input, want string) {
	t.Helper()
	if !deterministic {
		return
	}
	signature, err := key.AppendSignature(nil, []byte(input))
	if err != nil || b64.Encode(signature) != want {
		t.Errorf("signed anew: %s, %v", b64.Encode(signature), err)
	}
}

type cookbook struct {
	Input struct {
		Payload string
		Key     json.RawMessage // in 4.8 an array
		Alg     json.RawMessage
	}
	Signing json.RawMessage
	Output  struct {
		Compact string
		JSON    json.RawMessage
		Flat    json.RawMessage `json:"json_flat"`
	}
}

// cookbookKey adds to a JWK what the example says beside it.
func cookbookKey(t testing.TB, key, alg json.RawMessage) (jwk.Signer, jwk.Verifier) {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(key, &members); err != nil {
		t.Fatal(err)
	}
	members["alg"] = alg
	if members["kid"] == nil && members["kty"] == "oct" {
		members["kid"] = "k"
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return parseKey(t, text)
}

// The examples of RFC 7520 §4 with one key, and the Ed25519 one. The public key
// of 4.3 comes without its private half.
func TestRFC7520Signatures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file          string
		deterministic bool
		detached      bool
		unprotected   error // of an example whose "alg" is not protected
	}{
		{file: "jws/4_1.rsa_v15_signature", deterministic: true},
		{file: "jws/4_2.rsa-pss_signature"},
		{file: "jws/4_3.ecdsa_signature"},
		{file: "jws/4_4.hmac-sha2_integrity_protection", deterministic: true},
		{file: "jws/4_5.signature_with_detached_content", deterministic: true, detached: true},
		{file: "jws/4_6.protecting_specific_header_fields", deterministic: true},
		{file: "jws/4_7.protecting_content_only", deterministic: true, unprotected: jws.ErrMalformed},
		{file: "curve25519/jws", deterministic: true},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			var book cookbook
			vectors.JSON(t, "rfc7520", c.file+".json", &book)
			signer, verifier := cookbookKey(t, book.Input.Key, book.Input.Alg)
			keys := setOf(t, verifier)
			one := jws.JSONVerifier{Signers: 1}
			verified := 0
			for _, text := range []json.RawMessage{book.Output.JSON, book.Output.Flat} {
				if text == nil {
					continue
				}
				var payload string
				var err error
				if c.detached {
					_, err = one.VerifyDetached(ctx, text, []byte(book.Input.Payload), keys)
					payload = book.Input.Payload
				} else {
					var v jws.VerifiedJSON
					v, err = one.Verify(ctx, text, keys)
					payload = v.Payload
				}
				if !errors.Is(err, c.unprotected) || err == nil && payload != book.Input.Payload {
					t.Errorf("JSON: %q, %v", payload, err)
				}
				verified++
			}
			if compact := book.Output.Compact; compact != "" {
				v, err := jws.Verify(ctx, compact, keys)
				if c.detached {
					if !errors.Is(err, jwk.ErrSignature) {
						t.Errorf("detached, taken for an empty payload: %v", err)
					}
					_, err = jws.VerifyDetached(ctx, compact, []byte(book.Input.Payload), keys)
					v.Payload = book.Input.Payload
				}
				if err != nil || v.Payload != book.Input.Payload {
					t.Errorf("compact: %q, %v", v.Payload, err)
				}
				verified++
			}
			if verified < 2 {
				t.Errorf("%d serializations", verified)
			}
			if c.deterministic {
				var signing struct {
					Input string `json:"sig-input"`
					Sig   string
				}
				if err := json.Unmarshal(book.Signing, &signing); err != nil {
					t.Fatal(err)
				}
				checkSigning(t, signer, true, signing.Input, signing.Sig)
			}
		})
	}
}

// RFC 7520 §4.8 has three signatures. The second is under an unprotected "alg",
// which refuses the whole; without it the others verify.
func TestRFC7520SeveralSignatures(t *testing.T) {
	t.Parallel()
	var book cookbook
	vectors.JSON(t, "rfc7520", "jws/4_8.multiple_signatures.json", &book)
	var jwks, algs []json.RawMessage
	var text struct {
		Payload    string            `json:"payload"`
		Signatures []json.RawMessage `json:"signatures"`
	}
	if err := errors.Join(json.Unmarshal(book.Input.Key, &jwks), json.Unmarshal(book.Input.Alg, &algs), json.Unmarshal(book.Output.JSON, &text)); err != nil {
		t.Fatal(err)
	}
	text.Signatures = append(text.Signatures[:1:1], text.Signatures[2])
	two, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 2} {
		_, key := cookbookKey(t, jwks[i], algs[i])
		one := jws.JSONVerifier{Signers: 1}
		if _, err := one.Verify(ctx, book.Output.JSON, setOf(t, key)); !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("three signatures: %v", err)
		}
		v, err := one.Verify(ctx, two, setOf(t, key))
		if err != nil || v.Payload != book.Input.Payload || len(v.Signatures) != 1 || v.Signatures[0].Key != key {
			t.Errorf("%s: %+v, %v", key.Algorithm(), v, err)
		}
	}
}

// Two more examples of unencoded payloads. One lacks "crit" and is refused
// (RFC 7797 §6). The payload of the other has spaces: it is refused between the
// dots of a compact serialization and taken in its other forms.
func TestRFC7797Cookbook(t *testing.T) {
	t.Parallel()
	unencoded := jws.JSONVerifier{Signers: 1, Unencoded: true}
	for file, want := range map[string]error{"4.2.hmac-sha2_b64_false": jws.ErrMalformed, "hmac-sha2_b64_false": nil} {
		var book cookbook
		vectors.JSON(t, "rfc7520", "rfc7797/"+file+".json", &book)
		_, key := cookbookKey(t, book.Input.Key, book.Input.Alg)
		keys := setOf(t, key)
		for _, text := range []json.RawMessage{book.Output.JSON, book.Output.Flat} {
			if v, err := unencoded.Verify(ctx, text, keys); !errors.Is(err, want) || err == nil && v.Payload != book.Input.Payload {
				t.Errorf("%s: %q, %v", file, v.Payload, err)
			}
			if _, err := (jws.JSONVerifier{Signers: 1}).Verify(ctx, text, keys); !errors.Is(err, jws.ErrMalformed) {
				t.Errorf("%s, not asked for: %v", file, err)
			}
		}
		if book.Output.Compact == "" {
			continue
		}
		payload := []byte(book.Input.Payload)
		if _, err := jws.Verify(ctx, book.Output.Compact, keys); !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("%s: %v", file, err)
		}
		if _, err := jws.VerifyDetachedUnencoded(ctx, book.Output.Compact, payload, keys); !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("%s, not detached: %v", file, err)
		}
		detached := strings.Replace(book.Output.Compact, book.Input.Payload, "", 1)
		if _, err := jws.VerifyDetachedUnencoded(ctx, detached, payload, keys); err != nil {
			t.Errorf("%s, detached: %v", file, err)
		}
	}
}
