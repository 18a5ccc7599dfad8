package guard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/jotsmith/jotsmith/jwt"
)

// ErrCrossOrigin is the reason of a request that could change something, whose
// credential is a cookie, and that was not proved to come from our own pages or
// from a trusted origin.
var ErrCrossOrigin = errors.New("the cookie came with a request of another origin")

// CSRFHeader carries [Guard.CSRFToken].
const CSRFHeader = "X-CSRF-Token"

// ownOrigin decides whether a request whose credential is a cookie was made by
// pages of our own origin or of a trusted one, and nobody else's. What a browser
// says counts before anything that a page could have added.
func (g *Guard) ownOrigin(r *http.Request, t *jwt.Token) error {
	origin, ok1 := one(r.Header, "Origin")
	site, ok2 := one(r.Header, "Sec-Fetch-Site")
	switch {
	case !ok1 || !ok2:
		return fmt.Errorf("%w: several Origin or Sec-Fetch-Site headers", ErrCrossOrigin)
	case g.trusted.has(origin):
		return nil
	case site == "" && origin == "":
		return g.checkCSRFToken(r, t)
	case site == "" && !isOwn(origin, r.Host):
		return fmt.Errorf("%w: Origin is %q, Host is %q, no Sec-Fetch-Site", ErrCrossOrigin, clipped(origin, 100), clipped(r.Host, 100))
	}
	// Asked as of a POST: it takes each GET for harmless, which one that opens a
	// socket is not.
	asked := &http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host}
	if err := g.crossOrigin.Check(asked); err != nil {
		return fmt.Errorf("%w: Origin is %q, Sec-Fetch-Site is %q: %w", ErrCrossOrigin, clipped(origin, 100), clipped(site, 100), err)
	}
	return nil
}

// isOwn compares with the scheme: a page of http on the same host may be
// anybody's who is on the way. Without Sec-Fetch-Site only https is believed,
// and http on loopback.
func isOwn(origin, host string) bool {
	scheme, authority, _ := strings.Cut(origin, "://")
	if authority == "" || authority != host {
		return false
	}
	name, _, err := splitPort(authority)
	return err == nil && (scheme == "https" || scheme == "http" && isLoopback(name))
}

// changesState errs on the side of yes: a method that is not known to be safe
// (RFC 9110 §9.2.1), and a GET that opens a socket, which the same-origin policy
// does not hold back.
func changesState(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Header["Upgrade"] != nil
	}
	return true
}

// CSRFToken makes a token for [CSRFHeader], to be given to a client that sends
// its cookie with neither Sec-Fetch-Site nor Origin, as browsers before 2023 and
// programs do. It is good for all requests of t's session (without "sid": of t),
// in every process of the same CSRFKey, and each call makes another. It panics
// without Config.CSRFKey.
func (g *Guard) CSRFToken(t *jwt.Token) string {
	if g.c.CSRFKey == nil {
		panic("guard: CSRFToken needs Config.CSRFKey")
	}
	b := make([]byte, csrfNonce, csrfNonce+sha256.Size)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(append(b, g.csrfMAC(b, t)...))
}

const csrfNonce = 16 // bytes that let no two tokens be alike where pages are compressed

func (g *Guard) csrfMAC(nonce []byte, t *jwt.Token) []byte {
	mac := hmac.New(sha256.New, g.c.CSRFKey)
	mac.Write([]byte("jotsmith csrf token 1\x00"))
	mac.Write(nonce)
	for _, kind := range []jwt.FactKind{jwt.SessionFact, jwt.TokenFact, jwt.SubjectFact} {
		if fact, ok := t.Fact(kind); ok {
			mac.Write(fact[:]) // of one length, and different for each kind and issuer
			break
		}
	}
	return mac.Sum(nil)
}

func (g *Guard) checkCSRFToken(r *http.Request, t *jwt.Token) error {
	sent, ok := one(r.Header, "X-Csrf-Token")
	switch {
	case t.SessionID() == "" && t.ID() == "" && t.Subject() == "":
		return fmt.Errorf("%w, or nobody can say: the access token has no sid, jti or sub that %s could be bound to", ErrCrossOrigin, CSRFHeader)
	case g.c.CSRFKey == nil:
		return fmt.Errorf("%w, or nobody can say: neither Sec-Fetch-Site nor Origin was sent, and there is no CSRFKey", ErrCrossOrigin)
	case !ok || sent == "":
		return fmt.Errorf("%w, or nobody can say: neither Sec-Fetch-Site nor Origin nor one %s was sent", ErrCrossOrigin, CSRFHeader)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(sent)
	if err != nil || len(b) != csrfNonce+sha256.Size || !hmac.Equal(b[csrfNonce:], g.csrfMAC(b[:csrfNonce], t)) {
		return fmt.Errorf("%w, or nobody can say: %s is not of this session", ErrCrossOrigin, CSRFHeader)
	}
	return nil
}

// checkCSRF reports faults of the fields that speak of cookies.
func (c *Config) checkCSRF() (trusted origins, faults []error) {
	trusted, faults = newOrigins("TrustedOrigins", c.TrustedOrigins)
	if c.Cookie == "" && (len(c.TrustedOrigins) > 0 || c.CSRFKey != nil) {
		faults = append(faults, errors.New("TrustedOrigins and CSRFKey are about Cookie, which is empty; what pages of other origins may read is decided by CORS"))
	}
	if c.CSRFKey != nil && len(c.CSRFKey) < 32 {
		faults = append(faults, fmt.Errorf("CSRFKey has %d bytes, must have at least 32 random ones", len(c.CSRFKey)))
	}
	return trusted, faults
}
