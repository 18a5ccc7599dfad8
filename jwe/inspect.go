package jwe

import (
	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
)

// Unverified is a compact serialization taken apart. Nothing in it may be
// believed: anybody can have written it.
type Unverified struct {
	Header                            string // the header's JSON text
	EncryptedKey, IV, Ciphertext, Tag []byte
	Parsed                            Header // of the header; what is no string there is empty here
}

// Inspect takes compact, of at most [DefaultMaxSize] bytes, apart for a person to
// look at, without any key. It refuses only what is not five parts of strict
// base64url with a JSON object for a header: a header that [Decrypt] refuses is
// shown as it is.
func Inspect(compact string) (*Unverified, error) {
	parts, err := Decrypter{}.cut(compact)
	if err != nil {
		return nil, err
	}
	var decoded [5][]byte
	for i, name := range [5]string{"header", "encrypted key", "IV", "ciphertext", "tag"} {
		if decoded[i], err = b64.Decode(nil, parts[i]); err != nil {
			return nil, malformed("%s: %v", name, err)
		}
	}
	u := &Unverified{Header: string(decoded[0]), EncryptedKey: decoded[1], IV: decoded[2], Ciphertext: decoded[3], Tag: decoded[4]}
	members, err := strictjson.Object(u.Header, strictjson.MaxDepth, nil)
	if err != nil {
		return nil, malformed("header: %v", err)
	}
	for _, m := range members {
		value, _ := strictjson.String(m.Value)
		switch m.Name {
		case "alg":
			u.Parsed.Algorithm = value
		case "enc":
			u.Parsed.Encryption = value
		case "kid":
			u.Parsed.KeyID = value
		case "typ":
			u.Parsed.Type = value
		case "cty":
			u.Parsed.ContentType = value
		case "iss":
			u.Parsed.Issuer = m.Value
		case "sub":
			u.Parsed.Subject = m.Value
		case "aud":
			u.Parsed.Audience = m.Value
		}
	}
	return u, nil
}
