// Package claims makes the custom claims of access tokens from templates. A
// template is a JSON object whose strings may hold variables:
//
//	{"tenant": "acme", "plan": {"seats": 5}, "login": "${username}"}
//
// The variables are ${subject}, ${username}, ${display_name}, ${app} and
// ${audience}. What one stands for is put in as text, never read again, and
// cannot become another claim.
//
// A template cannot touch what this server or a standard says in a token: see
// [Parse]. The package signs nothing (see mint) and knows no accounts.
package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on a template.
const (
	MaxTemplate = 4 << 10 // bytes, without spaces between the tokens
	maxClaims   = 64
	maxDepth    = 8
	maxName     = 128 // bytes
	maxNumber   = 64  // bytes
)

// ErrTemplate says that a template cannot be used, and why.
var ErrTemplate = errors.New("malformed claims")

// Values are what the variables stand for in one token. Where one is empty,
// such as the user name of an app, each claim that asks for it is left out.
type Values struct {
	Subject, Username, DisplayName, App, Audience string
}

func (v *Values) of(variable string) (value string, known bool) {
	switch variable {
	case "subject":
		return v.Subject, true
	case "username":
		return v.Username, true
	case "display_name":
		return v.DisplayName, true
	case "app":
		return v.App, true
	case "audience":
		return v.Audience, true
	}
	return "", false
}

// reserved are the claims that no template may have: those that this server
// sets, and those by which the standards say who was authenticated, how, for
// whom they act, and what a token is bound to. A template that could set one
// of these could lend a token a standing that nobody has checked.
var reserved = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", // RFC 7519 §4.1
	"sid", "client_id", "scope", "roles", // RFC 9068 §2.2
	"acr", "amr", "auth_time", "azp", "nonce", // OpenID Connect Core 1.0 §2
	"act", "may_act", // RFC 8693 §4
	"cnf",                   // RFC 7800 §3.1
	"status",                // draft-ietf-oauth-status-list §6.1
	"authorization_details", // RFC 9396 §9.1
	"active", "token_type",  // RFC 7662 §2.2: of an answer about a token
	"events", // RFC 8417 §2.2
}

// Parse checks a template and answers its compact form, in which it is kept;
// nil for one that is empty or has no claims. All else is [ErrTemplate]: what
// is no JSON object, names that come twice, reserved names in any case,
// unknown variables, text that is not Unicode, and whatever is too large.
func Parse(template []byte) (json.RawMessage, error) {
	if len(bytes.TrimSpace(template)) == 0 {
		return nil, nil
	}
	made, err := read(template, nil)
	if err != nil || len(made) == 0 {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, template); err != nil {
		return nil, fmt.Errorf("%w: not JSON", ErrTemplate)
	}
	if compact.Len() > MaxTemplate {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTemplate, compact.Len(), MaxTemplate)
	}
	return compact.Bytes(), nil
}

// Make fills in templates and joins their claims. Where two have a claim of
// the same name, the later one's stands, whole. Each is checked as by [Parse]
// again, since a store may have been written to by others. Nil where no
// template has a claim.
func Make(v Values, templates ...json.RawMessage) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	for _, t := range templates {
		if len(t) == 0 {
			continue
		}
		made, err := read(t, &v)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = made
			continue
		}
		maps.Copy(all, made)
	}
	maps.DeleteFunc(all, func(_ string, value json.RawMessage) bool { return value == nil })
	return all, nil
}

