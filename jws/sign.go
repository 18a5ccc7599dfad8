package jws

import (
	"sync"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
)

// Signer signs payloads with one key under one header, which it encodes once.
// It is safe for concurrent use and must not be copied.
type Signer struct {
	key     jwk.Signer
	prefix  string
	buffers sync.Pool
}

// NewSigner makes a signer whose header is {"alg","typ","kid"}, without "typ"
// where typ is empty.
func NewSigner(key jwk.Signer, typ string) (*Signer, error) {
	header, err := encodeHeader(key, typ, false)
	if err != nil {
		return nil, err
	}
	return &Signer{key: key, prefix: header + "."}, nil
}

// Sign returns the compact serialization of payload.
func (s *Signer) Sign(payload []byte) (string, error) {
	buf, ok := s.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	defer keep(&s.buffers, buf)
	out := append((*buf)[:0], s.prefix...)
	out = b64.Append(out, payload)
	end := len(out)
	out, err := s.key.AppendSignature(out, out)
	if err != nil {
		return "", err
	}
	signature := len(out)
	out = append(out, '.')
	out = b64.Append(out, out[end:signature])
	*buf = out
	// The raw signature stands between the text and its encoding.
	copy(out[end:], out[signature:])
	return string(out[:len(out)-(signature-end)]), nil
}

// Sign returns the compact serialization of payload, signed by key under the
// header {"alg","typ","kid"}.
func Sign(key jwk.Signer, typ string, payload []byte) (string, error) {
	s, err := NewSigner(key, typ)
	if err != nil {
		return "", err
	}
	return s.Sign(payload)
}
