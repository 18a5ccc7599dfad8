package status

import (
	"context"
	"sync"
	"time"
)

// late is how much later than a fact about an app an entry may come that the
// fact concerns: a token dates from when its app was read. What a session's end
// concerns was committed before, since each of both waits for the other.
const late = time.Minute

// revoked is what this node has learned of all lists, its own and others, since
// somebody asked for one first. Nothing that has been revoked is good again, so
// only what came since has to be asked for.
type revoked struct {
	mu     sync.Mutex
	sets   map[string]*set
	epoch  string
	marks  []mark    // where the feed stood, the latest last
	issued time.Time // in the store's time: nothing before that is missing
}

// A mark is where the feed stood when it was looked at.
type mark struct {
	at       time.Time // ours, with its monotonic reading
	position uint64
}

// A set is the bits of a list that has any.
type set struct {
	bits []byte
	text string // as encoded, "" since they changed
}

var nothing = sync.OnceValue(func() string { return encode(make([]byte, capacity/8)) })

// text answers the bits of a list, encoded, and the store's time as of which
// they stand.
func (l *Lists) text(ctx context.Context, list string) (string, time.Time, error) {
	r := &l.revoked
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.marks); n == 0 || time.Since(r.marks[n-1].at) >= every {
		if err := l.look(ctx); err != nil {
			return "", time.Time{}, err
		}
	}
	s := r.sets[list]
	if s == nil {
		return nothing(), r.issued, nil
	}
	if s.text == "" {
		s.text = encode(s.bits)
	}
	return s.text, r.issued, nil
}

// look asks the store for what was revoked since the last look. The caller holds
// the lock.
func (l *Lists) look(ctx context.Context) error {
	r := &l.revoked
	now, issued := time.Now(), l.c.Now() // before the read: a list is rather older than it says
	sessions, apps := r.since(now)
	epoch, position, err := l.c.Store.StatusSince(ctx, sessions, apps, r.add)
	if err == nil && r.epoch != "" && (epoch != r.epoch || position < sessions) {
		// Another life of the store, whose facts begin anew.
		r.sets, r.marks = nil, nil
		epoch, position, err = l.c.Store.StatusSince(ctx, 0, 0, r.add)
	}
	if err != nil {
		return err
	}
	r.epoch, r.issued = epoch, issued
	r.marks = append(r.marks, mark{now, position})
	// One list at a time is looked after, so that none stays for ever.
	for list := range r.sets {
		if named, err := l.c.Store.StatusNamed(ctx, list); err == nil && !named {
			delete(r.sets, list)
		}
		break
	}
	return nil
}

// since answers from where on the feed is read: for sessions and tokens from the
// last mark, for apps from the last one that is old enough.
func (r *revoked) since(now time.Time) (sessions, apps uint64) {
	for len(r.marks) > 1 && now.Sub(r.marks[1].at) > late {
		r.marks = r.marks[1:]
	}
	if n := len(r.marks); n > 0 {
		sessions = r.marks[n-1].position
		if now.Sub(r.marks[0].at) > late {
			apps = r.marks[0].position
		}
	}
	return sessions, apps
}

func (r *revoked) add(s Slot) {
	if s.Index < 0 || s.Index >= capacity { // which nobody took
		return
	}
	of := r.sets[s.List]
	if of == nil {
		if r.sets == nil {
			r.sets = make(map[string]*set)
		}
		of = &set{bits: make([]byte, capacity/8)}
		r.sets[s.List] = of
	}
	if bit := byte(1) << (s.Index % 8); of.bits[s.Index/8]&bit == 0 {
		of.bits[s.Index/8] |= bit
		of.text = ""
	}
}
