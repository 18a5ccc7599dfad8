package jwt

import (
	"bytes"
	"strings"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
)

// choose returns the policy that a token of one of several issuers is held to.
// It believes nothing yet: "iss" is compared again once the issuer's key has
// verified it.
func (v *Verifier) choose(compact string) (*policy, error) {
	if len(compact) > v.envelope.MaxSize {
		return nil, tooLong(compact, v.envelope.MaxSize)
	}
	issuer, err := unverifiedIssuer(compact)
	if err != nil {
		return nil, err
	}
	p := v.byIssuer[issuer]
	if p == nil {
		return nil, refuse(ErrIssuer, "\"iss\" is none of the %d issuers", len(v.byIssuer))
	}
	if len(compact) > p.MaxSize {
		return nil, tooLong(compact, p.MaxSize)
	}
	return p, nil
}

func tooLong(compact string, most int) error {
	return refuse(ErrMalformed, "%d bytes, at most %d are taken", len(compact), most)
}

// unverifiedIssuer reads "iss", empty where there is none, out of a token of
// which nothing is known.
func unverifiedIssuer(compact string) (string, error) {
	_, rest, _ := strings.Cut(compact, ".")
	encoded, _, ok := strings.Cut(rest, ".")
	if !ok {
		return "", refuse(ErrMalformed, "not three parts between dots")
	}
	payload, err := b64.Decode(nil, encoded)
	if err != nil {
		return "", refuse(ErrMalformed, "payload: %v", err)
	}
	if !bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{")) {
		return "", refuse(ErrMalformed, "claims: not an object")
	}
	raw, found := findIssuer(payload)
	if !found {
		return "", nil
	}
	issuer, ok := strictjson.Literal(raw)
	if !ok || issuer == "" {
		return "", refuse(ErrMalformed, "claims: \"iss\" has a value of the wrong kind or size")
	}
	return issuer, nil
}

// findIssuer returns the value of the first member "iss" of a JSON object as it
// is written, empty if it is no string. It reads each byte once and keeps none,
// since anybody can send them, and leaves everything else that may be wrong with
// the text to the parser of the claims, which refuses it.
func findIssuer(text []byte) (raw string, found bool) {
	depth, name := 0, false // name: a string here would be the name of a member
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
			name = depth == 1
		case '}', ']':
			depth--
			name = false
		case ',':
			name = depth == 1
		case '"':
			end := stringEnd(text, i)
			if name && depth == 1 && isIssuer(text[i:end]) {
				return stringBehind(text, end), true
			}
			name = false
			i = end - 1
		}
	}
	return "", false
}

func isIssuer(name []byte) bool {
	if bytes.IndexByte(name, '\\') < 0 {
		return string(name) == `"iss"`
	}
	s, ok := strictjson.Literal(string(name))
	return ok && s == "iss"
}

// stringBehind returns the string behind the colon at i, as it is written.
func stringBehind(text []byte, i int) string {
	rest := bytes.TrimLeft(text[i:], " \t\r\n:")
	if len(rest) == 0 || rest[0] != '"' {
		return ""
	}
	return string(rest[:stringEnd(rest, 0)])
}

// stringEnd returns the index behind the string that begins at i.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}
