package guard

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// origins is a set of web origins (RFC 6454 §6.2), compared byte for byte.
type origins struct {
	exact   map[string]struct{}
	longest int // no longer text is hashed
}

// newOrigins reports every origin that no browser would send as it is spelled,
// or that would let in more than one site.
func newOrigins(field string, list []string) (origins, []error) {
	o := origins{exact: make(map[string]struct{}, len(list))}
	var faults []error
	for i, origin := range list {
		if err := checkOrigin(origin); err != nil {
			faults = append(faults, fmt.Errorf("%s[%d] %q %w", field, i, origin, err))
			continue
		}
		o.exact[origin] = struct{}{}
		o.longest = max(o.longest, len(origin))
	}
	return o, faults
}

func (o origins) has(origin string) bool {
	if len(origin) > o.longest {
		return false
	}
	_, ok := o.exact[origin]
	return ok
}

// one returns a header that a browser sends at most once; ok is false where it
// came more often.
func one(h http.Header, canonicalName string) (value string, ok bool) {
	switch values := h[canonicalName]; len(values) {
	case 0:
		return "", true
	case 1:
		return values[0], true
	default:
		return "", false
	}
}

// checkOrigin accepts an origin in the one spelling that browsers send: an ASCII
// serialization (HTML, "serialization of an origin") of https, or of http on
// this machine.
func checkOrigin(origin string) error {
	scheme, authority, found := strings.Cut(origin, "://")
	switch {
	case origin == "null":
		return errors.New("is the origin of every sandboxed frame and local file, whoever wrote it")
	case strings.Contains(origin, "*"):
		return errors.New("is a pattern: list each origin")
	case !found || authority == "":
		return errors.New("must be scheme, host and, unless it is the scheme's own, port, such as https://app.example.com")
	case strings.ContainsAny(authority, "/?#"):
		return errors.New("must end with its host or port: no slash, path, query or fragment")
	case strings.Contains(authority, "@"):
		return errors.New("must hold no user name")
	case origin != strings.ToLower(origin):
		return errors.New("must be in lower case, as browsers send it")
	case scheme != "https" && scheme != "http":
		return errors.New("must be of https, or of http on loopback")
	}
	host, port, err := splitPort(authority)
	switch {
	case err != nil:
		return err
	case scheme == "https" && port == "443", scheme == "http" && port == "80":
		return fmt.Errorf("must not name port %s, which browsers leave out", port)
	case !isHost(host):
		return errors.New("must have a host as browsers send it: a name in ASCII (punycode) without a dot at its end, or an address in its shortest form")
	case scheme == "http" && !isLoopback(host):
		return errors.New("must be of https: whoever is on the way writes the pages of http. Only http on loopback is accepted, for development")
	}
	return nil
}

func splitPort(authority string) (host, port string, err error) {
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || strings.HasSuffix(authority, "]") {
		return authority, "", nil
	}
	host, port = authority[:colon], authority[colon+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "", "", fmt.Errorf("has the port %q, must be from 1 to 65535", port)
	}
	return host, port, nil
}

func isHost(host string) bool {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return ok && err == nil && a.Is6() && !a.Is4In6() && a.Zone() == "" && a.String() == inner
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" { // then a browser takes it for an address
		a, err := netip.ParseAddr(host)
		return err == nil && a.Is4() && a.String() == host
	}
	return len(host) <= 253
}

// isLoopback: a name below localhost never leaves the machine (RFC 6761 §6.3).
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}
