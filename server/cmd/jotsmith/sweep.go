package main

import (
	"context"
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// sweepEvery and deadAfter say when what has ended is deleted. Until then
	// a token of an ended session is told from a forged one.
	sweepEvery = time.Minute
	deadAfter  = 7 * 24 * time.Hour

	// sweepLimit is how much one transaction deletes: few milliseconds' worth.
	sweepLimit = 200

	// sweepShare is the part of the time that sweeping may take. A step that
	// takes long, since the store is under load, is followed by a long pause.
	sweepShare = 5
	sweepPause = time.Second // the longest
)

// A sweeper deletes what has ended long ago, a little at a time, and says what
// it did. On several nodes each skips what another deletes just then.
type sweeper struct {
	mu sync.Mutex
	sweepStats
	countAgain time.Time
}

// sweepStats are what a node has swept since it was started.
type sweepStats struct {
	Deleted map[string]int64 // rows of each table
	Last    time.Time        // when the last round ended, whole; zero before
	Took    time.Duration    // the last round, pauses included
	Sizes   map[string]int64 // rows of each table, when last counted
}

// newSweeper tells of every table from the beginning.
func newSweeper() sweeper {
	return sweeper{sweepStats: sweepStats{Deleted: map[string]int64{"fact": 0, "status_entry": 0, "session": 0}}}
}

func (s *sweeper) stats() sweepStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.sweepStats
	now.Deleted = maps.Clone(s.Deleted)
	return now
}

func (s *sweeper) count(deleted map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for table, rows := range deleted {
		s.Deleted[table] += int64(rows)
	}
}

func (n *node) sweep(ctx context.Context) error {
	n.countRows(ctx)
	// Not at the same moment on nodes that were started together.
	if err := pause(ctx, rand.N(sweepEvery)); err != nil {
		return err
	}
	return every(ctx, sweepEvery, func() {
		start := time.Now()
		if err := n.sweepAll(ctx); err != nil {
			if ctx.Err() == nil {
				n.config.Log.Warn("sweeping what has ended", "err", err)
			}
			return
		}
		n.swept.mu.Lock()
		n.swept.Last, n.swept.Took = time.Now(), time.Since(start)
		n.swept.mu.Unlock()
		n.countRows(ctx)
	})
}

// sweepAll goes on until nothing is left.
func (n *node) sweepAll(ctx context.Context) error {
	for {
		start := time.Now()
		deleted, err := n.store.Sweep(ctx, deadAfter, sweepLimit)
		if err != nil || len(deleted) == 0 {
			return err
		}
		n.swept.count(deleted)
		if err := pause(ctx, min(time.Since(start)*(sweepShare-1), sweepPause)); err != nil {
			return err
		}
	}
}

// countRows counts the rows of the tables, unless that took so long the last
// time that it is to be done more rarely.
func (n *node) countRows(ctx context.Context) {
	start := time.Now()
	if start.Before(n.swept.countAgain) { // of this goroutine
		return
	}
	sizes, err := n.store.Sizes(ctx)
	if err != nil {
		if ctx.Err() == nil {
			n.config.Log.Warn("counting rows", "err", err)
		}
		return
	}
	n.swept.countAgain = start.Add(time.Since(start) * 1000)
	n.swept.mu.Lock()
	n.swept.Sizes = sizes
	n.swept.mu.Unlock()
}

// pause answers the context's error where that ends before d is over.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