// read answers the claims of a template with v filled in, nil for those that
// ask for an empty variable. Where v is nil it only checks.
func read(template []byte, v *Values) (map[string]json.RawMessage, error) {
	switch {
	case len(template) > 4*MaxTemplate:
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTemplate, len(template), MaxTemplate)
	case !utf8.Valid(template):
		// encoding/json would read U+FFFD instead.
		return nil, fmt.Errorf("%w: not UTF-8", ErrTemplate)
	case !json.Valid(template):
		return nil, fmt.Errorf("%w: not JSON", ErrTemplate)
	}
	r := reader{json.NewDecoder(bytes.NewReader(template)), v, false}
	r.UseNumber()
	if first, err := r.Token(); err != nil || first != json.Delim('{') {
		return nil, fmt.Errorf("%w: not a JSON object", ErrTemplate)
	}
	made := make(map[string]json.RawMessage)
	for r.More() {
		name, err := r.name(func(name string) bool { _, twice := made[name]; return twice })
		if err != nil {
			return nil, err
		}
		for _, taken := range reserved {
			// Another reader may not tell "EXP" from "exp".
			if strings.EqualFold(name, taken) {
				return nil, fmt.Errorf("%w: the claim %q is not yours to set", ErrTemplate, name)
			}
		}
		if len(made) == maxClaims {
			return nil, fmt.Errorf("%w: more than %d claims", ErrTemplate, maxClaims)
		}
		r.unset = false
		value, err := r.value(1)
		if err != nil {
			return nil, fmt.Errorf("%w (in %q)", err, name)
		}
		if made[name], err = json.Marshal(value); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
		}
		if r.unset {
			made[name] = nil
		}
	}
	return made, nil
}

// A reader reads valid JSON text.
type reader struct {
	*json.Decoder
	values *Values
	unset  bool // an empty variable was asked for
}

// name reads the name of a member.
func (r *reader) name(taken func(string) bool) (string, error) {
	t, err := r.Token()
	name, ok := t.(string)
	switch {
	case err != nil || !ok:
		return "", fmt.Errorf("%w: not JSON", ErrTemplate)
	case name == "" || len(name) > maxName || strings.ContainsFunc(name, unprintable):
		return "", fmt.Errorf("%w: a name is not of 1 to %d printable bytes", ErrTemplate, maxName)
	case strings.Contains(name, "${"):
		return "", fmt.Errorf("%w: a variable in the name %q; only values have variables", ErrTemplate, name)
	case taken(name):
		return "", fmt.Errorf("%w: %q comes twice", ErrTemplate, name)
	}
	return name, nil
}

func (r *reader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrTemplate, maxDepth)
	}
	t, err := r.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: not JSON", ErrTemplate)
	}
	switch t := t.(type) {
	case string:
		return r.text(t)
	case json.Number:
		if f, err := strconv.ParseFloat(string(t), 64); err != nil || math.IsInf(f, 0) || len(t) > maxNumber {
			return nil, fmt.Errorf("%w: a number is out of range", ErrTemplate)
		}
		return t, nil
	case json.Delim:
		if t == '[' {
			return r.list(depth)
		}
		return r.object(depth)
	}
	return t, nil // true, false, null
}

func (r *reader) list(depth int) (any, error) {
	all := []any{}
	for r.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, r.end()
}

func (r *reader) object(depth int) (any, error) {
	all := make(map[string]any)
	for r.More() {
		name, err := r.name(func(name string) bool { _, twice := all[name]; return twice })
		if err != nil {
			return nil, err
		}
		if all[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return all, r.end()
}

func (r *reader) end() error {
	if _, err := r.Token(); err != nil && err != io.EOF {
		return fmt.Errorf("%w: not JSON", ErrTemplate)
	}
	return nil
}

// text fills in the variables of s.
func (r *reader) text(s string) (string, error) {
	if strings.ContainsRune(s, utf8.RuneError) { // half of a surrogate pair
		return "", fmt.Errorf("%w: a string is not Unicode text", ErrTemplate)
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		variable, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("%w: a variable without its }", ErrTemplate)
		}
		var none Values
		value, known := none.of(variable)
		if r.values != nil {
			value, known = r.values.of(variable)
		}
		if !known {
			return "", fmt.Errorf("%w: unknown variable ${%.40s}: there are subject, username, display_name, app and audience", ErrTemplate, variable)
		}
		r.unset = r.unset || value == ""
		b.WriteString(value)
		s = after
	}
}

func unprintable(c rune) bool { return c == utf8.RuneError || !unicode.IsPrint(c) }
