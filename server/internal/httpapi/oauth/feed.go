package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// revocations answers the feed: ?after=CURSOR asks for what followed, and
// &wait=SECONDS waits for that, at most [feed.MaxWait].
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
	c.Extend(wait)
	body, err := d.answer(r.Context(), query.Get("after"), wait)
	switch {
	case errors.Is(err, feed.ErrCursor):
		return httpapi.Refuse(wire.CodeInvalidRequest, "after is a place in the feed, as an earlier answer named it", err)
	case err != nil:
		return doubt(err)
	}
	c.Bytes(http.StatusOK, revocation.MediaType, []byte(body))
	return nil
}

// answer waits no longer than until the server stops.
func (d Deps) answer(ctx context.Context, after string, wait time.Duration) (string, error) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.Draining, cancel)()
	body, err := d.Feed.Answer(waiting, after, wait)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return d.Feed.Answer(ctx, after, 0)
	}
	return body, err
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
