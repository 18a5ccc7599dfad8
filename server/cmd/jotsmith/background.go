package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
)

const (
	clockEvery = 10 * time.Second
	chainEvery = time.Second
)

// background is what a node does without being asked. What fails there is
// logged and makes the node unready, since a node whose keys or revocations
// stand still must not be sent requests.
type background struct {
	cancel  context.CancelFunc
	work    sync.WaitGroup
	mu      sync.Mutex
	failure error
}

func (n *node) startBackground() {
	ctx, cancel := context.WithCancel(context.Background())
	n.background.cancel = cancel
	n.background.run(n, ctx, "key ring", n.ring.Run)
	n.background.run(n, ctx, "catalog", n.watchCatalog)
	n.background.run(n, ctx, "revocation feed", n.feed.Run)
	n.background.run(n, ctx, "waking the feed", n.wakeFeed)
	n.background.run(n, ctx, "sweep", n.sweep)
	n.background.run(n, ctx, "clock watch", n.watchClock)
	n.background.run(n, ctx, "audit chain", n.chain)
}

// run runs f, which ends with ctx or has failed.
func (b *background) run(n *node, ctx context.Context, name string, f func(context.Context) error) {
	b.work.Go(func() {
		err := f(ctx)
		if ctx.Err() != nil {
			return
		}
		err = fmt.Errorf("%s has stopped: %w", name, err)
		b.mu.Lock()
		b.failure = err
		b.mu.Unlock()
		n.config.Log.Error("background work failed; this server is not ready any more", "err", err)
	})
}

func (b *background) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failure
}

func (b *background) stop() {
	if b.cancel != nil {
		b.cancel()
	}
	b.work.Wait()
}

// watchCatalog follows what other processes register, and has keys for it.
func (n *node) watchCatalog(ctx context.Context) error {
	known := n.catalog.Now()
	return every(ctx, catalog.Poll, func() {
		err := n.catalog.Reload(ctx)
		if now := n.catalog.Now(); err == nil && now != known {
			if err = n.ring.Want(ctx, now.Algorithms()...); err == nil {
				known = now
			}
		}
		if err != nil && ctx.Err() == nil {
			n.config.Log.Warn("following what is registered", "err", err)
		}
	})
}

// wakeFeed lets commits be published at once: this node's, and what the store or
// the shared state tell of those of others.
func (n *node) wakeFeed(ctx context.Context) error {
	var heard <-chan struct{}
	if n.shared != nil {
		heard = n.shared.Heard()
	}
	for {
		select {
		case <-n.store.Committed():
			n.feed.Wake()
		case <-heard:
			n.feed.Wake()
		case <-n.news:
			if n.shared != nil {
				n.shared.Tell()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// chain is the one appender of the audit log. Acts do not wait for it: their
// events were committed with them.
func (n *node) chain(ctx context.Context) error {
	failing := false
	return every(ctx, chainEvery, func() {
		err := audit.Chain(ctx, n.store)
		if was := failing; ctx.Err() == nil && was != (err != nil) {
			failing = !was
			if failing {
				n.config.Log.Error("what is recorded cannot be chained; it waits", "err", err)
			} else {
				n.config.Log.Info("what was recorded is chained again")
			}
		}
	})
}

// watchClock reads the store's time also where nobody asks for it, since the
// store tells when the clock begins to contradict it and when it is right
// again.
func (n *node) watchClock(ctx context.Context) error {
	return every(ctx, clockEvery, func() { n.store.Now() })
}

func every(ctx context.Context, d time.Duration, f func()) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
