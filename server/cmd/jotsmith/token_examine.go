package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// An unverified token has been read leniently, to be explained and for
// nothing else. What a verifier would refuse becomes a finding.
type unverified struct {
	text            string
	header, payload json.RawMessage
	signature       []byte
	strict          error // what a verifier's reader says about the form
}

// readUnverified refuses only what cannot be shown as a signed token.
func readUnverified(text string) (*unverified, error) {
	switch {
	case strings.HasPrefix(text, "jsr_"):
		return nil, errors.New("not a JSON Web Token: this is a refresh token, which only its server can read")
	case strings.HasPrefix(text, "jsd_"):
		return nil, errors.New("not a JSON Web Token: this is a device token, which only its server can read")
	}
	parts := strings.Split(text, ".")
	switch {
	case len(parts) == 5:
		return nil, errors.New("this token is encrypted (five parts, RFC 7516); what it says is for its recipient")
	case len(parts) != 3:
		return nil, fmt.Errorf("not a token: %s where a signed token has 3 (RFC 7515 §7.1)", plural(int64(len(parts)), "part"))
	}
	raw := &unverified{text: text}
	var err error
	if raw.header, err = part(parts[0], "header"); err != nil {
		return nil, err
	}
	if raw.payload, err = part(parts[1], "payload"); err != nil {
		return nil, err
	}
	if raw.signature, err = decode(parts[2]); err != nil {
		return nil, fmt.Errorf("not a token: signature: %w", err)
	}
	_, raw.strict = jwt.Inspect(text)
	return raw, nil
}

func part(text, name string) (json.RawMessage, error) {
	raw, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("not a token: %s: %w", name, err)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return nil, fmt.Errorf("not a token: %s is not a JSON object", name)
	}
	return raw, nil
}

func decode(text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, errors.New("not base64url")
	}
	return raw, nil
}

// Levels of a finding.
const (
	wrong      = "wrong"      // a verifier must refuse it
	suspicious = "suspicious" // it may be meant so, and rarely is
	note       = "note"       // good to know
)

// A finding is one thing to say about a token.
type finding struct {
	Level string `json:"level"`
	Text  string `json:"text"`
}

// longLife is more than an access token needs that can be refreshed.
const longLife = 24 * time.Hour

// manyBytes is what common servers take of a request's header fields.
const manyBytes = 4 << 10

// farFuture is a year that no token is meant to reach.
const farFuture = 2200

// examine says what is wrong with a token, and what to be wary of.
func examine(raw *unverified, sensitive []string, now time.Time) []finding {
	var found findings
	say := found.say
	header, claims := values(raw.header), values(raw.payload)

	alg, _ := text(header["alg"])
	switch {
	case strings.EqualFold(alg, "none"), alg == "":
		say(wrong, "alg is %q: it is not signed, so anybody can change it", alg)
	case strings.HasPrefix(alg, "HS"):
		say(suspicious, "%s is a shared secret: whoever can check this token can also make one", alg)
	case !jwk.Algorithm(alg).Known():
		say(note, "%s is not an algorithm that this program can verify", alg)
	}
	if raw.strict != nil && !errorsAbout(alg, raw.strict) {
		say(wrong, "%v", raw.strict)
	}
	if len(raw.signature) == 0 && alg != "" && !strings.EqualFold(alg, "none") {
		say(wrong, "the signature is empty")
	}
	for _, name := range []string{"jwk", "jku", "x5c", "x5u"} {
		if header[name] != nil {
			say(suspicious, "header member %s brings its own key; verifiers must not follow it (RFC 8725 §3.10)", name)
		}
	}
	if header["crit"] != nil {
		say(suspicious, "header member crit names extensions that a verifier must know or refuse (RFC 7515 §4.1.11)")
	}
	if kid, _ := text(header["kid"]); kid == "" {
		say(note, "no kid: a verifier with several keys cannot tell which one it is")
	}
	typ, _ := text(header["typ"])
	if bare := strings.TrimPrefix(strings.ToLower(typ), "application/"); bare != "at+jwt" {
		say(suspicious, "typ is %q, not \"at+jwt\": an API takes only access tokens (RFC 9068 §4)", typ)
	}

	for _, name := range []string{"iss", "sub", "aud"} {
		if claims[name] == nil {
			say(wrong, "no %s: %s", name, map[string]string{
				"iss": "nobody says who issued it",
				"sub": "it is about nobody",
				"aud": "it would open every API that trusts its issuer",
			}[name])
		}
	}
	exp, hasExp := examineTime(claims, "exp", say)
	iat, hasIat := examineTime(claims, "iat", say)
	nbf, hasNbf := examineTime(claims, "nbf", say)
	switch {
	case !hasExp && claims["exp"] == nil:
		say(wrong, "no exp: it would be valid for ever")
	case hasExp && !exp.After(now):
		say(wrong, "it expired %s", relative(exp, now))
	}
	if hasNbf && nbf.After(now) {
		say(wrong, "it is not valid yet, but %s", relative(nbf, now))
	}
	if hasIat && iat.After(now.Add(time.Minute)) {
		say(suspicious, "it was issued in the future, %s: one of the two clocks is wrong", relative(iat, now))
	}
	if hasExp && hasIat && exp.Sub(iat) > longLife {
		say(suspicious, "it lives for %s: an access token should live for minutes", about(exp.Sub(iat)))
	}
	sayInClear(&found, raw.payload, sensitive, "claim")
	saySize(&found, raw.text)
	return found.sorted()
}

