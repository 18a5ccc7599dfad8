package guard

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CORS says which pages of other origins may call an API from a browser, and
// read its answers (Fetch, "CORS protocol"). The zero value of a field allows
// the least.
type CORS struct {
	// Origins are spelled as browsers send them: scheme, host, and the port
	// unless it is the scheme's own. They are compared byte for byte; there are
	// no patterns. "*" alone, without Credentials, is any origin. Required.
	Origins []string

	Methods        []string      // besides GET, HEAD and POST; in upper case
	Headers        []string      // that pages may set; default Authorization and Content-Type
	ExposedHeaders []string      // of answers, besides those that every page may read
	Credentials    bool          // lets browsers send cookies along
	MaxAge         time.Duration // how long a browser may go without asking again; default 5 min, at most 24 h, negative for none
}

// CORSPolicy is a [CORS] that was checked. It is safe for concurrent use.
type CORSPolicy struct {
	everywhere  bool // any origin
	origins     origins
	credentials bool
	methods     map[string]struct{}
	headers     map[string]struct{} // in lower case
	asksAtMost  int                 // bytes of a list of all headers

	allowMethods, allowHeaders, expose, maxAge string
}

// NewCORS checks c. The error holds every fault.
func NewCORS(c CORS) (*CORSPolicy, error) {
	p := &CORSPolicy{credentials: c.Credentials, methods: make(map[string]struct{}), headers: make(map[string]struct{})}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	list := c.Origins
	if slices.Contains(list, "*") {
		p.everywhere = true
		if c.Credentials {
			fault(`Origins must not be "*" where Credentials are sent: every site could act for its visitors`)
		}
		if len(list) > 1 {
			fault(`Origins hold "*", which leaves nothing for the others to say: remove one or the other`)
		}
		list = nil
	} else if len(list) == 0 {
		fault("Origins are required, such as https://app.example.com")
	}
	var wrong []error
	p.origins, wrong = newOrigins("Origins", list)
	faults = append(faults, wrong...)

	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost} { // need not be asked for, but may
		p.methods[m] = struct{}{}
	}
	for i, m := range c.Methods {
		switch {
		case !isToken(m) || m == "*":
			fault("Methods[%d] %q must be one method: there is no wildcard", i, m)
		case m != strings.ToUpper(m):
			fault("Methods[%d] %q must be in upper case: methods are compared byte for byte", i, m)
		case m == http.MethodConnect || m == http.MethodTrace || m == "TRACK":
			fault("Methods[%d] %q is one that no page may use", i, m)
		default:
			p.methods[m] = struct{}{}
		}
	}
	if c.Headers == nil {
		c.Headers = []string{"Authorization", "Content-Type"}
	}
	p.asksAtMost = emptyElements
	for i, name := range c.Headers {
		lower := strings.ToLower(name)
		switch {
		case !isToken(name) || name == "*":
			fault("Headers[%d] %q must be one header: a wildcard would not hold for Authorization", i, name)
		case isForbiddenHeader(lower):
			fault("Headers[%d] %q is one that no page may set", i, name)
		default:
			p.headers[lower] = struct{}{}
			p.asksAtMost += len(", ") + len(name)
		}
	}
	for i, name := range c.ExposedHeaders {
		switch lower := strings.ToLower(name); {
		case !isToken(name) || name == "*":
			fault("ExposedHeaders[%d] %q must be one header: there is no wildcard", i, name)
		case lower == "set-cookie" || lower == "set-cookie2":
			fault("ExposedHeaders[%d] %q is one that no page may read", i, name)
		}
	}
	if c.MaxAge > 24*time.Hour || c.MaxAge > 0 && c.MaxAge%time.Second != 0 {
		fault("MaxAge is %v, must be in whole seconds and at most 24h", c.MaxAge)
	}
	if c.MaxAge == 0 {
		c.MaxAge = 5 * time.Minute
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("guard: CORS: %w", err)
	}
	p.allowMethods = strings.Join(sorted(p.methods), ", ")
	p.allowHeaders = strings.Join(sorted(p.headers), ", ")
	p.expose = strings.Join(c.ExposedHeaders, ", ")
	p.maxAge = strconv.Itoa(max(0, int(c.MaxAge/time.Second)))
	return p, nil
}

