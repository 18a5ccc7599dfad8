package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// Error is what a server answered that would not do what it was asked.
type Error struct {
	Status     int       // of HTTP
	Code       wire.Code // stable, for programs; of OAuth's endpoints, its error; empty if the answer had none
	Title      string    // for people
	Detail     string    // what to do about it; may be empty
	ID         string    // finds the server's log line; may be empty
	RetryAfter time.Duration
}

// Error says it in the server's words.
func (e *Error) Error() string {
	switch {
	case e.Detail != "":
		return e.Detail
	case e.Title != "":
		return strings.ToLower(e.Title[:1]) + strings.TrimSuffix(e.Title[1:], ".")
	case e.Code != "":
		return string(e.Code)
	}
	return fmt.Sprintf("answered %d, not as a Jotsmith server does", e.Status)
}

const (
	callTimeout = 15 * time.Second
	maxAnswer   = 16 << 20
	maxProblem  = 64 << 10
	tries       = 3
	maxWait     = 10 * time.Second // for a server that says Retry-After
)

// A call is one question to the issuer.
type call struct {
	method, path string
	body         any        // as JSON, if not nil
	form         url.Values // in its place, with the client's own credentials
	bearer       string
	out          any  // what the answer is read into, if not nil
	again        bool // may be asked again when no answer came, or 429
}

// ask asks, and asks again a few times where the server says that it could not
// act just then, or where asking twice does no harm.
func (c *Client) ask(ctx context.Context, q call) error {
	for n := 1; ; n++ {
		err := c.askOnce(ctx, q)
		wait, ok := retry(err, q.again)
		if !ok || n == tries {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// retry says how long to wait for another try, if there is to be one.
func retry(err error, again bool) (wait time.Duration, ok bool) {
	wait = 250*time.Millisecond + rand.N(500*time.Millisecond)
	e, answered := errors.AsType[*Error](err)
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, errAnswer):
		return 0, false
	case !answered:
		return wait, again
	case e.Code == wire.CodeStoreBehind: // until an operator has acted
		return 0, false
	case e.Status == http.StatusServiceUnavailable && e.RetryAfter > 0, again && e.Status == http.StatusTooManyRequests && e.RetryAfter > 0:
		return e.RetryAfter + wait, e.RetryAfter <= maxWait
	}
	return wait, again && e.Status >= 502 && e.Status <= 504
}

func (c *Client) askOnce(ctx context.Context, q call) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := c.request(ctx, q)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	return c.read(resp, err, q.out)
}

func (c *Client) request(ctx context.Context, q call) (*http.Request, error) {
	var body io.Reader
	mediaType := ""
	switch {
	case q.form != nil:
		body, mediaType = strings.NewReader(q.form.Encode()), "application/x-www-form-urlencoded"
	case q.body != nil:
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, err
		}
		body, mediaType = bytes.NewReader(text), "application/json"
	}
	r, err := http.NewRequestWithContext(ctx, q.method, c.issuer+q.path, body)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", c.issuer, err)
	}
	if mediaType != "" {
		r.Header.Set("Content-Type", mediaType)
	}
	if c.c.UserAgent != "" {
		r.Header.Set("User-Agent", c.c.UserAgent)
	}
	switch {
	case q.bearer != "":
		r.Header.Set("Authorization", "Bearer "+q.bearer)
	case q.form != nil && c.c.ClientID != "": // RFC 6749 §2.3.1
		r.SetBasicAuth(url.QueryEscape(c.c.ClientID), url.QueryEscape(c.c.ClientSecret))
	}
	return r, nil
}

var errAnswer = errors.New("the answer is not understood")

// read reads an answer into out, or what it refuses.
func (c *Client) read(resp *http.Response, err error, out any) error {
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // whose URL may hold anything
		}
		return fmt.Errorf("asking %s: %w", c.issuer, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return refusal(resp)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer of %s: %w", c.issuer, err)
	case len(text) > maxAnswer:
		return fmt.Errorf("%w: %s answered more than %d bytes", errAnswer, c.issuer, maxAnswer)
	case out == nil:
		return nil
	case json.Unmarshal(text, out) != nil: // whose error may quote it
		return fmt.Errorf("%w: is %s a Jotsmith server?", errAnswer, c.issuer)
	}
	return nil
}

func refusal(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	var p struct {
		wire.Problem
		wire.OAuthError
	}
	_ = json.Unmarshal(text, &p) // what is none says so by its status
	e := &Error{Status: resp.StatusCode, Code: p.Code, Title: p.Title, Detail: p.Detail, ID: p.ID}
	if e.Code == "" {
		e.Code, e.Detail = wire.Code(p.OAuthError.Error), p.Description
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = min(time.Duration(seconds)*time.Second, time.Hour)
	}
	return e
}
