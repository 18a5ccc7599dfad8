package jwe_test

import (
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// mangled are keys of every algorithm, on every curve, and every content
// encryption once.
func mangled() (some []pair) {
	encs := jwk.ContentEncryptions()
	seen := make(map[string]bool)
	for i, p := range pairs() {
		key, enc := p.name[:strings.LastIndex(p.name, " ")], p.dec.Encryptions()[0]
		if !seen[key] && enc == encs[i%len(encs)] {
			seen[key] = true
			some = append(some, p)
		}
	}
	return some
}

// For a good text of every algorithm: no truncation, no changed, missing,
// additional or repeated byte and no other spelling is accepted.
func TestMangled(t *testing.T) {
	t.Parallel()
	all := mangled()
	if len(all) != 1+3*4+5 {
		t.Fatalf("%d kinds of keys", len(all))
	}
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			keys := setOf(p.dec)
			good := must(jwe.Encrypt(p.enc, "", "", []byte("secret")))
			if _, err := jwe.Decrypt(t.Context(), good, keys); err != nil {
				t.Fatal(err)
			}
			refused := func(text, how string) {
				if text == good {
					return
				}
				if got, err := jwe.Decrypt(t.Context(), text, keys); err == nil || got.Plaintext != nil {
					t.Errorf("%s: accepted: %s", how, text)
				}
			}
			// Every byte is changed and taken away; what is slow is spared the
			// other ways at most of them.
			every := 1
			if alg := p.dec.Algorithm(); !alg.Symmetric() {
				every = 11
			}
			for i := range len(good) {
				refused(good[:i]+string([]byte{good[i] ^ 1})+good[i+1:], "with one bit changed")
				refused(good[:i]+good[i+1:], "without one byte")
				if i%every != 0 {
					continue
				}
				refused(good[:i], "truncated")
				refused(good[i+1:], "without its beginning")
				refused(good[:i]+good[i:i+1]+good[i:], "with one byte twice")
				for _, c := range []byte{'.', '=', good[i] ^ 0x80, '+', '\n', good[i] ^ 2, ' ', 0} {
					refused(good[:i]+string([]byte{c})+good[i+1:], "with one byte changed")
				}
				for _, c := range []string{"A", "=", "\n", ".", "\r", "\x00"} {
					refused(good[:i]+c+good[i:], "with one byte more")
				}
			}
			for _, tail := range []string{".", "A", "AA", "AAAA", "=", "\n", "\x00"} {
				refused(good+tail, "with something after it")
			}
			// Each bit of what is decoded, and another text's part for each part.
			other := strings.Split(must(jwe.Encrypt(p.enc, "", "x", []byte("other!"))), ".")
			for i := range other {
				parts := taken(t, good)
				n := len(must(b64.Decode(nil, parts[i])))
				for bit := range n * 8 {
					if i > 0 && bit%every == 0 {
						refused(parts.with(i, func(b []byte) []byte { b[bit/8] ^= 1 << (bit % 8); return b }).String(), "with one bit changed")
					}
				}
				parts[i] = other[i]
				refused(parts.String(), "with a part of another text")
			}
		})
	}
}
