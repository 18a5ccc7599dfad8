package oauth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// revocations answers the feed: ?after=CURSOR asks for what followed, and
// &wait=SECONDS waits for that, at most [feed.MaxWait]. Who accepts
// text/event-stream is told all that follows.
func (d Deps) revocations(c *httpapi.Call, r *http.Request) error {
	if err := c.TakeAddress(r, httpapi.Feed); err != nil {
		return err
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return httpapi.Refuse(wire.CodeInvalidRequest, "malformed query", nil)
	}
	wait := time.Duration(0)
	if s := query.Get("wait"); s != "" {
		seconds, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return httpapi.Refuse(wire.CodeInvalidRequest, "wait is a number of seconds", nil)
		}
		wait = min(time.Duration(seconds)*time.Second, feed.MaxWait)
	}
	after := query.Get("after")
	if r.Method == http.MethodGet && accepts(r.Header["Accept"], eventStream) {
		return d.stream(c, r, after)
	}
	c.Extend(wait)
	document, err := d.answer(r.Context(), c.Counted(), after, wait)
	if err != nil {
		return refused(err)
	}
	body := document.Bytes()
	c.Header().Set("Vary", "Accept, Accept-Encoding")
	if accepts(r.Header["Accept-Encoding"], "gzip") {
		if zipped := document.Gzip(); zipped != nil {
			c.Header().Set("Content-Encoding", "gzip")
			body = zipped
		}
	}
	c.Bytes(http.StatusOK, revocation.MediaType, body)
	return nil
}

// answer waits no longer than until the server stops.
func (d Deps) answer(ctx context.Context, who, after string, wait time.Duration) (*feed.Document, error) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.Draining, cancel)()
	document, err := d.Feed.Answer(waiting, who, after, wait)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return d.Feed.Answer(ctx, who, after, 0)
	}
	return document, err
}

const eventStream = "text/event-stream"

// stream answers the same documents as server-sent events (HTML §9.2), each of
// which names the place that it leads to as its id. Who comes back says in
// Last-Event-ID where they were. A stream ends with the server, and after a
// while by itself.
func (d Deps) stream(c *httpapi.Call, r *http.Request, after string) error {
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		after = last
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(d.Draining, cancel)()
	begun := false
	flusher := http.NewResponseController(c)
	err := d.Feed.Stream(ctx, c.Counted(), after, func(document *feed.Document) error {
		c.Extend(feed.Heartbeat)
		head := fmt.Sprintf("id: %s\ndata: ", document.Next())
		if !begun {
			begun = true
			h := c.Header()
			h.Set("Content-Type", eventStream)
			h.Set("Vary", "Accept, Accept-Encoding")
			h.Set("X-Accel-Buffering", "no") // which is how nginx is told not to wait for more
			c.WriteHeader(http.StatusOK)
			// Half a second to a second and a half: who was cut off together comes
			// back one by one.
			head = fmt.Sprintf("retry: %d\n", 500+rand.IntN(1000)) + head
		}
		// Piece by piece: each copy of a document would be held for as long as its
		// reader takes.
		for _, piece := range [][]byte{[]byte(head), document.Bytes(), []byte("\n\n")} {
			if _, err := c.Write(piece); err != nil {
				return err
			}
		}
		return flusher.Flush()
	})
	if begun {
		return nil // what an event stream says last is its end; who follows comes back
	}
	return refused(err)
}

func refused(err error) error {
	switch {
	case errors.Is(err, feed.ErrCursor):
		return httpapi.Refuse(wire.CodeInvalidRequest, "after is a place in the feed, as an earlier answer named it", err)
	case errors.Is(err, feed.ErrOwnStreams):
		return httpapi.TooMany("streams", feed.Heartbeat)
	case errors.Is(err, feed.ErrStreams):
		return httpapi.Refuse(wire.CodeServerBusy, "too many follow as a stream; ask with after and wait instead", err)
	}
	return doubt(err)
}

// accepts reports whether a header that lists what a client takes names it and
// does not refuse it (RFC 9110 §12.4.2). What a wildcard takes is not asked for.
func accepts(header []string, name string) bool {
	for _, line := range header {
		for item := range strings.SplitSeq(line, ",") {
			token, params, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(token), name) {
				continue
			}
			weight, found := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q=")
			return !found || strings.Trim(weight, "0.") != ""
		}
	}
	return false
}

// doubt answers an error for which nobody's request is to blame.
func doubt(err error) error {
	switch {
	case errors.Is(err, keyring.ErrLease):
		return httpapi.Refuse(wire.CodeKeysUnavailable, "", err)
	case errors.Is(err, fault.ErrClock):
		return err
	}
	return httpapi.Refuse(wire.CodeServerBusy, "", err)
}