// findings are what there is to say about a token.
type findings []finding

func (f *findings) say(level, format string, args ...any) {
	*f = append(*f, finding{level, fmt.Sprintf(format, args...)})
}

// sayInClear points at what looks sensitive and is there for everybody to read.
func sayInClear(found *findings, object json.RawMessage, names []string, what string) {
	for _, name := range jwt.SensitiveClaims(object, names...) {
		found.say(suspicious, "%s %s looks sensitive, and whoever holds the token can read it: leave it out, or encrypt the token", what, name)
	}
}

func saySize(found *findings, text string) {
	if len(text) > manyBytes {
		found.say(suspicious, "it has %d bytes; many servers and proxies take 4 to 8 KiB of header fields in all", len(text))
	}
}

// sorted puts what is worse first; there is always a list.
func (f findings) sorted() []finding {
	found := append([]finding{}, f...)
	rank := map[string]int{wrong: 0, suspicious: 1, note: 2}
	slices.SortStableFunc(found, func(a, b finding) int { return rank[a.Level] - rank[b.Level] })
	return found
}

// errorsAbout says whether err only repeats what was said about alg.
func errorsAbout(alg string, err error) bool {
	return strings.EqualFold(alg, "none") && errors.Is(err, jwt.ErrAlgorithm)
}

func examineTime(claims map[string]json.RawMessage, name string, say func(string, string, ...any)) (time.Time, bool) {
	raw := claims[name]
	if raw == nil {
		return time.Time{}, false
	}
	at, ok := numericDate(raw)
	switch {
	case !ok:
		say(wrong, "%s is not a number of seconds (RFC 7519 §2)", name)
	case at.Year() > farFuture:
		say(wrong, "%s is in the year %d: it looks like milliseconds, and must be seconds (RFC 7519 §2)", name, at.Year())
		ok = false
	}
	return at, ok
}

// numericDate reads seconds since the epoch.
func numericDate(raw json.RawMessage) (time.Time, bool) {
	var seconds float64
	if len(raw) == 0 || raw[0] == 'n' || json.Unmarshal(raw, &seconds) != nil || math.Abs(seconds) > 1e14 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

func text(raw json.RawMessage) (string, bool) {
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// A member is one of a JSON object's, in the order of the text.
type member struct {
	name  string
	value json.RawMessage
}

// members reads an object, which has been found to be one.
func members(raw json.RawMessage) []member {
	var all []member
	d := json.NewDecoder(bytes.NewReader(raw))
	d.Token() // {
	for d.More() {
		name, err := d.Token()
		if err != nil {
			break
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		all = append(all, member{fmt.Sprint(name), value})
	}
	return all
}

func values(raw json.RawMessage) map[string]json.RawMessage {
	m := make(map[string]json.RawMessage)
	for _, member := range members(raw) {
		m[member.name] = member.value
	}
	return m
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}
