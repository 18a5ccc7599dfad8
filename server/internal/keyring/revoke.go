package keyring

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// Revoke takes a key out of use at once, as when it was stolen: it signs no
// more, it stands in no key set, and of a key that signs access tokens it is
// published that whatever it signed is refused. Where it was the active one, a
// successor signs at once, which is answered; else the zero Key is.
//
// Without a MAC key, the refresh tokens that were made with it are worth
// nothing: their holders log in again. fault.ErrNotFound where there is no such
// key, or it is revoked already.
func (r *Ring) Revoke(ctx context.Context, id string, actor audit.Actor) (successor Key, err error) {
	err = r.change(ctx, func(entries []entry, now time.Time) (change, bool, error) {
		c, next, err := r.plan.revoke(entries, id, now)
		successor = next
		c.event.Actor = actor
		return c, true, err
	})
	if err != nil {
		return Key{}, fmt.Errorf("revoking key %s: %w", id, err)
	}
	return successor, nil
}

// revoke is the change that revokes a key and, where it was active, lets its
// successor sign: one that was announced, or a new one.
func (p plan) revoke(entries []entry, id string, now time.Time) (change, Key, error) {
	i := slices.IndexFunc(entries, func(e entry) bool { return e.ID == id && e.State != Revoked })
	if i < 0 {
		return change{}, Key{}, fault.ErrNotFound
	}
	entries = slices.Clone(entries)
	k := &entries[i]
	s, was := slot{k.Purpose, k.Algorithm}, k.State
	k.State, k.RetiredAt = Revoked, now.UTC().Truncate(time.Second)
	// Until then it is told from a key that never was.
	k.GoneAt = k.RetiredAt.Add(p.retire[k.Purpose])
	c := change{entries: entries, event: event("key.revoke", k.Key)}
	if was == Active {
		var next change
		if n, announced := find(entries, s, Announced); announced {
			next = p.activate(entries, n, now)
		} else {
			var err error
			if next, _, err = p.add(entries, s, now, 0); err != nil {
				return change{}, Key{}, err
			}
		}
		c.entries = next.entries
	}
	if s.purpose == Access {
		c.revoked = []string{id}
	}
	n, signs := find(c.entries, s, Active)
	if was != Active || !signs {
		return c, Key{}, nil
	}
	c.event.Targets["successor"] = c.entries[n].ID
	return c, c.entries[n].Key, nil
}
