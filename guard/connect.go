package guard

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jotsmith/jotsmith/internal/metadata"
	"github.com/jotsmith/jotsmith/jwks"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/wire"
)

const (
	minBackOff = 100 * time.Millisecond
	maxBackOff = 5 * time.Second
)

// errNoFeed means that waiting would not help: the issuer has no feed.
var errNoFeed = errors.New("the issuer publishes no revocation feed (jotsmith_revocations_uri): " +
	"its tokens cannot be revoked before they expire; to accept that, set DangerouslyIgnoreRevocation")

// run connects to the issuer, however long that takes, and follows it until ctx
// ends. Keys renew themselves; the rest of the issuer's metadata is read once.
func (g *Guard) run(ctx context.Context) {
	var m *wire.Metadata
	if !g.retry(ctx, "metadata", func() (err error) {
		if m, err = metadata.Fetch(ctx, g.client, g.c.Issuer); err != nil {
			return err
		}
		if m.RevocationsURI == "" && !g.c.DangerouslyIgnoreRevocation {
			return errNoFeed
		}
		return nil
	}) {
		return
	}
	keys := g.keys(ctx, "keys", m.JWKSURI)
	if keys == nil {
		return
	}
	defer keys.Close()
	policy := jwt.Policy{
		Issuer: g.c.Issuer, Audiences: []string{g.c.Audience}, Keys: keys, Decryption: g.c.Decryption, Leeway: g.c.Leeway,
		DangerouslyIgnoreRevocation: g.c.DangerouslyIgnoreRevocation,
	}
	if g.c.DangerouslyIgnoreRevocation {
		if g.open(policy) {
			close(g.ready)
			<-ctx.Done()
		}
		return
	}

	feedKeys := g.keys(ctx, "keys of the revocation feed", m.RevocationsJWKSURI)
	if feedKeys == nil {
		return
	}
	defer feedKeys.Close()
	feed, err := revocation.NewFollower(revocation.FollowerConfig{
		URL: m.RevocationsURI, Issuer: g.c.Issuer, Keys: feedKeys, Client: g.client,
		MaxStale: g.c.MaxStale, Leeway: g.c.Leeway, Log: g.c.Log, OnApply: g.applied(),
		DangerouslyFailOpen: g.c.DangerouslyFailOpen,
	})
	if err != nil {
		g.breaks(err)
		return
	}
	policy.Revocations = feed
	if g.c.DangerouslyFailOpen && !g.open(policy) {
		return
	}
	g.work.Go(func() {
		select {
		case <-feed.Ready():
			if g.c.DangerouslyFailOpen || g.open(policy) {
				close(g.ready)
			}
		case <-ctx.Done():
		}
	})
	g.feed.Store(feed)
	feed.Run(ctx)
}

// keys loads a key set, or returns nil when that is over.
func (g *Guard) keys(ctx context.Context, what, url string) *jwks.Remote {
	keys, err := jwks.New(jwks.Config{URL: url, Client: g.client, Log: g.c.Log})
	if err != nil {
		g.breaks(fmt.Errorf("%s: %w", what, err))
		return nil
	}
	if !g.retry(ctx, what, func() error { return keys.Refresh(ctx) }) {
		keys.Close()
		return nil
	}
	return keys
}

// open lets requests be verified from now on.
func (g *Guard) open(p jwt.Policy) bool {
	v, err := jwt.NewVerifier(p)
	if err != nil {
		g.breaks(err)
		return false
	}
	g.verifier.Store(v)
	return true
}

func (g *Guard) applied() func(*revocation.Document, time.Time) {
	if g.c.OnRevocations == nil {
		return nil
	}
	return func(d *revocation.Document, _ time.Time) { g.c.OnRevocations(d) }
}

// retry does one step of connecting until it succeeds, and reports false when
// ctx ended. New gives up at a fault that waiting does not mend; a lazy guard
// goes on, for somebody may mend it. Half of each pause is random: guards that
// lost their issuer together must not return together.
func (g *Guard) retry(ctx context.Context, what string, step func() error) bool {
	for try := 1; ; try++ {
		err := step()
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case errors.Is(err, metadata.ErrIssuer) || errors.Is(err, errNoFeed):
			g.breaks(err)
		}
		err = fmt.Errorf("%s: %w", what, err)
		g.stuck.Store(&err)
		if try&(try-1) == 0 { // ever more rarely, not to fill the log
			g.c.Log.Warn("guard is not connected to its issuer yet", "issuer", g.c.Issuer, "error", err, "tries", try)
		}
		pause := min(minBackOff<<min(try, 10), maxBackOff)
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
			return false
		}
	}
}

// breaks reports a fault of the configuration or of what the issuer says, which
// trying again cannot mend.
func (g *Guard) breaks(err error) {
	err = fmt.Errorf("guard: issuer %s: %w", g.c.Issuer, err)
	select {
	case g.broken <- err:
		g.c.Log.Error("guard cannot connect to its issuer", "error", err)
	default: // told already
	}
}

// waitingFor says what was missing when New's context ended.
func (g *Guard) waitingFor(ctx context.Context) error {
	missing := errors.New("no answer came in time")
	if feed := g.feed.Load(); feed != nil {
		missing = errors.New("revocations: no snapshot came in time")
		if err := feed.Err(); err != nil {
			missing = fmt.Errorf("revocations: %w", err)
		}
	} else if err := g.stuck.Load(); err != nil {
		missing = *err
	}
	return fmt.Errorf("guard: not ready when the context ended (%w): %w; "+
		"is the issuer %s running, and can this machine reach it? NewLazy starts without waiting", context.Cause(ctx), missing, g.c.Issuer)
}