// Handler answers preflights, which never carry a credential, so that they need
// none, and lets all else through to h: put it around the guard, not within. It
// decides what pages may read, not what may be done; a request of another origin
// comes through, without a header that would let its page read the answer.
func (p *CORSPolicy) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin, allowed := p.origin(r)
		if r.Method == http.MethodOptions && origin != "" && r.Header["Access-Control-Request-Method"] != nil {
			p.preflight(w, r, allowed)
			return
		}
		p.vary(w.Header(), "Origin")
		if p.everywhere || allowed {
			p.allow(w.Header(), origin)
			if p.expose != "" {
				w.Header().Set("Access-Control-Expose-Headers", p.expose)
			}
		}
		h.ServeHTTP(w, r)
	})
}

func (p *CORSPolicy) origin(r *http.Request) (origin string, allowed bool) {
	origin, ok := one(r.Header, "Origin")
	if !ok {
		return "null", false
	}
	return origin, origin != "" && (p.everywhere || p.origins.has(origin))
}

// preflight implements the answer to a CORS-preflight request (Fetch §4.8).
func (p *CORSPolicy) preflight(w http.ResponseWriter, r *http.Request, allowed bool) {
	h := w.Header()
	// Answers to OPTIONS are not cached by the standard (RFC 9110 §9.3.7), but
	// some do.
	p.vary(h, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Cache-Control", "no-store")
	method, _ := one(r.Header, "Access-Control-Request-Method")
	_, methodAllowed := p.methods[method]
	switch {
	case !allowed:
		http.Error(w, "preflight refused: the origin is not allowed", http.StatusForbidden)
	case !methodAllowed:
		http.Error(w, "preflight refused: the method is not allowed", http.StatusForbidden)
	case !p.allowsHeaders(r.Header["Access-Control-Request-Headers"]):
		http.Error(w, "preflight refused: a header is not allowed", http.StatusForbidden)
	default:
		origin, _ := one(r.Header, "Origin")
		p.allow(h, origin)
		h.Set("Access-Control-Allow-Methods", p.allowMethods)
		if p.allowHeaders != "" {
			h.Set("Access-Control-Allow-Headers", p.allowHeaders)
		}
		h.Set("Access-Control-Max-Age", p.maxAge)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (p *CORSPolicy) allow(h http.Header, origin string) {
	if p.everywhere {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if p.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// vary keeps one origin's answer from another's cache. Where every origin gets
// the same answer, there is nothing to tell apart.
func (p *CORSPolicy) vary(h http.Header, names string) {
	if !p.everywhere {
		h.Add("Vary", names)
	}
}

// emptyElements is how many bytes of a list may be of no use (RFC 9110 §5.6.1.2).
const emptyElements = 16

// allowsHeaders reports whether lists of headers name allowed ones alone. A list
// that is longer than that of all of them is not looked at: it names another, or
// is no browser's.
func (p *CORSPolicy) allowsHeaders(lists []string) bool {
	size := 0
	for _, list := range lists {
		size += len(list) + 1
	}
	if size > p.asksAtMost+1 {
		return false
	}
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			if _, ok := p.headers[name]; !ok && name != "" {
				return false
			}
		}
	}
	return true
}

// isForbiddenHeader implements "forbidden request-header" (Fetch §2.2.2) as far
// as a name alone decides it.
func isForbiddenHeader(lower string) bool {
	return strings.HasPrefix(lower, "proxy-") || strings.HasPrefix(lower, "sec-") || slices.Contains([]string{
		"accept-charset", "accept-encoding", "access-control-request-headers", "access-control-request-method",
		"connection", "content-length", "cookie", "cookie2", "date", "dnt", "expect", "host", "keep-alive", "origin",
		"referer", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via",
	}, lower)
}

// isToken implements token (RFC 9110 §5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func sorted(set map[string]struct{}) []string {
	list := make([]string, 0, len(set))
	for s := range set {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}
