// Package catalog knows what may be asked for: the APIs that tokens are made
// for, and the scopes that a role gives there. It holds no accounts and no
// tokens, and it decides nothing about a caller.
package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
)

// An API is a protected resource (RFC 8707): what a token's audience names.
type API struct {
	Audience  string        // the one registered spelling, as it stands in aud
	Life      time.Duration // of an access token; 0 means [DefaultLife]
	Algorithm jwk.Algorithm // what its tokens are signed with; "" means ES256
}

// A Role gives scopes (RFC 6749 §3.3) to the accounts that hold it.
type Role struct {
	Name   string
	Scopes []string
}

// Bounds on an access token's life.
const (
	DefaultLife = 15 * time.Minute
	MaxLife     = 24 * time.Hour
)

var (
	// ErrUnknownAPI says that no API of that audience is registered.
	ErrUnknownAPI = errors.New("unknown audience")

	// ErrScope says that a scope was asked for that the caller's roles do not
	// give.
	ErrScope = errors.New("scope not granted by the account's roles")
)

// A Catalog is immutable and may be used by many goroutines.
type Catalog struct {
	apis   []API // the first is the default
	byName map[string]int
	scopes map[string][]string
}

// New checks apis and roles and reports every fault at once. The first API is
// the one that a log-in gets that names none.
func New(apis []API, roles []Role) (*Catalog, error) {
	c := &Catalog{byName: make(map[string]int), scopes: make(map[string][]string)}
	var faults []error
	if len(apis) == 0 {
		faults = append(faults, errors.New("no API is registered"))
	}
	for _, a := range apis {
		if err := a.complete(); err != nil {
			faults = append(faults, err)
			continue
		}
		name := spelling(a.Audience)
		if _, twice := c.byName[name]; twice {
			faults = append(faults, fmt.Errorf("API %q is registered twice", a.Audience))
			continue
		}
		c.byName[name] = len(c.apis)
		c.apis = append(c.apis, a)
	}
	for _, r := range roles {
		if err := ValidRole(r.Name); err != nil {
			faults = append(faults, err)
		}
		if _, twice := c.scopes[r.Name]; twice {
			faults = append(faults, fmt.Errorf("role %q is registered twice", r.Name))
		}
		for _, s := range r.Scopes {
			if !validScope(s) {
				faults = append(faults, fmt.Errorf("role %q: malformed scope %q", r.Name, s))
			}
		}
		c.scopes[r.Name] = slices.Clone(r.Scopes)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// complete checks a and fills in its defaults.
func (a *API) complete() error {
	if a.Life == 0 {
		a.Life = DefaultLife
	}
	if a.Algorithm == "" {
		a.Algorithm = jwk.ES256
	}
	u, err := url.Parse(a.Audience)
	switch {
	case len(a.Audience) > 512:
		return fmt.Errorf("audience of %d bytes is too long, at most 512", len(a.Audience))
	case err != nil || !u.IsAbs() || strings.ContainsFunc(a.Audience, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }):
		// RFC 8707 §2: an absolute URI without a fragment. RFC 3986 §2: of
		// printable ASCII.
		return fmt.Errorf("audience %q is not an absolute URI without a fragment, such as https://api.example.com", a.Audience)
	case a.Life < time.Second || a.Life > MaxLife:
		return fmt.Errorf("API %q: token life %v is outside 1s to %v", a.Audience, a.Life, MaxLife)
	case a.Algorithm == jwk.HS256:
		// An API that verifies with a shared secret could mint with it too.
		return fmt.Errorf("API %q: tokens for APIs are signed with a private key, not with HS256", a.Audience)
	case !a.Algorithm.Known():
		return fmt.Errorf("API %q: unknown algorithm %q: use ES256, EdDSA or RS256", a.Audience, a.Algorithm)
	}
	return nil
}

// API finds the API of an audience, or the default one where audience is
// empty. A final slash makes no difference in asking. ErrUnknownAPI otherwise.
func (c *Catalog) API(audience string) (API, error) {
	if audience == "" {
		return c.apis[0], nil
	}
	i, ok := c.byName[spelling(audience)]
	if !ok {
		return API{}, ErrUnknownAPI
	}
	return c.apis[i], nil
}

// Audiences lists the registered spellings.
func (c *Catalog) Audiences() []string {
	var all []string
	for _, a := range c.apis {
		all = append(all, a.Audience)
	}
	return all
}

// Algorithms lists what the registered APIs' tokens are signed with.
func (c *Catalog) Algorithms() []jwk.Algorithm {
	var all []jwk.Algorithm
	for _, a := range c.apis {
		if !slices.Contains(all, a.Algorithm) {
			all = append(all, a.Algorithm)
		}
	}
	return all
}

// LongestLife is the longest life that any API's access tokens have.
func (c *Catalog) LongestLife() time.Duration {
	longest := time.Duration(0)
	for _, a := range c.apis {
		longest = max(longest, a.Life)
	}
	return longest
}

// Grant answers the scopes of a token: all that roles give where none was
// asked for, else the asked ones. ErrScope names the first that roles do not
// give; asked is a space-separated list (RFC 6749 §3.3).
func (c *Catalog) Grant(roles []string, asked string) ([]string, error) {
	var given []string
	for _, r := range roles {
		for _, s := range c.scopes[r] {
			if !slices.Contains(given, s) {
				given = append(given, s)
			}
		}
	}
	slices.Sort(given)
	if asked == "" {
		return given, nil
	}
	var granted []string
	for s := range strings.FieldsSeq(asked) {
		if !slices.Contains(given, s) {
			return nil, fmt.Errorf("%w: %q", ErrScope, s)
		}
		if !slices.Contains(granted, s) {
			granted = append(granted, s)
		}
	}
	slices.Sort(granted)
	return granted, nil
}

// Narrow is Grant for a refresh: of the scopes asked for when the session
// began, those that roles still give. Rights that were taken away since are
// left out, not refused.
func (c *Catalog) Narrow(roles []string, asked string) []string {
	given, _ := c.Grant(roles, "")
	if asked == "" {
		return given
	}
	still := strings.Fields(asked)
	slices.Sort(still)
	still = slices.Compact(still)
	return slices.DeleteFunc(still, func(s string) bool { return !slices.Contains(given, s) })
}

// ValidRole says what is wrong with a role's name.
func ValidRole(name string) error {
	if len(name) == 0 || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && r != '_' && r != ':' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	}) {
		return fmt.Errorf("malformed role %q: a-z, 0-9 and - _ : . in 1 to 64 characters", name)
	}
	return nil
}

// validScope implements scope-token of RFC 6749 §3.3.
func validScope(s string) bool {
	return len(s) > 0 && len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}

func spelling(audience string) string { return strings.TrimSuffix(audience, "/") }
