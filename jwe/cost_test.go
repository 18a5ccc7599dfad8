package jwe_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// fill repeats part between two texts up to size.
func fill(before, part, after string, size int) string {
	return before + strings.Repeat(part, (size-len(before)-len(after))/len(part)) + after
}

// hostile are texts of about size bytes that try to cost more than that.
func hostile(size int) map[string]string {
	const rest = ".AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA"
	inHeader := func(before, part, after string) string {
		return b64.Encode([]byte(fill(before, part, after, (size-len(rest))*3/4-8))) + rest
	}
	header := b64.Encode([]byte(`{"alg":"A256KW","enc":"A256GCM"}`))
	var members strings.Builder
	for i := 0; members.Len() < size/2; i++ {
		fmt.Fprintf(&members, `"%x":0,`, i)
	}
	return map[string]string{
		"dots":              strings.Repeat(".", size),
		"one part":          strings.Repeat("A", size),
		"encrypted key":     fill(header+".", "AAAA", ".AAAA.AAAA.AAAA", size),
		"IV":                fill(header+".AAAA.", "AAAA", ".AAAA.AAAA", size),
		"ciphertext":        fill(header+".AAAA.AAAA.", "AAAA", ".AAAA", size),
		"tag":               fill(header+".AAAA.AAAA.AAAA.", "AAAA", "", size),
		"header":            fill("", "AAAA", rest, size),
		"nested":            inHeader(`{"x":`, `[`, ``),
		"arrays":            inHeader(`{"alg":"dir","enc":"A256GCM","x":[`, `[],`, `0]}`),
		"escapes":           inHeader(`{"alg":"dir","enc":"A256GCM","x":"`, `\u0061`, `"}`),
		"members":           b64.Encode([]byte(`{`+members.String()+`"alg":"dir","enc":"A256GCM"}`)) + rest,
		"epk of members":    b64.Encode([]byte(`{"alg":"ECDH-ES","enc":"A256GCM","epk":{`+members.String()+`"x":""}}`)) + rest,
		"epk of escapes":    inHeader(`{"alg":"ECDH-ES","enc":"A256GCM","epk":{"kty":"EC","crv":"P-256","x":"`, `\u0061`, `"}}`),
		"apu":               inHeader(`{"alg":"ECDH-ES","enc":"A256GCM","apu":"`, `AAAA`, `"}`),
		"long p2c":          inHeader(`{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":`, `1`, `}`),
		"JSON of members":   `{` + members.String() + `"protected":"e30"}`,
		"JSON recipients":   fill(`{"protected":"eyJlbmMiOiJBMjU2R0NNIn0","recipients":[`, `{},`, `{}]}`, size),
		"JSON of escapes":   fill(`{"protected":"`, `\u0041`, `"}`, size),
		"JSON ciphertext":   fill(`{"protected":"eyJlbmMiOiJBMjU2R0NNIn0","ciphertext":"`, `AAAA`, `"}`, size),
		"JSON unprotected":  fill(`{"protected":"eyJlbmMiOiJBMjU2R0NNIn0","unprotected":{"x":[`, `[],`, `0]}}`, size),
		"JSON without end":  strings.Repeat(`{"a":`, size/5),
		"JSON many headers": fill(`{"protected":"eyJlbmMiOiJBMjU2R0NNIn0","recipients":[`, `{"header":{"a":1,"b":2,"c":3}},`, `{}]}`, size),
	}
}

// A text that is too large costs nothing, and one that is just not too large a few
// times its size. Not parallel: allocations are counted of the whole process.
func TestHostileTexts(t *testing.T) {
	_, set := fixed()
	var keys jwe.Keys = set
	password := must(jwk.NewPassword(jwk.PBES2HS256A128KW, "correct horse battery staple"))
	cost := func(text string, max uint64, name string) {
		t.Helper()
		const runs = 3
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if _, err := jwe.Decrypt(t.Context(), text, keys); err == nil {
				t.Errorf("%s: accepted", name)
			}
			if _, err := jwe.DecryptJSON(t.Context(), []byte(text), keys); err == nil {
				t.Errorf("%s: accepted as JSON", name)
			}
			if _, err := jwe.DecryptWithPassword(text, password); err == nil {
				t.Errorf("%s: accepted with a password", name)
			}
			if _, err := jwe.Inspect(text); err == nil && len(text) > jwe.DefaultMaxSize {
				t.Errorf("%s: shown", name)
			}
		}
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) / runs; n > max {
			t.Errorf("%s, %d bytes: %d bytes allocated, want at most %d", name, len(text), n, max)
		}
	}
	const megabyte = 1 << 20
	for name, text := range hostile(megabyte) {
		cost(text, 8<<10+megabyte, name) // the copy that makes JSON of it, and nothing of it in the package
	}
	for name, text := range hostile(jwe.DefaultMaxSize) {
		cost(text, 4*12*jwe.DefaultMaxSize, name) // four functions, with room for the race detector
	}
}
