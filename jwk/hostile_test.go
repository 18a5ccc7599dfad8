package jwk_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

// Whatever comes in, its cost is bounded by what is allowed, not by its size.
func TestHostileSizes(t *testing.T) {
	const megabyte = 1 << 20
	parsers := map[string]func([]byte) error{
		"public":         public,
		"private":        private,
		"secret":         secret,
		"set":            func(b []byte) error { _, err := jwk.ParseSet(b); return err },
		"set for":        func(b []byte) error { _, err := jwk.ParseSetAssuming(jwk.RS256, b); return err },
		"encryption":     func(b []byte) error { _, err := jwk.ParseEncryption(b); return err },
		"decryption":     func(b []byte) error { _, err := jwk.ParseDecryption(b); return err },
		"shared":         func(b []byte) error { _, err := jwk.ParseShared(b); return err },
		"encryption set": func(b []byte) error { _, err := jwk.ParseEncryptionSet(b); return err },
		"public PEM": func(b []byte) error {
			_, err := jwk.ParsePublicPEM(jwk.RS256, "", b)
			return err
		},
		"private PEM": func(b []byte) error {
			_, err := jwk.ParsePrivatePEM(jwk.RS256, "", b)
			return err
		},
	}
	for name, text := range map[string][]byte{
		"one long string":  []byte(`{"kty":"` + strings.Repeat("A", megabyte) + `"}`),
		"deep":             bytes.Repeat([]byte(`{"a":`), megabyte/5),
		"deep array":       bytes.Repeat([]byte("["), megabyte),
		"many members":     []byte("{" + strings.Repeat(`"a":1,`, megabyte/6) + `"b":1}`),
		"one large number": append([]byte(`{"kty":`), bytes.Repeat([]byte("9"), megabyte)...),
		"large modulus":    must(json.Marshal(map[string]string{"kty": "RSA", "alg": "RS256", "e": "AQAB", "n": strings.Repeat("_", megabyte)})),
		"many blocks":      bytes.Repeat([]byte("-----BEGIN PUBLIC KEY-----\n"), megabyte/27),
		"one large block":  block("PUBLIC KEY", make([]byte, megabyte*3/4)),
		"zeros":            make([]byte, megabyte),
	} {
		for parser, parse := range parsers {
			if err := parse(text); err == nil {
				t.Errorf("%s as %s: accepted", name, parser)
			}
			if allocs := testing.AllocsPerRun(3, func() { _ = parse(text) }); allocs > 8 {
				t.Errorf("%s as %s: %v allocations", name, parser, allocs)
			}
		}
	}
	// At the bounds, a set of the largest keys that are refused.
	large := `{"kty":"RSA","alg":"RS256","e":"AQAB","n":"` + strings.Repeat("_", 2400) + `"}`
	set := []byte(`{"keys":[` + strings.Repeat(large+",", 99) + large + `]}`)
	if err := parsers["set"](set); err == nil {
		t.Error("large keys accepted")
	}
	if allocs := testing.AllocsPerRun(3, func() { _ = parsers["set"](set) }); allocs > 100 {
		t.Errorf("set of large keys: %v allocations", allocs)
	}
}
