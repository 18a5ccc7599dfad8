// Package catalog knows what may be asked for: the APIs that tokens are made
// for, and the permissions that a role gives there. A [Catalog] is one
// immutable state of that, a [Live] the one that stands now, kept in a store.
// It holds no accounts, no apps and no tokens, and it decides nothing about a
// caller.
package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
)

// An API is a protected resource (RFC 8707): what a token's audience names.
type API struct {
	Audience    string // the one registered spelling, as it stands in aud
	Name        string // for people
	Permissions []string
	Life        time.Duration   // of an access token; 0 means the server's own default
	Algorithm   jwk.Algorithm   // what its tokens are signed with; "" means ES256
	Default     bool            // what a log-in gets that names none
	Claims      json.RawMessage // template of custom claims, a JSON object; nil is none

	// Its tokens are encrypted for the public JWK EncryptionKey, so that nobody
	// but the API reads them; or, where Opaque, for this server, so that nobody
	// but this server does, and the API asks it. At most one of them.
	EncryptionKey json.RawMessage
	Opaque        bool

	Version int64 // raised by every act on it; 0 is one that is not kept yet
	BuiltIn bool  // the server's own: never changed, never the default

	seal *jwk.EncryptionKey // EncryptionKey, of an API that a Catalog answers
}

// A Role gives permissions to the accounts and apps that hold it.
type Role struct {
	Name        string
	Description string
	Permissions []string // scope tokens (RFC 6749 §3.3) of any API
	Claims      json.RawMessage
	Version     int64
	BuiltIn     bool
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
	ErrScope = errors.New("scope not granted by the roles")
)

// A Catalog is immutable and may be used by many goroutines.
type Catalog struct {
	apis    []API // complete; those that are no default follow the one that is
	kept    []API // as registered, in the same order
	byName  map[string]int
	roles   map[string]Role
	longest time.Duration
}

// New checks apis and roles and reports every fault at once. The default is
// the API that says so, else the first. The built-in API and roles are added;
// the former is named after the issuer and left out where that is empty.
func New(issuer string, apis []API, roles []Role) (*Catalog, error) {
	c := &Catalog{byName: make(map[string]int), roles: make(map[string]Role)}
	var faults []error
	apis = slices.Clone(apis)
	if i := slices.IndexFunc(apis, func(a API) bool { return a.Default }); i > 0 {
		first := apis[i]
		apis = slices.Insert(slices.Delete(apis, i, i+1), 0, first)
	}
	if issuer != "" {
		apis = append(apis, builtInAPI(issuer))
	}
	for i, a := range apis {
		if err := a.check(); err != nil {
			faults = append(faults, err)
			continue
		}
		a.seal, _ = a.encrypter() // checked
		name := spelling(a.Audience)
		if _, twice := c.byName[name]; twice {
			faults = append(faults, fmt.Errorf("API %q is registered twice", a.Audience))
			continue
		}
		a.Default = i == 0 && !a.BuiltIn
		a.Permissions = slices.Clone(a.Permissions)
		c.byName[name] = len(c.apis)
		c.kept = append(c.kept, a)
		c.apis = append(c.apis, a.complete(DefaultLife))
	}
	for _, r := range slices.Concat(builtInRoles(), roles) {
		if err := r.check(); err != nil {
			faults = append(faults, err)
		}
		if _, twice := c.roles[r.Name]; twice {
			faults = append(faults, fmt.Errorf("role %q is registered twice", r.Name))
		}
		r.Permissions = slices.Clone(r.Permissions)
		c.roles[r.Name] = r
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// complete fills in the defaults.
func (a API) complete(life time.Duration) API {
	if a.Life == 0 {
		a.Life = life
	}
	if a.Algorithm == "" {
		a.Algorithm = jwk.ES256
	}
	return a
}

// API finds the API of an audience, or the default one where audience is
// empty, with its defaults filled in. A final slash makes no difference in
// asking. ErrUnknownAPI otherwise.
func (c *Catalog) API(audience string) (API, error) {
	if audience == "" && len(c.apis) > 0 && c.apis[0].Default {
		return c.apis[0], nil
	}
	i, ok := c.byName[spelling(audience)]
	if !ok {
		return API{}, ErrUnknownAPI
	}
	return c.apis[i], nil
}

// Registered is API as it was registered: a Life of 0 stays 0.
func (c *Catalog) Registered(audience string) (API, error) {
	i, ok := c.byName[spelling(audience)]
	if !ok {
		return API{}, ErrUnknownAPI
	}
	return c.kept[i], nil
}

// APIs lists the APIs as they were registered, the default one first and the
// built-in one last.
func (c *Catalog) APIs() []API { return slices.Clone(c.kept) }

// Role finds a role by its name.
func (c *Catalog) Role(name string) (Role, bool) {
	r, ok := c.roles[name]
	return r, ok
}

// Roles lists the roles by name.
func (c *Catalog) Roles() []Role {
	var all []Role
	for _, r := range c.roles {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return all
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

// LongestLife is the longest life that any API's access tokens have, or have
// had since the catalog is kept: tokens outlive the API that they were made
// for.
func (c *Catalog) LongestLife() time.Duration {
	longest := c.longest
	for _, a := range c.apis {
		longest = max(longest, a.Life)
	}
	return longest
}

// Permissions answers all that roles give for any API, sorted.
func (c *Catalog) Permissions(roles []string) []string {
	var given []string
	for _, r := range roles {
		given = append(given, c.roles[r].Permissions...)
	}
	slices.Sort(given)
	return slices.Compact(given)
}

// Gives says whether one of roles gives a permission.
func (c *Catalog) Gives(roles []string, permission string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(c.roles[r].Permissions, permission) })
}

// given is what roles give for one API.
func (c *Catalog) given(api API, roles []string) []string {
	return slices.DeleteFunc(c.Permissions(roles), func(p string) bool { return !slices.Contains(api.Permissions, p) })
}

// Grant answers the scopes of a token for api: all that roles give there where
// none was asked for, else the asked ones. ErrScope names the first that roles
// do not give; asked is a space-separated list (RFC 6749 §3.3).
func (c *Catalog) Grant(api API, roles []string, asked string) ([]string, error) {
	given := c.given(api, roles)
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
func (c *Catalog) Narrow(api API, roles []string, asked string) []string {
	given := c.given(api, roles)
	if asked == "" {
		return given
	}
	still := strings.Fields(asked)
	slices.Sort(still)
	still = slices.Compact(still)
	return slices.DeleteFunc(still, func(s string) bool { return !slices.Contains(given, s) })
}

func spelling(audience string) string { return strings.TrimSuffix(audience, "/") }
