package jws_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

// refused fails the test if a text that is not the good one is accepted.
func refused(t *testing.T, keys jws.Keys, good, mangled, how string) {
	t.Helper()
	if mangled == good {
		return
	}
	if v, err := jws.Verify(ctx, mangled, keys); err == nil || v.Key != nil || v.Payload != "" {
		t.Errorf("%s: accepted: %s", how, mangled)
	}
}

// For a good token of every algorithm: no truncation, no changed, missing,
// additional or repeated byte and no other encoding of a part is accepted.
func TestMangledTokens(t *testing.T) {
	t.Parallel()
	for _, alg := range everyAlgorithm {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			key := keyOf(t, alg)
			keys := setOf(t, key.verifier)
			good, err := jws.Sign(key, "at+jwt", []byte(`{"sub":"a"}`))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jws.Verify(ctx, good, keys); err != nil {
				t.Fatal(err)
			}
			for i := range len(good) {
				refused(t, keys, good, good[:i], "truncated")
				refused(t, keys, good, good[i+1:], "without its beginning")
				refused(t, keys, good, good[:i]+good[i+1:], "without one byte")
				refused(t, keys, good, good[:i]+good[i:i+1]+good[i:], "with one byte twice")
				for _, c := range []byte{good[i] ^ 1, good[i] ^ 0x80, '.', '=', '+', '/', '?', ' ', '\n', 0} {
					refused(t, keys, good, good[:i]+string([]byte{c})+good[i+1:], "with one byte changed")
				}
				for _, c := range []string{".", "=", "\n", "\r", " ", "\x00", "%", "\u200b"} {
					refused(t, keys, good, good[:i]+c+good[i:], "with one byte more")
				}
			}
			for _, tail := range []string{".", "A", "AA", "AAAA", "=", "==", "\n", "\x00"} {
				refused(t, keys, good, good+tail, "with something after it")
			}
			parts := strings.Split(good, ".")
			for i, part := range parts {
				for how, other := range encodings(t, part) {
					mangled := append([]string(nil), parts...)
					mangled[i] = other
					refused(t, keys, good, strings.Join(mangled, "."), how)
				}
			}
			refused(t, keys, good, parts[0]+"."+parts[2]+"."+parts[1], "with two parts exchanged")
			refused(t, keys, good, parts[1]+"."+parts[0]+"."+parts[2], "with two parts exchanged")
			refused(t, keys, good, url.QueryEscape(good)+"%2E", "escaped")
			refused(t, keys, good, "Bearer "+good, "with its scheme")
			refused(t, keys, good, `"`+good+`"`, "in quotes")
		})
	}
}

// encodings are other texts for the bytes of part, or for almost the same.
func encodings(t *testing.T, part string) map[string]string {
	t.Helper()
	raw, err := b64.Decode(nil, part)
	if err != nil {
		t.Fatal(err)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	all := map[string]string{
		"padded":             base64.URLEncoding.EncodeToString(raw),
		"padded in any case": part + "=",
		"standard alphabet":  base64.RawStdEncoding.EncodeToString(raw),
		"standard, padded":   base64.StdEncoding.EncodeToString(raw),
		"encoded twice":      b64.Encode([]byte(part)),
		"not encoded":        string(raw),
		"escaped":            "%" + url.QueryEscape(part),
		"lines of 20":        part[:min(20, len(part))] + "\r\n" + part[min(20, len(part)):],
		"one byte more":      b64.Encode(append(bytes.Clone(raw), 0)),
		"one byte before":    b64.Encode(append([]byte{0}, raw...)),
		"a space before":     b64.Encode(append([]byte{' '}, raw...)),
		"a space after":      b64.Encode(append(bytes.Clone(raw), ' ')),
		"nothing":            "",
	}
	// The bits of the last character that encode nothing.
	last := strings.IndexByte(alphabet, part[len(part)-1])
	for bits := 1; bits < 16; bits++ {
		all["bits left over "+string(alphabet[bits])] = part[:len(part)-1] + string(alphabet[last^bits])
	}
	return all
}

// JWS-16: what was signed together stays together, and every bit of a signature
// counts.
func TestJWS16Mixed(t *testing.T) {
	t.Parallel()
	for _, alg := range everyAlgorithm {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			key := keyOf(t, alg)
			keys := setOf(t, key.verifier)
			a := strings.Split(signed(t, key, `{"alg":"`+string(alg)+`"}`, "a"), ".")
			b := strings.Split(signed(t, key, `{"alg":"`+string(alg)+`","kid":"`+key.KeyID()+`"}`, "b"), ".")
			for mix := range 8 {
				var parts [3]string
				for i := range parts {
					parts[i] = a[i]
					if mix>>i&1 == 1 {
						parts[i] = b[i]
					}
				}
				_, err := jws.Verify(ctx, strings.Join(parts[:], "."), keys)
				if pure := mix == 0 || mix == 7; pure != (err == nil) || err != nil && !errors.Is(err, jwk.ErrSignature) {
					t.Errorf("mix %03b: %v", mix, err)
				}
			}
			signature, _ := b64.Decode(nil, a[2])
			step := 1
			if len(signature) > 64 {
				step = 13 // every bit of the fast ones, each place in a byte of the slow ones
			}
			for bit := 0; bit < 8*len(signature); bit += step {
				signature[bit/8] ^= 1 << (bit % 8)
				if _, err := jws.Verify(ctx, a[0]+"."+a[1]+"."+b64.Encode(signature), keys); !errors.Is(err, jwk.ErrSignature) {
					t.Errorf("bit %d: %v", bit, err)
				}
				signature[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
}

// A JSON serialization has many spellings. Whatever is changed in one, it is
// refused or says what was signed.
func TestMangledJSON(t *testing.T) {
	t.Parallel()
	keys := setOf(t, secret())
	for _, unencoded := range []bool{false, true} {
		good, err := jws.JSONSigner{Keys: []jwk.Signer{secret()}, Type: "x", Unencoded: unencoded}.Sign([]byte("pay\"load"))
		if err != nil {
			t.Fatal(err)
		}
		v := jws.JSONVerifier{Signers: 1, Unencoded: unencoded}
		want, err := v.Verify(ctx, good, keys)
		if err != nil {
			t.Fatal(err)
		}
		try := func(mangled []byte) {
			got, err := v.Verify(ctx, mangled, keys)
			if err != nil && (got.Payload != "" || got.Signatures != nil) {
				t.Errorf("%s: %+v beside %v", mangled, got, err)
			}
			if err == nil && (got.Payload != want.Payload || len(got.Signatures) != 1 || got.Signatures[0] != want.Signatures[0]) {
				t.Errorf("%s: accepted as %+v", mangled, got)
			}
		}
		for i := range good {
			if _, err := v.Verify(ctx, good[:i], keys); err == nil {
				t.Errorf("accepted: %s", good[:i])
			}
			try(append(bytes.Clone(good[:i]), good[i+1:]...))
			for _, c := range []byte("\x00 \n\"\\,:{}[].=-_aAu0\x80\xff") {
				mangled := bytes.Clone(good)
				mangled[i] = c
				try(mangled)
			}
			for bit := range 8 {
				mangled := bytes.Clone(good)
				mangled[i] ^= 1 << bit
				try(mangled)
			}
		}
	}
}
