package jws_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

type hostileText struct{ name, text string }

// fill repeats part between two texts up to size.
func fill(before, part, after string, size int) string {
	return before + strings.Repeat(part, (size-len(before)-len(after))/len(part)) + after
}

// manyMembers is an object of size bytes with members as short as they can be.
func manyMembers(before, after string, size int) string {
	var s strings.Builder
	s.WriteString(before)
	for i := 0; s.Len() < size-len(after)-8; i++ {
		fmt.Fprintf(&s, `"%x":0,`, i)
	}
	s.WriteString(after)
	return s.String()
}

// hostileTokens are of size bytes and try to cost more than that.
func hostileTokens(size int) []hostileText {
	header := b64.Encode([]byte(`{"alg":"HS256"}`))
	signature := "." + b64.Encode(make([]byte, 32))
	inHeader := func(text string) string { return b64.Encode([]byte(text)) + ".AAAA" + signature }
	room := (size-60)*3/4 - 8
	return []hostileText{
		{"dots", strings.Repeat(".", size)},
		{"one part", strings.Repeat("A", size)},
		{"payload", fill(header+".", "AAAA", signature, size)},
		{"signature", fill(header+".AAAA.", "AAAA", "", size)},
		{"header, not JSON", fill("", "AAAA", ".AAAA"+signature, size)},
		{"header of many members", inHeader(manyMembers(`{"alg":"HS256",`, `"x":0}`, room))},
		{"header of many members, nested", inHeader(manyMembers(`{"alg":"HS256","x":{`, `"x":0}}`, room))},
		{"header of many arrays", inHeader(fill(`{"alg":"HS256","x":[`, `[],`, `0]}`, room))},
		{"header nested without end", inHeader(fill(`{"x":`, `[`, ``, room))},
		{"header of escapes", inHeader(fill(`{"alg":"HS256","x":"`, `\u0061`, `"}`, room))},
		{"key id of escapes", inHeader(fill(`{"alg":"HS256","kid":"`, `\u0061`, `"}`, room))},
		{"algorithm of escapes", inHeader(fill(`{"alg":"`, `\u0061`, `"}`, room))},
		{"long number", inHeader(fill(`{"alg":"HS256","x":`, `1`, `}`, room))},
		{"crit of many names", inHeader(fill(`{"alg":"HS256","crit":[`, `"b64",`, `"b64"]}`, room))},
	}
}

// hostileJSON are JSON serializations of the same kind.
func hostileJSON(size int) []hostileText {
	const end = `"payload":"","protected":"eyJhbGciOiJIUzI1NiJ9","signature":"AA"}`
	return []hostileText{
		{"JSON of many members", manyMembers(`{`, end, size)},
		{"JSON of many arrays", fill(`{"x":[`, `[],`, `[]],`+end, size)},
		{"JSON of many signatures", fill(`{"payload":"","signatures":[`, `0,`, `0]}`, size)},
		{"JSON with a large payload", fill(`{"payload":"`, `AAAA`, `","protected":"eyJhbGciOiJIUzI1NiJ9","signature":"AA"}`, size)},
		{"JSON of escapes", fill(`{"payload":"`, `\u0041`, `","protected":"eyJhbGciOiJIUzI1NiJ9","signature":"AA"}`, size)},
		{"JSON with a large header", fill(`{"header":{"x":"`, `\n`, `"},`+end, size)},
	}
}

// allocated is how many bytes a call of f allocates, or half as many as the race
// detector sees, for which more escapes to the heap. It must run alone.
func allocated(f func()) uint64 {
	const runs = 3
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	n := (after.TotalAlloc - before.TotalAlloc) / runs
	if raceEnabled {
		n /= 2
	}
	return n
}

