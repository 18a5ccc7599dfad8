// Package jws signs and verifies JSON Web Signatures (RFC 7515).
//
// Each serialization has functions of its own, and none takes what is meant for
// another, whatever arrives:
//
//   - compact, header.payload.signature (§3.1), which is what a token is:
//     [Sign], [Verify], [Signer], [Verifier];
//   - JSON, flattened or general with several signatures (§7.2): [JSONSigner],
//     [JSONVerifier];
//   - detached, for a payload that travels by itself (appendix F):
//     [SignDetached], [VerifyDetached], [JSONVerifier.VerifyDetached];
//   - unencoded, "b64":false (RFC 7797), for JSON and detached payloads:
//     [SignDetachedUnencoded], [VerifyDetachedUnencoded], and a field of
//     JSONSigner and JSONVerifier.
//
// Verification looks at the form of the whole first, then asks the key set for
// the key that the header names, compares the key's algorithm with the header's,
// and verifies the signature. Only then is the payload handed out. What is
// refused, always: base64url with more than one spelling, duplicate members,
// extensions ("crit") that were not asked for, algorithms that the key was not
// made for, headers without protection that would have a say. The unsecured JWS
// of RFC 7515 A.5 ("none") does not exist.
//
// The text of a token is not its identity: whoever has an ECDSA signature can
// make one more that verifies, (r, n−s) for (r, s), and JSON has many spellings.
// Neither can change a byte of what is signed. And one signature is good for
// every serialization of the same payload and protected header: what is not a
// token deserves a "typ" of its own.
//
// Keys are package jwk. Claims, times and audiences are package jwt, which is
// what an API wants, and which takes compact serializations only.
package jws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
)

// DefaultMaxSize is the size of the compact serialization, in bytes, that a
// [Verifier] takes where it does not say otherwise.
const DefaultMaxSize = 16 << 10

var (
	// ErrMalformed means that a text is not a compact JWS of the strict form.
	ErrMalformed = errors.New("malformed token")
	// ErrAlgorithm means that the header's algorithm is not the key's, or not
	// one that exists here.
	ErrAlgorithm = errors.New("wrong algorithm")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Keys is where verification keys come from: [*jwk.Set] is one.
type Keys interface {
	// Key returns the key of that id, or an error that wraps
	// [jwk.ErrUnknownKey]. kid is empty where the token names no key; a set of
	// several keys must then return the error.
	Key(ctx context.Context, kid string) (jwk.Verifier, error)
}

// Verified is a JWS whose signature has been verified.
type Verified struct {
	Header  Header
	Key     jwk.Verifier // the key that verified it
	Payload string
}

// Verifier verifies compact serializations and remembers the headers of the
// last few issuers. The zero value is ready; a Verifier is safe for concurrent
// use and must not be copied.
type Verifier struct {
	// MaxSize is in bytes of the compact serialization; 0 stands for
	// DefaultMaxSize, which is also the most that a header may have of it.
	MaxSize int

	headers headerCache
	buffers sync.Pool
}

// Verify verifies compact with the key of keys that its header names. The
// errors are [ErrMalformed], [ErrAlgorithm], [jwk.ErrSignature] and what
// keys.Key returns.
func (v *Verifier) Verify(ctx context.Context, compact string, keys Keys) (Verified, error) {
	parts, err := split(compact, v.MaxSize)
	if err != nil {
		return Verified{}, err
	}
	// One buffer holds, one after the other: the payload, the text and the
	// signature.
	buf := v.buffer(b64.DecodedLen(len(parts.payload)) + len(compact) + b64.DecodedLen(len(parts.signature)))
	defer keep(&v.buffers, buf)
	out, err := b64.Decode((*buf)[:0], parts.payload)
	if err != nil {
		return Verified{}, malformed("payload: %v", err)
	}
	text := len(out)
	out = append(out, compact...)
	end := len(out)
	out, err = b64.Decode(out, parts.signature)
	if err != nil {
		return Verified{}, malformed("signature: %v", err)
	}
	*buf = out
	header, known := v.headers.find(parts.header)
	if !known {
		if header, err = decodeHeader(parts.header, false); err != nil {
			return Verified{}, err
		}
	}
	key, err := find(ctx, header, keys)
	if err != nil {
		return Verified{}, err
	}
	// RFC 7515 §5.2, step 8: what is signed is the text before the last dot.
	if err := key.Verify(out[text:text+parts.signed], out[end:]); err != nil {
		return Verified{}, err
	}
	if !known {
		v.headers.add(parts.header, header)
	}
	return Verified{Header: header, Key: key, Payload: string(out[:text])}, nil
}

// buffer returns room for at least size bytes.
func (v *Verifier) buffer(size int) *[]byte {
	buf, ok := v.buffers.Get().(*[]byte)
	if !ok || cap(*buf) < size {
		room := make([]byte, 0, max(size, 4<<10))
		buf = &room
	}
	return buf
}

// keep puts a buffer back unless one large token made it grow: its memory would
// be held for good.
func keep(pool *sync.Pool, buf *[]byte) {
	if cap(*buf) <= 4*DefaultMaxSize {
		pool.Put(buf)
	}
}

// Verify verifies compact, of at most [DefaultMaxSize] bytes, as
// [Verifier.Verify] does.
func Verify(ctx context.Context, compact string, keys Keys) (Verified, error) {
	return new(Verifier).Verify(ctx, compact, keys)
}

// find returns the key for a header. The key's own algorithm decides.
func find(ctx context.Context, header Header, keys Keys) (jwk.Verifier, error) {
	if !jwk.Algorithm(header.Algorithm).Known() {
		return nil, fmt.Errorf("%w: the header's \"alg\" is none of those that exist", ErrAlgorithm)
	}
	return lookUp(ctx, header, keys)
}

// lookUp is find for a header whose algorithm need not exist: an unknown key is
// told before a wrong algorithm.
func lookUp(ctx context.Context, header Header, keys Keys) (jwk.Verifier, error) {
	key, err := keys.Key(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	if key == nil || header.KeyID != "" && key.KeyID() != header.KeyID {
		return nil, fmt.Errorf("%w: the key set answered with another key", jwk.ErrUnknownKey)
	}
	if string(key.Algorithm()) != header.Algorithm {
		return nil, fmt.Errorf("%w: the key verifies %s only", ErrAlgorithm, key.Algorithm())
	}
	return key, nil
}

func decodeHeader(encoded string, unencoded bool) (Header, error) {
	text, err := b64.Decode(nil, encoded)
	if err != nil {
		return Header{}, malformed("header: %v", err)
	}
	return parseHeader(string(text), unencoded)
}

// parts are the three parts of a compact serialization, as they stand in it.
type parts struct {
	header, payload, signature string
	signed                     int // length of header.payload
}

// split takes a compact serialization apart without looking into its parts.
func split(compact string, maxSize int) (p parts, err error) {
	if maxSize <= 0 {
		maxSize = DefaultMaxSize
	}
	if len(compact) > maxSize {
		return p, malformed("%d bytes, at most %d are taken", len(compact), maxSize)
	}
	first := strings.IndexByte(compact, '.')
	last := strings.LastIndexByte(compact, '.')
	if first == last || strings.IndexByte(compact[first+1:last], '.') >= 0 {
		return p, malformed("not three parts between dots")
	}
	p = parts{compact[:first], compact[first+1 : last], compact[last+1:], last}
	if p.header == "" {
		return p, malformed("empty header")
	}
	if len(p.header) > DefaultMaxSize {
		return p, malformed("header of %d bytes, at most %d are taken", len(p.header), DefaultMaxSize)
	}
	return p, nil
}
