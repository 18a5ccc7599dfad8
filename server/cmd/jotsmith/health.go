package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

const (
	// healthPatience is how long the store may take to say that it works.
	// Whoever asks a node whether it is ready has an answer within two seconds.
	healthPatience = 1500 * time.Millisecond

	// checkLimit ends a check of the store that nobody waits for any more.
	checkLimit = 10 * time.Second

	// feedLate is the age from which on a node's view of the revocations is too
	// old to be sent requests.
	feedLate = 10 * time.Second
)

// A condition is one part of a node's doing its work.
type condition struct {
	name string
	err  error
}

var errDraining = fmt.Errorf("%w: the server is stopping", fault.ErrUnavailable)

// windDown says for the time of grace that the node should be sent nothing more,
// and answers everything meanwhile; then it ends those who wait for news.
func (n *node) windDown(grace span) {
	n.unready()
	if grace > 0 {
		n.config.Log.Info("not ready any more; the listeners stay open for a while", "drain", grace.String())
	}
	_ = pause(context.Background(), time.Duration(grace))
	n.drain()
}

// examine looks at every part, within healthPatience.
func (n *node) examine(ctx context.Context) []condition {
	var draining error
	if n.stopping.Err() != nil {
		draining = errDraining
	}
	_, clock := n.store.Now()
	store := clock // which says so itself
	if clock == nil {
		store = n.health.ask(ctx, n.store.Check)
	}
	return []condition{
		{"running", draining},
		{"background", n.failed()},
		{"keys", n.signs()},
		{"feed", n.follows()},
		{"clock", clock},
		{"store", store},
	}
}

// ready says why the node cannot do its work now.
func (n *node) ready(ctx context.Context) error {
	for _, p := range n.examine(ctx) {
		if p.err != nil {
			return fmt.Errorf("%s: %w", p.name, p.err)
		}
	}
	return nil
}

// signs says whether there is a key, with a lease, for each kind of token.
func (n *node) signs() error {
	for _, alg := range n.catalog.Now().Algorithms() {
		if _, err := n.ring.Signer(keyring.Access, alg); err != nil {
			return err
		}
	}
	return nil
}

// follows says whether the node knows what was revoked.
func (n *node) follows() error {
	if age := n.feed.Stats().Age; age > feedLate {
		return fmt.Errorf("%w: the revocations were read %v ago", fault.ErrUnavailable, age.Round(time.Second))
	}
	return nil
}

// A health asks the store whether it works, one question at a time: where the
// store hangs, those who ask wait for the question that hangs already, and none
// of them for long.
type health struct {
	mu  sync.Mutex
	now *question // nil: none is asked
}

type question struct {
	done chan struct{}
	err  error // once done
}

var errHangs = fmt.Errorf("%w: the store does not answer", fault.ErrUnavailable)

func (h *health) ask(ctx context.Context, check func(context.Context) error) error {
	h.mu.Lock()
	q := h.now
	if q == nil {
		q = &question{done: make(chan struct{})}
		h.now = q
		go h.answer(q, check)
	}
	h.mu.Unlock()
	timer := time.NewTimer(healthPatience)
	defer timer.Stop()
	select {
	case <-q.done:
		return q.err
	case <-timer.C:
		return errHangs
	case <-ctx.Done():
		return errors.Join(errHangs, ctx.Err())
	}
}

func (h *health) answer(q *question, check func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	q.err = check(ctx)
	h.mu.Lock()
	h.now = nil
	h.mu.Unlock()
	close(q.done)
}
