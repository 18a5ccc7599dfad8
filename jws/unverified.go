package jws

import (
	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
)

// Unverified is a compact serialization taken apart. Nothing in it may be
// believed: anybody can have written it.
type Unverified struct {
	Header    string // the header's JSON text
	Payload   []byte
	Signature []byte
	Parsed    Header // of the header; what is no string there is empty here
}

// Inspect takes compact, of at most [DefaultMaxSize] bytes, apart for a person
// to look at. It refuses only what is not three parts of strict base64url with a
// JSON object for a header, and says nothing about whether the token is good: a
// header that [Verifier.Verify] refuses is shown as it is.
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
	members, err := strictjson.Object(u.Header, strictjson.MaxDepth, nil)
	if err != nil {
		return nil, malformed("header: %v", err)
	}
	for _, m := range members {
		value, _ := strictjson.String(m.Value)
		switch m.Name {
		case "alg":
			u.Parsed.Algorithm = value
		case "kid":
			u.Parsed.KeyID = value
		case "typ":
			u.Parsed.Type = value
		}
	}
	if u.Payload, err = b64.Decode(nil, p.payload); err != nil {
		return nil, malformed("payload: %v", err)
	}
	if u.Signature, err = b64.Decode(nil, p.signature); err != nil {
		return nil, malformed("signature: %v", err)
	}
	return u, nil
}
