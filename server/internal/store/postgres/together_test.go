package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// A question goes with a statement that is sent after it came, and never with
// one that is under way.
func TestQuestionsWaitForTheNextStatement(t *testing.T) {
	t.Parallel()
	var q questions
	add := func(begins bool) *question {
		t.Helper()
		one := &question{}
		begin, err := q.add(one)
		if err != nil || begin != begins {
			t.Fatalf("begin %v, %v; want %v", begin, err, begins)
		}
		return one
	}
	add(true)
	if batch := q.next(); len(batch) != 1 {
		t.Fatalf("%d in a statement", len(batch))
	}
	first, second, third := add(false), add(false), add(false)
	if !q.drop(second) || q.drop(second) {
		t.Error("dropped not at all, or twice")
	}
	if batch := q.next(); len(batch) != 2 || batch[0] != first || batch[1] != third {
		t.Errorf("%v", batch)
	}
	if q.drop(first) {
		t.Error("dropped what is being asked")
	}
	for range together + 1 {
		add(false)
	}
	if a, b := q.next(), q.next(); len(a) != together || len(b) != 1 {
		t.Errorf("%d and %d in a statement", len(a), len(b))
	}
	for range queue {
		add(false)
	}
	if _, err := q.add(&question{}); !errors.Is(err, fault.ErrUnavailable) {
		t.Errorf("beyond the queue: %v", err)
	}
	for q.next() != nil {
	}
	add(true)
}

// A statement that is late holds up nobody but those whom it asks for, and when
// it has ended there is one at a time again.
func TestAStatementThatIsLate(t *testing.T) {
	t.Parallel()
	var q questions
	add := func() (begin bool) {
		begin, _ = q.add(&question{})
		return begin
	}
	var stuck, prompt statement
	if !add() || len(q.next()) != 1 || q.isLate(&stuck) {
		t.Fatal("another begins where nobody waits")
	}
	if !add() || len(q.next()) != 1 || add() {
		t.Fatal("none begins beside it, or more than one")
	}
	if q.isLate(&prompt) {
		t.Errorf("more than %d begin", asking)
	}
	q.end(&prompt)
	if len(q.next()) != 1 || add() {
		t.Error("who asks beside it does not go on")
	}
	q.end(&stuck)
	if q.next() != nil {
		t.Error("two ask, and none of them is late")
	}
	if len(q.next()) != 1 || q.next() != nil || q.running != 0 || q.late != 0 {
		t.Errorf("at last %+v", &q)
	}
	var over statement
	q.end(&over)
	if q.isLate(&over) || q.late != 0 {
		t.Error("late after its end")
	}
	if !add() || len(q.next()) != 1 || add() || !q.isLate(new(statement)) {
		t.Error("who waits is not asked for when the first is late")
	}
}

// What is answered to many at once is right for each of them.
func TestSharedReadings(t *testing.T) {
	t.Parallel()
	p := realtest.SharedPostgres(t)
	url := p.NewDatabase(t)
	a, b := open(t, Config{URL: url}), open(t, Config{URL: url})
	const many = 200 // more than one statement asks for
	ids := []session.ID{living(t, a)}
	holder := account.Account{ID: account.NewID(), Username: "many"}
	if _, err := a.CreateAccount(t.Context(), holder, "", event("account.create")); err != nil {
		t.Fatal(err)
	}
	for i := range many {
		id := session.ID(fmt.Sprint("ses_", i))
		ids = append(ids, id)
		if err := a.StartSession(t.Context(), holder.ID, func(h account.Account, now time.Time) (session.Session, audit.Event, error) {
			return session.Session{ID: id, Account: h.ID, AccountVersion: h.Version, Client: session.FirstParty, Transport: session.Body, Audience: "a",
				Generation: 1, MACKey: "00000001", CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour)}, event("session.start"), nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	at := func(n int, f func(i int)) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { f(i) })
		}
		all.Wait()
	}
	t.Run("each gets its own", func(t *testing.T) {
		at(4*len(ids), func(i int) {
			id := ids[i%len(ids)]
			if r, _, err := b.Session(t.Context(), id); err != nil || r.ID != id || r.Holder.ID != r.Account {
				t.Errorf("asked for %s: %+v, %v", id, r.Session, err)
			}
		})
	})
	t.Run("one that is not there, or is no text, takes nothing from the others", func(t *testing.T) {
		at(len(ids), func(i int) {
			id, want := ids[i], error(nil)
			switch i % 4 {
			case 1:
				id, want = "ses_unknown", fault.ErrNotFound
			case 2:
				id, want = "ses_\x00", fault.ErrNotFound
			case 3:
				id, want = "ses_\xff", fault.ErrNotFound
			}
			if _, _, err := b.Session(t.Context(), id); !errors.Is(err, want) {
				t.Errorf("%q: %v", id, err)
			}
		})
	})
	t.Run("a row that is damaged takes nothing from the others", func(t *testing.T) {
		p.Exec(t, url, `ALTER TABLE session ALTER COLUMN address DROP NOT NULL`, `UPDATE session SET address = NULL WHERE id = 'ses_7'`)
		at(len(ids), func(i int) {
			if _, _, err := b.Session(t.Context(), ids[i]); (err != nil) != (ids[i] == "ses_7") {
				t.Errorf("%s: %v", ids[i], err)
			}
		})
		p.Exec(t, url, `UPDATE session SET address = '' WHERE id = 'ses_7'`)
	})
	t.Run("FLT-05 who has gone is not waited for", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := b.Session(ctx, ids[0]); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("ADM-07 an end that one node has answered is seen on the other, under load", func(t *testing.T) {
		var ended atomic.Int64 // how many of ids
		var over atomic.Bool
		var readers sync.WaitGroup
		for i := range 16 {
			readers.Go(func() {
				for n := i; !over.Load(); n++ {
					k := n % len(ids)
					dead := ended.Load() > int64(k)
					if r, _, err := b.Session(t.Context(), ids[k]); err != nil || dead && r.EndedAt.IsZero() {
						t.Errorf("session %d, whose end was answered (%v): %v", k, dead, err)
						return
					}
				}
			})
		}
		for k, id := range ids {
			if n, err := a.EndSessions(t.Context(), session.Selection{ID: id}, "log-out", event("session.end")); n != 1 || err != nil {
				t.Errorf("%d ended: %v", n, err)
			}
			ended.Store(int64(k + 1))
			if r, _, err := b.Session(t.Context(), id); err != nil || r.EndedAt.IsZero() {
				t.Errorf("session %d lives on the other node: %v", k, err)
			}
		}
		over.Store(true)
		readers.Wait()
	})
	t.Run("a store that was closed", func(t *testing.T) {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		at(20, func(i int) {
			if _, _, err := b.Session(t.Context(), ids[i]); !errors.Is(err, fault.ErrUnavailable) {
				t.Error(err)
			}
		})
	})
}
