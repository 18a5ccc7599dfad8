package jws

import "github.com/jotsmith/jotsmith/internal/b64"

// Unverified is a compact serialization taken apart. Nothing in it may be
// believed: anybody can have written it.
type Unverified struct {
	Header    string // the header's JSON text
	Payload   []byte
	Signature []byte
	Parsed    Header
}

// Inspect takes compact, of at most [DefaultMaxSize] bytes, apart for a person
// to look at. It refuses what is not a JWS of the strict form and says nothing
// about the signature.
func Inspect(compact string) (*Unverified, error) {
	p, err := split(compact, 0)
	if err != nil {
		return nil, err
	}
	header, err := b64.Decode(nil, p.header)
	if err != nil {
		return nil, malformed("header: %v", err)
	}
	u := &Unverified{Header: string(header)}
	if u.Parsed, err = parseHeader(u.Header); err != nil {
		return nil, err
	}
	if u.Payload, err = b64.Decode(nil, p.payload); err != nil {
		return nil, malformed("payload: %v", err)
	}
	if u.Signature, err = b64.Decode(nil, p.signature); err != nil {
		return nil, malformed("signature: %v", err)
	}
	return u, nil
}
