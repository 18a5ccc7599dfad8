package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/jwk"
)

// Bounds on what is registered. A token carries at most one API's permissions.
const (
	maxAPIs        = 1000
	maxRoles       = 1000
	maxPermissions = 256
	maxText        = 256
)

// check says everything that is wrong with an API.
func (a API) check() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("API %q: "+format, append([]any{a.Audience}, args...)...))
	}
	u, err := url.Parse(a.Audience)
	switch {
	case len(a.Audience) > 512:
		faults = append(faults, fmt.Errorf("audience of %d bytes is too long, at most 512", len(a.Audience)))
	case err != nil || !u.IsAbs() || strings.ContainsFunc(a.Audience, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }):
		// RFC 8707 §2: an absolute URI without a fragment. RFC 3986 §2: of
		// printable ASCII.
		faults = append(faults, fmt.Errorf("audience %q is not an absolute URI without a fragment, such as https://api.example.com", a.Audience))
	}
	if a.Life != 0 && (a.Life < time.Second || a.Life > MaxLife || a.Life%time.Second != 0) {
		fault("token life %v is outside 1s to %v, or no whole seconds", a.Life, MaxLife)
	}
	switch {
	case a.Algorithm.Symmetric():
		// An API that verifies with a shared secret could mint with it too.
		fault("tokens for APIs are signed with a private key, not with %s", a.Algorithm)
	case a.Algorithm != "" && !a.Algorithm.Known():
		fault("unknown algorithm %.40q: use one of %s", a.Algorithm, signing())
	}
	if err := validText(a.Name); err != nil {
		fault("name: %w", err)
	}
	if _, err := a.encrypter(); err != nil {
		fault("encryption key: %w", err)
	}
	for _, p := range a.Permissions {
		switch {
		case !validScope(p):
			fault("malformed permission %q: printable ASCII without spaces, quotes and backslashes, at most 128 characters", p)
		case strings.HasPrefix(p, Reserved) && !a.BuiltIn:
			fault("permission %q: names that begin with %s are this server's own", p, Reserved)
		}
	}
	if len(a.Permissions) > maxPermissions {
		fault("%d permissions, at most %d", len(a.Permissions), maxPermissions)
	}
	return errors.Join(faults...)
}

// signing lists the algorithms that tokens for APIs can be signed with.
func signing() string {
	var names []string
	for _, alg := range jwk.Algorithms() {
		if !alg.Symmetric() {
			names = append(names, string(alg))
		}
	}
	return strings.Join(names, ", ")
}

// check says everything that is wrong with a role.
func (r Role) check() error {
	var faults []error
	if err := ValidRole(r.Name); err != nil {
		faults = append(faults, err)
	}
	if err := validText(r.Description); err != nil {
		faults = append(faults, fmt.Errorf("role %q: description: %w", r.Name, err))
	}
	for _, p := range r.Permissions {
		switch {
		case !validScope(p):
			faults = append(faults, fmt.Errorf("role %q: malformed permission %q", r.Name, p))
		case strings.HasPrefix(p, Reserved) && !slices.Contains(Administration(), p):
			faults = append(faults, fmt.Errorf("role %q: this server has no permission %q", r.Name, p))
		}
	}
	if len(r.Permissions) > maxPermissions {
		faults = append(faults, fmt.Errorf("role %q: %d permissions, at most %d", r.Name, len(r.Permissions), maxPermissions))
	}
	return errors.Join(faults...)
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

// validText refuses what could pretend to be something else where people read
// it.
func validText(s string) error {
	switch {
	case len(s) > maxText:
		return fmt.Errorf("more than %d bytes", maxText)
	case strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }):
		return errors.New("characters that cannot be printed")
	}
	return nil
}
