package admin

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// refusals puts on record who asked for an act without its permission, or with
// it for more than their own permissions reach.
type refusals struct {
	log audit.Log

	mu    sync.Mutex
	since time.Time
	seen  map[string]bool // since then
}

// beyond ends the rule where the permission was there.
const beyond = ", beyond the caller's own permissions"

// Nobody shall fill the audit log with refusals: each actor has one of either
// kind a minute, and so many actors.
const (
	refusedEvery = time.Minute
	maxRefused   = 1000
)

func (r *refusals) record(ctx context.Context, actor audit.Actor, rule string) error {
	who := actor.ID
	if strings.HasSuffix(rule, beyond) {
		who += beyond
	}
	if !r.due(who, time.Now()) {
		return nil
	}
	err := r.log.Record(ctx, audit.Event{Act: "admin.refuse", Outcome: audit.Refused, Rule: rule, Actor: actor})
	if err != nil {
		return fmt.Errorf("recording that %s was refused: %w", rule, err)
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
