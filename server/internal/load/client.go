package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

const (
	timeout   = 30 * time.Second
	maxAnswer = 4 << 20
)

// newClient keeps a connection open for each that asks. It follows no redirect
// and asks no proxy: what it measures is the server that was named.
func newClient(connections int) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			MaxIdleConns:        connections,
			MaxIdleConnsPerHost: connections,
			IdleConnTimeout:     time.Minute,
			TLSHandshakeTimeout: 10 * time.Second,
			ForceAttemptHTTP2:   false, // one connection for each that asks, as from many clients
		},
	}
}

// noAnswer says what kept an answer from coming.
type noAnswer struct {
	what string
	err  error
}

func (n *noAnswer) Error() string { return n.what + ": " + n.err.Error() }
func (n *noAnswer) Unwrap() error { return n.err }

func unanswered(err error) error {
	what := "connection failed"
	var slow net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		what = "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		what = "connection broken"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		what = "no answer in time"
	}
	return &noAnswer{what, err}
}

// A request is one, with what it needs to be asked.
type request struct {
	method, path, authorization, contentType string
	body                                     []byte
}

// ask sends q and reads the answer into out, where that is not nil. *Refusal for
// an answer that is no success.
func (t *Target) ask(ctx context.Context, q request, out any) error {
	req, err := http.NewRequestWithContext(ctx, q.method, t.Base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return err
	}
	if q.authorization != "" {
		req.Header.Set("Authorization", q.authorization)
	}
	if q.contentType != "" {
		req.Header.Set("Content-Type", q.contentType)
	}
	req.Header.Set("User-Agent", "jotsmith-bench")
	resp, err := t.client.Do(req)
	if err != nil {
		return unanswered(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return unanswered(err)
	case resp.StatusCode >= 300:
		var refused struct{ Code, Error string } // a problem document, or RFC 6749 §5.2
		json.Unmarshal(body, &refused)
		if refused.Code == "" {
			refused.Code = refused.Error
		}
		return &Refusal{resp.StatusCode, clip(refused.Code)}
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return errors.New("an answer that is no JSON")
	}
	return nil
}

// clip bounds what is repeated of an answer.
func clip(s string) string { return s[:min(len(s), 40)] }
