package keyring

import (
	"slices"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// maxKeys is how many keys of a purpose may be in use before rotation waits for
// the oldest to go. A key set holds a hundred at most (see jwk.NewSet), and one
// of more could be opened by nobody: neither by a verifier nor by this server.
// What is left is for new algorithms, each of which needs a key at once.
const maxKeys = 80

// full says whether a purpose has as many keys as may rotate in.
func full(entries []entry, purpose string) bool {
	n := 0
	for _, e := range entries {
		if e.Purpose == purpose && e.State != Revoked {
			n++
		}
	}
	return n >= maxKeys
}

// A slot is what there is one active key of.
type slot struct {
	purpose string
	alg     jwk.Algorithm
}

// A plan says which keys a ring has and how long they stay in each state.
type plan struct {
	slots  []slot
	lead   time.Duration            // announced
	every  time.Duration            // from one activation to the next; 0 never
	retire map[string]time.Duration // by purpose: retiring
}

// A change is one transition, ready to be saved.
type change struct {
	entries []entry
	event   audit.Event
	revoked []string // published with it
}

// due answers the first transition that time demands, and false where none is
// due: a slot without a key that signs gets one, an announced key takes over,
// a key nobody needs goes, an old key's successor is announced. Keys of slots
// that the plan does not name are left alone: another node may want them.
func (p plan) due(entries []entry, now time.Time) (change, bool, error) {
	for _, s := range p.slots {
		if i, found := find(entries, s, Announced); found && !now.Before(entries[i].ActiveAt) {
			return p.activate(entries, i, now), true, nil
		}
		if _, found := find(entries, s, Active); !found {
			c, _, err := p.add(entries, s, now, 0)
			return c, true, err
		}
	}
	for i, e := range entries {
		if !e.GoneAt.IsZero() && !now.Before(e.GoneAt) {
			rest := slices.Delete(slices.Clone(entries), i, i+1)
			return change{entries: rest, event: event("key.gone", e.Key)}, true, nil
		}
	}
	for _, s := range p.slots {
		i, _ := find(entries, s, Active)
		_, announced := find(entries, s, Announced)
		if p.every > 0 && !announced && !full(entries, s.purpose) && !now.Before(entries[i].ActiveAt.Add(p.every-p.lead)) {
			c, _, err := p.add(entries, s, now, p.lead)
			return c, true, err
		}
	}
	return change{}, false, nil
}

// add makes a key for s that signs after lead, or at once where lead is 0.
func (p plan) add(entries []entry, s slot, now time.Time, lead time.Duration) (change, Key, error) {
	e, err := newEntry(s.purpose, s.alg)
	if err != nil {
		return change{}, Key{}, err
	}
	e.State = Announced
	e.CreatedAt = now.UTC().Truncate(time.Second)
	e.ActiveAt = e.CreatedAt.Add(lead).Truncate(time.Second)
	entries = append(slices.Clone(entries), e)
	if lead > 0 {
		return change{entries: entries, event: event("key.announce", e.Key)}, e.Key, nil
	}
	c := p.activate(entries, len(entries)-1, now)
	return c, c.entries[len(entries)-1].Key, nil
}

// activate lets the announced key i sign from now on, and its predecessor no
// more.
func (p plan) activate(entries []entry, i int, now time.Time) change {
	entries = slices.Clone(entries)
	now = now.UTC().Truncate(time.Second)
	next := &entries[i]
	ev := event("key.activate", next.Key)
	if old, found := find(entries, slot{next.Purpose, next.Algorithm}, Active); found {
		k := &entries[old]
		k.State, k.RetiredAt = Retiring, now
		// Another node may sign with it until its lease is over.
		k.GoneAt = now.Add(p.retire[k.Purpose] + Lease).Add(time.Second)
		ev.Targets["retired"] = k.ID
	}
	next.State, next.ActiveAt = Active, now
	return change{entries: entries, event: ev}
}

func find(entries []entry, s slot, state string) (int, bool) {
	i := slices.IndexFunc(entries, func(e entry) bool {
		return e.Purpose == s.purpose && e.Algorithm == s.alg && e.State == state
	})
	return i, i >= 0
}

// event describes an act on k, of the server itself where nobody else is
// named.
func event(act string, k Key) audit.Event {
	return audit.Event{
		Act: act, Outcome: audit.OK,
		Targets: map[string]string{"key": k.ID, "purpose": k.Purpose},
		Actor:   audit.Actor{Kind: audit.KindSystem},
	}
}
