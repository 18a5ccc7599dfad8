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

// invalid is the bit that no value of four characters has.
const invalid = 1 << 24

// shifted holds, for each of the four places that a character can have in a
// group, its six bits where they stand in the group's 24.
var shifted = func() (t [4][256]uint32) {
	for place := range t {
		for i := range t[place] {
			t[place][i] = invalid
		}
		for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
			t[place][c] = uint32(i) << (18 - 6*place)
		}
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
	bad := uint32(0)
	for len(s) >= 8 && len(out) >= 8 {
		high := shifted[0][s[0]] | shifted[1][s[1]] | shifted[2][s[2]] | shifted[3][s[3]]
		low := shifted[0][s[4]] | shifted[1][s[5]] | shifted[2][s[6]] | shifted[3][s[7]]
		bad |= high | low
		// Eight characters are 48 bits; the two bytes below them are
		// overwritten by what follows.
		binary.BigEndian.PutUint64(out, uint64(high)<<40|uint64(low)<<16)
		s, out = s[8:], out[6:]
	}
	for len(s) >= 4 {
		v := shifted[0][s[0]] | shifted[1][s[1]] | shifted[2][s[2]] | shifted[3][s[3]]
		bad |= v
		out[0], out[1], out[2] = byte(v>>16), byte(v>>8), byte(v)
		s, out = s[4:], out[3:]
	}
	switch len(s) {
	case 1:
		return nil, ErrInvalid
	case 2:
		v := shifted[0][s[0]] | shifted[1][s[1]]
		if v&0xffff != 0 { // bits that encode nothing
			return nil, ErrInvalid
		}
		bad |= v
		out[0] = byte(v >> 16)
	case 3:
		v := shifted[0][s[0]] | shifted[1][s[1]] | shifted[2][s[2]]
		if v&0xff != 0 {
			return nil, ErrInvalid
		}
		bad |= v
		out[0], out[1] = byte(v>>16), byte(v>>8)
	}
	if bad&invalid != 0 {
		return nil, ErrInvalid
	}
	return dst, nil
}

// DecodedLen is the number of bytes that n characters of base64url encode.
func DecodedLen(n int) int { return n * 6 / 8 }
