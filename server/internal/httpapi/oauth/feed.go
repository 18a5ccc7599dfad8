package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// revocations answers the feed: ?after=CURSOR asks for what followed, and
// &wait=SECONDS waits for that, at most [feed.MaxWait].
func (d Deps) revocations(c *httpapi.Call, r *http.Request) error {
	if err := d.mayFollow(r.Context(), c.Address); err != nil {
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

// How often one address prefix may ask for the feed: ten thousand times at
// once, and a thousand times a second from then on. A follower asks once for
// each revocation while they come one by one, and else every 25 s; so this is
// far beyond what hundreds of guards behind one address need, and a small part
// of what a node can answer.
const (
	feedBurst = 10_000
	feedEvery = time.Millisecond
)

func (d Deps) mayFollow(ctx context.Context, from netip.Addr) error {
	if d.Limiter == nil {
		return nil
	}
	origin := account.Origin(from)
	wait, err := d.Limiter.Take(ctx, origin.String(), feedBurst, feedEvery)
	switch {
	case err != nil:
		return fmt.Errorf("counting who asks for the feed: %w", err)
	case wait > 0:
		return httpapi.Refuse(wire.CodeRateLimited, "", fmt.Errorf("the feed is asked for too often from %v", origin))
	}
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
