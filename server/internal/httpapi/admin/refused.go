package admin

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// refusals puts on record who asked for an act without its permission.
type refusals struct {
	log audit.Log

	mu    sync.Mutex
	since time.Time
	seen  map[string]bool // since then
}

// Nobody shall fill the audit log with refusals: each actor has one a minute,
// and so many actors.
const (
	refusedEvery = time.Minute
	maxRefused   = 1000
)

func (r *refusals) record(ctx context.Context, actor audit.Actor, permission string) error {
	if !r.due(actor.ID, time.Now()) {
		return nil
	}
	err := r.log.Record(ctx, audit.Event{Act: "admin.refuse", Outcome: audit.Refused, Rule: permission, Actor: actor})
	if err != nil {
		return fmt.Errorf("recording that %s was refused: %w", permission, err)
	}
	return nil
}

func (r *refusals) due(who string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) >= refusedEvery {
		r.since, r.seen = now, make(map[string]bool)
	}
	if r.seen[who] || len(r.seen) >= maxRefused {
		return false
	}
	r.seen[who] = true
	return true
}
