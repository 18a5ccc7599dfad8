package guard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/jotsmith/jotsmith/internal/fetch"
)

// Resource describes this API to clients that know nothing but its address, so
// that they find whom to ask for a token (RFC 9728 §2).
type Resource struct {
	// URL is where clients find this API, without query and fragment. It is the
	// "resource" that they ask a token for (RFC 8707), so it should be the
	// audience. Default Config.Audience.
	URL     string
	Issuers []string // "authorization_servers"; default Config.Issuer
	Scopes  []string // "scopes_supported"
	Name    string   // "resource_name", for people
	Docs    string   // "resource_documentation", a URL
}

// resource is a Resource that was checked.
type resource struct {
	pattern  string // of the ServeMux
	address  string // of the document
	document []byte
}

const wellKnown = "/.well-known/oauth-protected-resource"

// ResourceMetadata returns the pattern and the handler of the document that
// Config.Resource describes, for mux.Handle(g.ResourceMetadata()). Challenges
// point to it (RFC 9728 §5.1). It needs no token, and every page may read it. It
// panics without Config.Resource.
func (g *Guard) ResourceMetadata() (pattern string, h http.Handler) {
	if g.resource == nil {
		panic("guard: ResourceMetadata needs Config.Resource")
	}
	return g.resource.pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("Access-Control-Allow-Origin", "*")
		_, _ = w.Write(g.resource.document)
	})
}

// newResource builds what c.Resource describes, nil where it describes nothing.
func (c *Config) newResource() (*resource, []error) {
	if c.Resource == nil {
		return nil, nil
	}
	d := *c.Resource
	if d.URL == "" {
		d.URL = c.Audience
	}
	if len(d.Issuers) == 0 && c.Issuer != "" {
		d.Issuers = []string{c.Issuer}
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	u, err := url.Parse(d.URL)
	if err == nil {
		err = fetch.CheckURL(d.URL)
	}
	switch {
	case err != nil:
		fault("Resource.URL %w", err)
	case !quotable(d.URL) || u.RawQuery != "" || u.ForceQuery || u.User != nil || u.EscapedPath() != u.Path || strings.ContainsAny(u.Path, "{} "):
		fault("Resource.URL %q must be scheme, host and plain path (RFC 9728 §1.2)", d.URL)
	}
	if len(d.Issuers) == 0 {
		fault("Resource.Issuers are required where there is no Issuer: whom shall clients ask for a token?")
	}
	for i, issuer := range d.Issuers {
		if err := fetch.CheckURL(issuer); err != nil {
			fault("Resource.Issuers[%d] %w", i, err)
		}
	}
	for i, scope := range d.Scopes {
		if scope == "" || strings.Contains(scope, " ") || !quotable(scope) {
			fault("Resource.Scopes[%d] %q is not one scope (RFC 6749 §3.3)", i, scope)
		}
	}
	if faults != nil {
		return nil, faults
	}
	// The well-known path goes between host and path (RFC 9728 §3).
	path := wellKnown
	if u.Path != "/" {
		path += u.Path
	}
	pattern := "GET " + path
	if strings.HasSuffix(path, "/") {
		pattern += "{$}"
	}
	document, err := json.Marshal(struct {
		Resource string   `json:"resource"`
		Issuers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported,omitempty"`
		Methods  []string `json:"bearer_methods_supported"`
		Name     string   `json:"resource_name,omitempty"`
		Docs     string   `json:"resource_documentation,omitempty"`
	}{d.URL, d.Issuers, d.Scopes, []string{"header"}, d.Name, d.Docs})
	if err != nil {
		return nil, []error{err}
	}
	return &resource{pattern, u.Scheme + "://" + u.Host + path, document}, nil
}
