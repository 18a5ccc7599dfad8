package jws

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
	"github.com/jotsmith/jotsmith/jwk"
)

// Header is what a JOSE header says of the members that matter here (RFC 7515
// §4.1). Members that offer a key ("jwk", "jku", "x5c", "x5u") are not among
// them: keys come from the key set that was configured and from nowhere else.
type Header struct {
	Algorithm string // "alg"
	KeyID     string // "kid"; empty where there is none
	Type      string // "typ"; empty where there is none
}

// maxMembers bounds the members of a header, and those of all that a JSON
// serialization holds, nested ones among them: before a signature has been
// verified, no text may cost many times its size.
const maxMembers = 100

// parseHeader reads the JSON of a header.
func parseHeader(text string, unencoded bool) (Header, error) {
	var room [8]strictjson.Member
	members, err := strictjson.BoundedObject(text, strictjson.MaxDepth, maxMembers, room[:0])
	if err != nil {
		return Header{}, malformed("header: %v", err)
	}
	return readHeader(members, unencoded)
}

// readHeader reads the members of a protected header. unencoded demands the
// extension "b64" (RFC 7797), which is refused without it.
func readHeader(members []strictjson.Member, unencoded bool) (Header, error) {
	var h Header
	var hasAlg, hasCrit, hasB64 bool
	for _, m := range members {
		var field *string
		switch m.Name {
		case "alg":
			field, hasAlg = &h.Algorithm, true
		case "kid":
			field = &h.KeyID
		case "typ":
			field = &h.Type
		case "crit":
			// RFC 7515 §4.1.11: an extension that is not understood refuses
			// the token, and one is understood where it is asked for.
			names, ok := strictjson.Strings(m.Value, 1, nil)
			if !unencoded || !ok || len(names) != 1 || names[0] != "b64" {
				return Header{}, malformed("header: \"crit\" demands an extension that was not asked for")
			}
			hasCrit = true
			continue
		case "b64":
			if !unencoded || m.Value != "false" {
				return Header{}, malformed("header: \"b64\" (RFC 7797) was not asked for, or is not false")
			}
			hasB64 = true
			continue
		default:
			continue
		}
		value, ok := strictjson.String(m.Value)
		if !ok || value == "" && m.Name != "alg" {
			return Header{}, malformed("header: %q is not a string with characters in it", m.Name)
		}
		*field = value
	}
	if !hasAlg {
		return Header{}, malformed("header: no \"alg\"")
	}
	// RFC 7797 §6: "crit" must list "b64", so that nobody overlooks it.
	if unencoded && !(hasCrit && hasB64) {
		return Header{}, malformed("header: no \"b64\":false with \"crit\":[\"b64\"], which was asked for")
	}
	return h, nil
}

// headerCache keeps what the headers of verified tokens say, by their exact
// text: an issuer writes the same few again and again. Only headers under a
// genuine signature enter it, so that nobody else can fill it.
type headerCache struct {
	known atomic.Pointer[[]knownHeader]
}

type knownHeader struct {
	text string
	Header
}

const maxKnownHeaders = 8

func (c *headerCache) find(text string) (Header, bool) {
	if known := c.known.Load(); known != nil {
		for i := range *known {
			if k := &(*known)[i]; k.text == text {
				return k.Header, true
			}
		}
	}
	return Header{}, false
}

// add puts a copy of the header first and drops the oldest beyond the bound. Of
// two that are added at once one may be lost, which costs one more parse.
func (c *headerCache) add(text string, h Header) {
	if len(text) > 1024 {
		return
	}
	old := c.known.Load()
	fresh := []knownHeader{{string([]byte(text)), h}}
	if old != nil {
		fresh = append(fresh, (*old)[:min(len(*old), maxKnownHeaders-1)]...)
	}
	c.known.CompareAndSwap(old, &fresh)
}

// encodeHeader returns the base64url of the header {"alg","typ","kid"}, and of
// "b64":false and "crit" where the payload is not encoded.
func encodeHeader(key jwk.Signer, typ string, unencoded bool) (string, error) {
	if key == nil {
		return "", errors.New("no key to sign with")
	}
	h := struct {
		Algorithm jwk.Algorithm `json:"alg"`
		Type      string        `json:"typ,omitempty"`
		KeyID     string        `json:"kid"`
		B64       *bool         `json:"b64,omitempty"`
		Critical  []string      `json:"crit,omitempty"`
	}{Algorithm: key.Algorithm(), Type: typ, KeyID: key.KeyID()}
	if unencoded {
		h.B64, h.Critical = new(bool), []string{"b64"}
	}
	text, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("encoding the header: %w", err)
	}
	return b64.Encode(text), nil
}
