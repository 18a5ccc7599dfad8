package jwt

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/internal/strictjson"
	"github.com/jotsmith/jotsmith/jwk"
)

// Token is a verified token. Only a [Verifier] makes one. It is immutable and
// safe for concurrent use. Its principal is the pair of issuer and subject: a
// subject alone means nothing among several issuers.
//
// It prints as its key's algorithm and its time of expiry, without any claim.
type Token struct {
	key    jwk.Verifier // what each use of a kept token looks at comes first
	facts  [4]Fact
	kept   [4]bool // which of facts are there
	claims claims
	policy *policy // that it was held to

	typ     string
	payload string

	audienceRoom [2]string
	roleRoom     [4]string
}

// Issuer returns "iss", never empty.
func (t *Token) Issuer() string { return t.claims.issuer }

// Subject returns "sub", empty where the token has none.
func (t *Token) Subject() string { return t.claims.subject }

// ID returns "jti", empty where the token has none.
func (t *Token) ID() string { return t.claims.id }

// SessionID returns "sid", empty where the token has none.
func (t *Token) SessionID() string { return t.claims.session }

// ClientID returns "client_id" (RFC 8693 §4.3), empty where the token has none.
func (t *Token) ClientID() string { return t.claims.client }

// Audiences iterates over "aud".
func (t *Token) Audiences() iter.Seq[string] { return slices.Values(t.claims.audiences) }

// HasAudience reports whether "aud" names audience, byte for byte.
func (t *Token) HasAudience(audience string) bool {
	return slices.Contains(t.claims.audiences, audience)
}

// Scopes iterates over the names in "scope".
func (t *Token) Scopes() iter.Seq[string] {
	return func(yield func(string) bool) {
		for s := range strings.SplitSeq(t.claims.scope, " ") {
			if s != "" && !yield(s) {
				return
			}
		}
	}
}

// HasScope reports whether "scope" holds name.
func (t *Token) HasScope(name string) bool {
	for s := range t.Scopes() {
		if s == name {
			return true
		}
	}
	return false
}

// Roles iterates over "roles".
func (t *Token) Roles() iter.Seq[string] { return slices.Values(t.claims.roles) }

// HasRole reports whether "roles" holds name.
func (t *Token) HasRole(name string) bool { return slices.Contains(t.claims.roles, name) }

// IssuedAt returns "iat", the zero time where the token has none.
func (t *Token) IssuedAt() time.Time { return date(t.claims.issuedAt, t.claims.hasIssued) }

// NotBefore returns "nbf", the zero time where the token has none.
func (t *Token) NotBefore() time.Time { return date(t.claims.notBefore, t.claims.hasNotBefore) }

// ExpiresAt returns "exp", which every token has, or the time at which the
// policy's MaxAge ends the token, where that is earlier.
func (t *Token) ExpiresAt() time.Time { return date(t.claims.expires, true) }

// AuthTime returns "auth_time", when the holder last logged in (RFC 9068
// §2.2.1), the zero time where the token has none.
func (t *Token) AuthTime() time.Time { return date(t.claims.loggedIn, t.claims.hasLoggedIn) }

// LoginAge returns how long ago AuthTime is, by the clock of the token's policy.
// ok is false where the token does not say it, or names a time that is further
// ahead than the policy's leeway: neither is a fresh log-in. One that is ahead
// within it is 0 old.
func (t *Token) LoginAge() (age time.Duration, ok bool) {
	if !t.claims.hasLoggedIn {
		return 0, false
	}
	age = t.policy.Now().Sub(t.AuthTime())
	return max(age, 0), age >= -t.policy.Leeway
}

// ACR returns "acr", the class of the log-in in the issuer's words (RFC 9068
// §2.2.1), empty where the token has none.
func (t *Token) ACR() string { return t.claims.acr }

// AuthMethods iterates over "amr", how the holder logged in (RFC 8176).
func (t *Token) AuthMethods() iter.Seq[string] { return slices.Values(t.claims.methods) }

// HasAuthMethod reports whether "amr" holds name.
func (t *Token) HasAuthMethod(name string) bool { return slices.Contains(t.claims.methods, name) }

func date(seconds int64, present bool) time.Time {
	if !present {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// KeyID returns the id of the key that verified the token.
func (t *Token) KeyID() string { return t.key.KeyID() }

// Algorithm returns the algorithm of the key that verified the token.
func (t *Token) Algorithm() jwk.Algorithm { return t.key.Algorithm() }

// Type returns "typ" as the header spells it.
func (t *Token) Type() string { return t.typ }

// String returns the algorithm and the expiry.
func (t Token) String() string {
	return fmt.Sprintf("jwt.Token(%s, expires %s)", t.Algorithm(), t.ExpiresAt().UTC().Format(time.RFC3339))
}

// Format prints String under every verb.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.String()) }

// LogValue returns String.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Decode decodes the claims of t into a T, by the rules of encoding/json save
// that names must be spelled exactly as the fields' are. Registered claims decode
// as any other. It decodes anew at each call, so that no caller can change what
// another one sees; keep what you need.
//
// Numbers go into float64 where T does not say otherwise, which holds integers up
// to 2^53: give the field an integer type, or json.Number. Text that is too deep
// or that repeats a name never comes this far. The error names the field and its
// type and tells nothing of the claim; errors.Unwrap returns what a decoder of
// T's own said.
func Decode[T any](t *Token) (T, error) {
	var v T
	if err := strictjson.Unmarshal([]byte(t.payload), &v, strictjson.MaxDepth); err != nil {
		var zero T
		return zero, &decodeError{fmt.Sprintf("decoding claims into %T", v), err}
	}
	return v, nil
}

// decodeError keeps the value, which its cause may quote, out of logs.
type decodeError struct {
	doing string
	cause error
}

func (e *decodeError) Error() string {
	if fault, ok := errors.AsType[*json.UnmarshalTypeError](e.cause); ok {
		return fmt.Sprintf("%s: %q takes a %s", e.doing, fault.Field, fault.Type)
	}
	return e.doing + ": the type's own decoder refuses a value"
}

func (e *decodeError) Unwrap() error { return e.cause }
