package jwt

import (
	"github.com/jotsmith/jotsmith/internal/strictjson"
	"github.com/jotsmith/jotsmith/jws"
)

// Unverified is a token taken apart, of which nothing is known: not who wrote
// it, nor whether anything in it is true.
type Unverified struct {
	parts *jws.Unverified
}

// Inspect takes compact, of at most 16 KiB, apart for a person to look at. It
// verifies nothing, and refuses only what is not three parts of strict base64url
// around two JSON objects.
func Inspect(compact string) (*Unverified, error) {
	parts, err := jws.Inspect(compact)
	if err != nil {
		return nil, err
	}
	if _, err := strictjson.Object(string(parts.Payload), strictjson.MaxDepth, nil); err != nil {
		return nil, refuse(ErrMalformed, "claims: %v", err)
	}
	return &Unverified{parts}, nil
}

// Header returns the JSON of the header, as it was sent.
func (u *Unverified) Header() string { return u.parts.Header }

// Claims returns the JSON of the claims, as it was sent.
func (u *Unverified) Claims() string { return string(u.parts.Payload) }

// Signature returns the bytes of the signature.
func (u *Unverified) Signature() []byte { return []byte(string(u.parts.Signature)) }

// Algorithm returns the header's "alg", which may be any text.
func (u *Unverified) Algorithm() string { return u.parts.Parsed.Algorithm }

// KeyID returns the header's "kid", empty where there is none.
func (u *Unverified) KeyID() string { return u.parts.Parsed.KeyID }

// Type returns the header's "typ", empty where there is none.
func (u *Unverified) Type() string { return u.parts.Parsed.Type }
