package strictjson

import (
	"math"
	"strconv"
	"strings"
)

// String returns the string that raw, a value out of this package, stands for.
// It is false for any other kind of value.
func String(raw string) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	raw = raw[1 : len(raw)-1]
	if strings.IndexByte(raw, '\\') >= 0 {
		raw = unescape(raw)
	}
	return raw, true
}

// Literal is String for text of which nothing is known yet, not even that it is
// one value.
func Literal(text string) (string, bool) {
	if text == "" || text[0] != '"' {
		return "", false
	}
	p := parser{text: text}
	if _, err := p.str(); err != nil || p.pos != len(text) {
		return "", false
	}
	return String(text)
}

// Strings appends the strings of raw, an array of at most limit strings, to
// dst. It is false for any other kind of value.
func Strings(raw string, limit int, dst []string) ([]string, bool) {
	if len(raw) < 2 || raw[0] != '[' {
		return dst, false
	}
	p := parser{text: raw}
	done, err := p.open(']')
	for n := 0; !done && err == nil; n++ {
		at := p.pos
		if n == limit || p.peek() != '"' {
			return dst, false
		}
		var escaped bool
		if escaped, err = p.str(); err != nil {
			break
		}
		s := raw[at+1 : p.pos-1]
		if escaped {
			s = unescape(s)
		}
		dst = append(dst, s)
		done, err = p.next(']')
	}
	return dst, err == nil
}

// maxDate is the last second of the year 9999.
const maxDate = 253402300799

// Date returns the seconds since the epoch of a NumericDate (RFC 7519 §2),
// between 0 and the end of the year 9999, and whether a fraction of a second was
// cut off. ok is false for anything else.
func Date(raw string) (seconds int64, fraction, ok bool) {
	if n, ok := digitsOnly(raw); ok {
		return n, false, n <= maxDate
	}
	if raw == "" || raw[0] < '0' || raw[0] > '9' {
		return 0, false, false
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || f > maxDate {
		return 0, false, false
	}
	whole := math.Floor(f)
	return int64(whole), whole != f, true
}

func digitsOnly(s string) (n int64, ok bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}
