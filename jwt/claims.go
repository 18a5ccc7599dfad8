package jwt

import (
	"slices"

	"github.com/jotsmith/jotsmith/internal/strictjson"
)

const (
	maxAudiences = 64
	maxRoles     = 512
	maxMethods   = 32
)

// claims are the registered claims of a token (RFC 7519 §4.1, RFC 9068 §2.2 and
// §2.2.1), as substrings of the payload.
type claims struct {
	expires                 int64 // seconds since the epoch, as the others
	notBefore, issuedAt     int64
	hasNotBefore, hasIssued bool
	session                 string // beside the times: revocation asks for it at each use
	issuer, subject, id     string
	client, scope           string
	audiences, roles        []string
	acr                     string
	methods                 []string
	loggedIn                int64
	hasLoggedIn             bool
}

// parse reads the claims out of payload. A registered claim of another type than
// its own makes the token malformed, and so does a missing "exp" or one that is
// required.
func (c *claims) parse(payload string, required []string) error {
	var room [24]strictjson.Member
	members, err := strictjson.Object(payload, strictjson.MaxDepth, room[:0])
	if err != nil {
		return refuse(ErrMalformed, "claims: %v", err)
	}
	hasExpiry := false
	for _, m := range members {
		ok := true
		switch m.Name {
		case "iss":
			c.issuer, ok = nonEmpty(m.Value)
		case "sub":
			c.subject, ok = nonEmpty(m.Value)
		case "jti":
			c.id, ok = nonEmpty(m.Value)
		case "sid":
			c.session, ok = nonEmpty(m.Value)
		case "client_id":
			c.client, ok = nonEmpty(m.Value)
		case "scope": // RFC 8693 §4.2: one string
			c.scope, ok = strictjson.String(m.Value)
		case "aud": // RFC 7519 §4.1.3: an array, or one string
			if one, isString := strictjson.String(m.Value); isString {
				c.audiences = append(c.audiences, one)
			} else {
				c.audiences, ok = strictjson.Strings(m.Value, maxAudiences, c.audiences)
			}
		case "roles":
			c.roles, ok = strictjson.Strings(m.Value, maxRoles, c.roles)
		case "exp": // cut off fractions so that no token lives longer
			c.expires, _, ok = strictjson.Date(m.Value)
			hasExpiry = true
		case "nbf":
			c.notBefore, ok = roundUp(m.Value)
			c.hasNotBefore = true
		case "iat":
			c.issuedAt, _, ok = strictjson.Date(m.Value)
			c.hasIssued = true
		case "auth_time": // cut off fractions so that no log-in looks younger
			c.loggedIn, _, ok = strictjson.Date(m.Value)
			c.hasLoggedIn = true
		case "acr":
			c.acr, ok = nonEmpty(m.Value)
		case "amr": // RFC 8176 §1: an array, also of one
			c.methods, ok = strictjson.Strings(m.Value, maxMethods, nil)
		}
		if !ok {
			return refuse(ErrMalformed, "claims: %q has a value of the wrong kind or size", m.Name)
		}
	}
	if !hasExpiry {
		return refuse(ErrMalformed, "claims: no \"exp\"")
	}
	for _, name := range required {
		if !slices.ContainsFunc(members, func(m strictjson.Member) bool { return m.Name == name }) {
			return refuse(ErrMalformed, "claims: no %q", name)
		}
	}
	return nil
}

func nonEmpty(raw string) (string, bool) {
	s, ok := strictjson.String(raw)
	return s, ok && s != ""
}

func roundUp(raw string) (int64, bool) {
	seconds, fraction, ok := strictjson.Date(raw)
	if fraction {
		seconds++
	}
	return seconds, ok
}
