// Package fetch GETs the documents that a verifier trusts: metadata, key sets
// and the revocation feed. It bounds each by size and time and refuses to be
// led elsewhere: plain http beyond loopback, redirects to another origin, and
// addresses inside the caller's network that nobody configured.
//
// It neither retries nor caches; packages jwks and revocation do, each by the
// rules of its own document.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Request says what to get and what to accept. All fields but ETag are required.
type Request struct {
	URL     string
	Types   []string      // the media types accepted
	ETag    string        // of the copy already held, sent as If-None-Match
	MaxSize int64         // bytes of the body after decompression
	Timeout time.Duration // of everything, the last byte of the body included
}

// Response is an answer of 200 or 304; a 304 has no body.
type Response struct {
	NotModified bool
	Header      http.Header
	Body        []byte
}

// StatusError is any other answer.
type StatusError struct {
	Status     int
	RetryAfter time.Duration // what it asks to wait (RFC 9110 §10.2.3); 0: nothing
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("answered %d %s", e.Status, http.StatusText(e.Status))
}

const maxRedirects = 3

// Get performs the request with a client from [Client] or the user's own; a
// user's own decides by itself what to dial, but neither which redirects to
// follow nor how long to wait: a feed may be asked to wait for news.
func Get(ctx context.Context, client *http.Client, q Request) (*Response, error) {
	if err := CheckURL(q.URL); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, q.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.URL, nil)
	if err != nil {
		return nil, err
	}
	for _, t := range q.Types {
		req.Header.Add("Accept", t)
	}
	if q.ETag != "" {
		req.Header.Set("If-None-Match", q.ETag)
	}
	c := *client
	c.CheckRedirect, c.Timeout = sameOrigin, 0
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && q.ETag != "":
		return &Response{NotModified: true, Header: resp.Header}, nil
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s %w", req.URL.Redacted(), &StatusError{resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"), time.Now())})
	}
	if got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || !slices.Contains(q.Types, got) {
		return nil, fmt.Errorf("%s is of type %q, expected %q", req.URL.Redacted(), resp.Header.Get("Content-Type"), q.Types)
	}
	// The limit stands behind the transport's decompression, so that it also
	// bounds what a small compressed answer grows into.
	body, err := io.ReadAll(io.LimitReader(resp.Body, q.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", req.URL.Redacted(), err)
	}
	if int64(len(body)) > q.MaxSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", req.URL.Redacted(), q.MaxSize)
	}
	return &Response{Header: resp.Header, Body: body}, nil
}

// retryAfter reads a number of seconds, or a date.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}

func sameOrigin(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if from, to := via[0].URL, req.URL; from.Scheme != to.Scheme || from.Host != to.Host {
		return fmt.Errorf("redirected to another origin, %s://%s: configure that one if it is meant", to.Scheme, to.Host)
	}
	return nil
}

// CheckURL reports why a URL cannot name a trusted document: it must be
// absolute https, or http on a loopback host, without user or fragment.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("malformed URL") // the cause would quote it, with whatever secret it holds
	}
	switch {
	case u.Opaque != "" || u.Hostname() == "":
		return fmt.Errorf("%q is not an absolute URL", u.Redacted())
	case u.User != nil:
		return fmt.Errorf("%q holds a user: URLs are logged, credentials must not be in them", u.Redacted())
	case u.Fragment != "":
		return fmt.Errorf("%q has a fragment", u.Redacted())
	case u.Scheme == "https", u.Scheme == "http" && isLoopbackHost(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q must be https: only a loopback host may be reached by http", u.Redacted())
}