// What a text costs before it has been verified: nothing if it is too large, and
// else a small multiple of its size, with nothing left over from earlier tokens.
func TestHostileTextsCostLittle(t *testing.T) {
	keys := &countingKeys{Keys: setOf(t, secret())}
	for _, c := range []struct {
		size, maxSize int
		limit         func(size int) int
	}{
		{1 << 20, 0, func(int) int { return 1 << 10 }},
		{1 << 20, 2 << 20, func(size int) int { return 2 * size }},
		{jws.DefaultMaxSize, 0, func(size int) int { return 4 * size }},
	} {
		for _, h := range hostileTokens(c.size) {
			n := allocated(func() {
				v := jws.Verifier{MaxSize: c.maxSize}
				if _, err := v.Verify(ctx, h.text, keys); err == nil {
					t.Fatal("accepted")
				}
			})
			if limit := c.limit(len(h.text)); int(n) > limit {
				t.Errorf("%s of %d bytes: %d bytes allocated, at most %d", h.name, len(h.text), n, limit)
			}
		}
	}
	for _, size := range []int{1 << 20, jws.DefaultMaxSize} {
		for _, h := range hostileJSON(size) {
			text := []byte(h.text)
			n := allocated(func() {
				if _, err := (jws.JSONVerifier{Signers: 1}).Verify(ctx, text, keys); err == nil {
					t.Fatal("accepted")
				}
			})
			limit := 1 << 10
			if size == jws.DefaultMaxSize {
				limit = 4 * size
			}
			if int(n) > limit {
				t.Errorf("%s of %d bytes: %d bytes allocated, at most %d", h.name, len(text), n, limit)
			}
		}
	}
}

// Headers have bounds of their own, however large a token may be.
func TestBoundsOfHeaders(t *testing.T) {
	t.Parallel()
	members := func(n int) string { // with "alg" among them
		s := `{"alg":"HS256"`
		for i := range n - 1 {
			s += fmt.Sprintf(`,"%d":0`, i)
		}
		return s + "}"
	}
	long := func(n int) string { return fill(`{"alg":"HS256","x":"`, "x", `"}`, n) }
	keys := setOf(t, secret())
	v := jws.Verifier{MaxSize: 1 << 20}
	for _, c := range []struct {
		name, header string
		good         bool
	}{
		{"100 members", members(100), true},
		{"101 members", members(101), false},
		{"101 members, nested", `{"alg":"HS256","x":[` + members(99) + `]}`, false},
		{"12 KiB, 16 encoded", long(12 << 10), true},
		{"one byte more", long(12<<10 + 1), false},
	} {
		_, err := v.Verify(ctx, signed(t, secret(), c.header, "payload"), keys)
		if c.good != (err == nil) || err != nil && !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for n, good := range map[int]bool{100: true, 101: false} {
		text := general(t, "payload", entry(t, secret(), members(n), "", "payload"))
		if _, err := (jws.JSONVerifier{Signers: 1}).Verify(ctx, text, keys); good != (err == nil) {
			t.Errorf("JSON with %d members in a protected header: %v", n, err)
		}
	}
}

// The allocations of what happens at every request.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	for _, alg := range []jwk.Algorithm{jwk.HS256, jwk.EdDSA} {
		key := keyOf(t, alg)
		keys := setOf(t, key.verifier)
		signer, err := jws.NewSigner(key, "at+jwt")
		if err != nil {
			t.Fatal(err)
		}
		payload := []byte(strings.Repeat("payload ", 50))
		compact, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		v := new(jws.Verifier)
		for _, c := range []struct {
			name string
			max  float64
			f    func() error
		}{
			{"verifying", 1, func() error { _, err := v.Verify(ctx, compact, keys); return err }},
			{"signing", 2, func() error { _, err := signer.Sign(payload); return err }},
		} {
			n := testing.AllocsPerRun(200, func() {
				if err := c.f(); err != nil {
					t.Fatal(err)
				}
			})
			if n > c.max {
				t.Errorf("%s, %s: %v allocations, at most %v", alg, c.name, n, c.max)
			}
		}
	}
}

func BenchmarkHostile(b *testing.B) {
	keys := setOf(b, secret())
	for _, size := range []int{1 << 20, jws.DefaultMaxSize} {
		for _, h := range hostileTokens(size) {
			b.Run(fmt.Sprintf("%d/%s", size, h.name), func(b *testing.B) {
				b.ReportAllocs()
				v := new(jws.Verifier)
				for b.Loop() {
					v.Verify(ctx, h.text, keys)
				}
			})
		}
		for _, h := range hostileJSON(size) {
			b.Run(fmt.Sprintf("%d/%s", size, h.name), func(b *testing.B) {
				b.ReportAllocs()
				text := []byte(h.text)
				for b.Loop() {
					jws.JSONVerifier{Signers: 1}.Verify(ctx, text, keys)
				}
			})
		}
	}
}
