package jwe

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
	"github.com/jotsmith/jotsmith/jwk"
)

// Header is what a JOSE header says of the members that matter here (RFC 7516
// §4.1). Members that offer a key ("jwk", "jku", "x5c", "x5u") are not among
// them.
type Header struct {
	Algorithm   string // "alg"
	Encryption  string // "enc"
	KeyID       string // "kid"; empty where there is none, as are those below
	Type        string // "typ"
	ContentType string // "cty"

	// Claims that the header repeats (RFC 7519 §5.3), as JSON. The tag covers
	// them; whether they are the claims of the token is for its reader to see.
	Issuer, Subject, Audience string
}

// header is a Header with what is for the key alone.
type header struct {
	Header
	wrapped jwk.WrappedKey
}

func (h *header) alg() jwk.KeyManagement     { return jwk.KeyManagement(h.Algorithm) }
func (h *header) enc() jwk.ContentEncryption { return jwk.ContentEncryption(h.Encryption) }

// exists refuses algorithms that no key can have here, before any is asked for.
func (h *header) exists() error {
	known := h.alg().Known() || h.Algorithm == "RSA-OAEP" // see jwk.DangerouslyParseRSAOAEP
	if !known || !h.enc().Known() {
		return fmt.Errorf("%w: the header's \"alg\" or \"enc\" is none of those that exist", ErrAlgorithm)
	}
	return nil
}

// maxMembers bounds the members of all headers together, nested ones among them:
// before anything has been decrypted, no text may cost many times its size.
const maxMembers = 100

func decodeHeader(encoded string) (h header, err error) {
	text, err := b64.Decode(nil, encoded)
	if err != nil {
		return h, malformed("header: %v", err)
	}
	var room [8]strictjson.Member
	members, err := strictjson.BoundedObject(string(text), strictjson.MaxDepth, maxMembers, room[:0])
	if err != nil {
		return h, malformed("header: %v", err)
	}
	if err := h.read(members); err != nil {
		return h, err
	}
	return h, h.complete()
}

// complete demands what no message can do without.
func (h *header) complete() error {
	switch {
	case h.Algorithm == "":
		return malformed("header: no \"alg\"")
	case h.Encryption == "":
		return malformed("header: no \"enc\"")
	}
	return nil
}

// read reads members into h.
func (h *header) read(members []strictjson.Member) error {
	for _, m := range members {
		var text *string
		var octets *[]byte
		switch m.Name {
		case "alg":
			text = &h.Algorithm
		case "enc":
			text = &h.Encryption
		case "kid":
			text = &h.KeyID
		case "typ":
			text = &h.Type
		case "cty":
			text = &h.ContentType
		case "iss":
			h.Issuer = m.Value
		case "sub":
			h.Subject = m.Value
		case "aud":
			h.Audience = m.Value
		case "apu":
			octets = &h.wrapped.PartyU
		case "apv":
			octets = &h.wrapped.PartyV
		case "iv":
			octets = &h.wrapped.IV
		case "tag":
			octets = &h.wrapped.Tag
		case "p2s":
			octets = &h.wrapped.Salt
		case "epk":
			if h.wrapped.EphemeralKey = m.Value; m.Value[0] != '{' {
				return malformed("header: \"epk\" is not an object")
			}
		case "p2c":
			n, err := strconv.ParseUint(m.Value, 10, 31)
			if err != nil || n == 0 {
				return malformed("header: \"p2c\" is not a positive integer of 31 bits")
			}
			h.wrapped.Iterations = int(n)
		case "zip":
			// A few bytes become a gigabyte, and how far a text shrinks tells
			// of what is in it.
			return malformed("header: \"zip\": compressed content is not taken")
		case "crit":
			// RFC 7516 §4.1.13: an extension that is not understood.
			return malformed("header: \"crit\" demands an extension that does not exist here")
		}
		if text == nil && octets == nil {
			continue
		}
		value, ok := strictjson.String(m.Value)
		if !ok || value == "" && octets == nil {
			return malformed("header: %q is not a string with characters in it", m.Name)
		}
		if text != nil {
			*text = value
			continue
		}
		var err error
		if *octets, err = b64.Decode(nil, value); err != nil {
			return malformed("header: %q: %v", m.Name, err)
		}
	}
	return nil
}

// written is a header as it is written.
type written struct {
	Algorithm   jwk.KeyManagement     `json:"alg,omitempty"`
	Encryption  jwk.ContentEncryption `json:"enc,omitempty"`
	Type        string                `json:"typ,omitempty"`
	ContentType string                `json:"cty,omitempty"`
	KeyID       string                `json:"kid,omitempty"`

	EphemeralKey json.RawMessage `json:"epk,omitempty"`
	IV           string          `json:"iv,omitempty"`
	Tag          string          `json:"tag,omitempty"`
	Salt         string          `json:"p2s,omitempty"`
	Iterations   int             `json:"p2c,omitempty"`
}

// parameters fills in what the recipient needs beside the encrypted key.
func (h *written) parameters(w jwk.WrappedKey) {
	h.EphemeralKey = json.RawMessage(w.EphemeralKey)
	h.IV, h.Tag, h.Salt = b64.Encode(w.IV), b64.Encode(w.Tag), b64.Encode(w.Salt)
	h.Iterations = w.Iterations
}

// encode returns the base64url of the header's JSON.
func (h *written) encode() (string, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("encoding the header: %w", err)
	}
	return b64.Encode(text), nil
}
