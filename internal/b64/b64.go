// Package b64 encodes and decodes the base64url of JOSE (RFC 7515 §2): no
// padding, no line breaks, no whitespace, one spelling only for each value.
//
// It refuses what encoding/base64 lets pass: carriage returns and line feeds
// are skipped by that package even in its strict mode, so that one token would
// have many spellings and none of them could be looked up or revoked by text.
package b64

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
)

// ErrInvalid means that a text is not canonical base64url without padding.
var ErrInvalid = errors.New("not base64url without padding")

// Append appends the base64url of src to dst.
func Append(dst, src []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, src)
}

// Encode returns the base64url of src.
func Encode(src []byte) string {
	return base64.RawURLEncoding.EncodeToString(src)
}

const invalid = 0xff

var values = func() (t [256]byte) {
	for i := range t {
		t[i] = invalid
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		t[c] = byte(i)
	}
	return t
}()

// Decode appends the bytes that s encodes to dst. A character outside the
// alphabet, a length of 1 modulo 4 and unused bits that are not zero are
// refused with [ErrInvalid].
func Decode[T string | []byte](dst []byte, s T) ([]byte, error) {
	size := DecodedLen(len(s))
	dst = slices.Grow(dst, size)
	out := dst[len(dst) : len(dst)+size]
	dst = dst[:len(dst)+size]
	var bad byte
	for len(s) >= 8 && len(out) >= 8 {
		a, b, c, d := values[s[0]], values[s[1]], values[s[2]], values[s[3]]
		e, f, g, h := values[s[4]], values[s[5]], values[s[6]], values[s[7]]
		bad |= a | b | c | d | e | f | g | h
		// Eight characters are 48 bits; the two bytes below them are
		// overwritten by what follows.
		binary.BigEndian.PutUint64(out, uint64(a)<<58|uint64(b)<<52|uint64(c)<<46|uint64(d)<<40|
			uint64(e)<<34|uint64(f)<<28|uint64(g)<<22|uint64(h)<<16)
		s, out = s[8:], out[6:]
	}
	for len(s) >= 4 {
		a, b, c, d := values[s[0]], values[s[1]], values[s[2]], values[s[3]]
		bad |= a | b | c | d
		out[0], out[1], out[2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
		s, out = s[4:], out[3:]
	}
	switch len(s) {
	case 1:
		return nil, ErrInvalid
	case 2:
		a, b := values[s[0]], values[s[1]]
		if b&0x0f != 0 {
			return nil, ErrInvalid
		}
		bad |= a | b
		out[0] = a<<2 | b>>4
	case 3:
		a, b, c := values[s[0]], values[s[1]], values[s[2]]
		if c&0x03 != 0 {
			return nil, ErrInvalid
		}
		bad |= a | b | c
		out[0], out[1] = a<<2|b>>4, b<<4|c>>2
	}
	if bad&0xc0 != 0 {
		return nil, ErrInvalid
	}
	return dst, nil
}

// DecodedLen is the number of bytes that n characters of base64url encode.
func DecodedLen(n int) int { return n * 6 / 8 }
