package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// HTTP is an http.Client that signs its requests. It follows redirects, and
// sends no token to where it may not.
func (c *Client) HTTP() *http.Client { return &http.Client{Transport: c.Transport(nil)} }

// Transport signs requests, and base carries them; nil: as Config.Transport. A
// request to an origin that tokens may not be sent to is an error, and one that
// a redirect leads to goes there without a token.
//
// A 401 that says invalid_token has the token renewed and the request sent once
// more, if it has no body or a GetBody that makes it again, as
// http.NewRequest sets it for what is in memory. Any other answer is handed on.
func (c *Client) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = c.c.Transport
	}
	return &transport{c, base}
}

type transport struct {
	c    *Client
	base http.RoundTripper
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL == nil || !t.c.origins[originOf(r.URL)] {
		if r.Response != nil && r.URL != nil { // of the redirect that led here
			away := r.Clone(r.Context())
			away.Header.Del("Authorization")
			return t.base.RoundTrip(away)
		}
		closeBody(r)
		return nil, fmt.Errorf("client: no token is sent to an origin that is not among Origins")
	}
	token, err := t.c.Token(r.Context())
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := t.base.RoundTrip(signed(r, token))
	if err != nil || !saysInvalid(resp) || !t.c.giveUp(token) {
		return resp, err
	}
	again := r
	if r.Body != nil && r.Body != http.NoBody {
		if r.GetBody == nil {
			return resp, nil // the body is spent
		}
		body, err := r.GetBody()
		if err != nil {
			return resp, nil
		}
		again = r.Clone(r.Context())
		again.Body = body
	}
	next, err := t.c.Token(r.Context())
	if err != nil || next.AccessToken == token.AccessToken {
		if again != r {
			closeBody(again)
		}
		if err != nil {
			resp.Body.Close()
			return nil, err
		}
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection can be used again
	resp.Body.Close()
	return t.base.RoundTrip(signed(again, next))
}

func signed(r *http.Request, t Token) *http.Request {
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", "Bearer "+t.AccessToken)
	return out
}

// saysInvalid reports whether an answer says that the token is no good (RFC 6750
// §3.1), and not that another kind of credential is wanted.
func saysInvalid(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	for _, challenges := range resp.Header.Values("WWW-Authenticate") {
		lower := strings.ToLower(challenges) // one or several (RFC 9110 §11.6.1)
		if strings.Contains(lower, "bearer ") && (strings.Contains(lower, `error="invalid_token"`) || strings.Contains(lower, "error=invalid_token")) {
			return true
		}
	}
	return false
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// Call asks the issuer's own API with a token: path begins with a slash; in,
// where it is not nil, is sent as JSON, and the answer is read into out, where
// that is not nil. The error of a refusal is an [*Error]. It is for one's own
// account and, with an Audience of the issuer followed by wire.PathAdmin, for
// administration.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout+callTimeout)
	defer cancel()
	r, err := c.request(ctx, call{method: method, path: path, body: in})
	if err != nil {
		return err
	}
	h := http.Client{Transport: c.Transport(nil), CheckRedirect: noRedirect}
	resp, err := h.Do(r)
	return c.read(resp, err, out)
}
