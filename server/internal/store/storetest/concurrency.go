package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// together runs f n times at once.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

func testConcurrency(t *testing.T, open Opener) {
	t.Run("64 refreshes at once see 64 generations", func(t *testing.T) {
		w := newWorld(t, open)
		s := w.session(w.account("alice").ID, nil)
		var mu sync.Mutex
		var seen []uint32
		together(64, func(int) {
			err := w.RefreshSession(w.ctx, s.ID, func(r session.Row, _ time.Time) (session.Step, error) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, r.Generation)
				return session.Step{Rotate: true, MACKey: "00000002"}, nil
			})
			check(t, "error", err, nil)
		})
		check(t, "none twice, none left out, in order", seen, upTo(uint32(64)))
		check(t, "the row", w.row(s.ID).Generation, 65)
	})
	t.Run("RFR-01 64 refreshes at once of one generation rotate once", func(t *testing.T) {
		w := newWorld(t, open)
		s := w.session(w.account("alice").ID, nil)
		var mu sync.Mutex
		rotated := 0
		together(64, func(int) {
			check(t, "error", w.RefreshSession(w.ctx, s.ID, func(r session.Row, _ time.Time) (session.Step, error) {
				if r.Generation != 1 {
					return session.Step{}, nil
				}
				mu.Lock()
				defer mu.Unlock()
				rotated++
				return session.Step{Rotate: true, MACKey: "00000002"}, nil
			}), nil)
		})
		check(t, "rotated", []any{rotated, w.row(s.ID).Generation}, []any{1, 2})
	})
	t.Run("RFR-10 nothing that is decided after a change sees the old rights", func(t *testing.T) {
		w := newWorld(t, open)
		alice := w.account("alice", "admin")
		var all []session.ID
		for range 8 {
			all = append(all, w.session(alice.ID, nil).ID)
		}
		var mu sync.Mutex
		committed := false // under mu, set after the change was answered
		stop := make(chan struct{})
		var load sync.WaitGroup
		for _, id := range all {
			load.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					check(t, "error", w.RefreshSession(w.ctx, id, func(r session.Row, _ time.Time) (session.Step, error) {
						mu.Lock()
						defer mu.Unlock()
						if committed && slices.Contains(r.Holder.Roles, "admin") {
							t.Error("old roles after the change")
						}
						if r.AccountVersion != r.Holder.Version {
							t.Errorf("the copy is %d, the account %d", r.AccountVersion, r.Holder.Version)
						}
						return session.Step{Rotate: true, MACKey: "00000002"}, nil
					}), nil)
				}
			})
		}
		roles := []string{"viewer"}
		_, err := w.ChangeAccount(w.ctx, alice.ID, account.Change{Roles: &roles}, event("account.roles"))
		check(t, "error", err, nil)
		mu.Lock()
		committed = true
		mu.Unlock()
		for range 50 {
			check(t, "error", w.step(all[0], session.Step{}, nil), nil)
		}
		close(stop)
		load.Wait()
	})
	t.Run("readers of the feed never see a gap", func(t *testing.T) {
		w := newWorld(t, open)
		alice := w.account("alice")
		var all []session.ID
		for range 100 {
			all = append(all, w.session(alice.ID, nil).ID)
		}
		var readers, writers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				var seen []uint64
				position := uint64(0)
				for position < uint64(len(all)) && !t.Failed() {
					facts, head, _, err := w.FeedSince(w.ctx, position)
					check(t, "error", err, nil)
					for _, f := range facts {
						seen = append(seen, f.Position)
					}
					if len(facts) > 0 && facts[len(facts)-1].Position != head.Position {
						t.Errorf("head %d, last fact %d", head.Position, facts[len(facts)-1].Position)
					}
					position = head.Position
				}
				check(t, "every position once", seen, upTo(uint64(len(all))))
			})
		}
		for part := range slices.Chunk(all, 10) {
			writers.Go(func() {
				for _, id := range part {
					n, err := w.EndSessions(w.ctx, session.Selection{ID: id}, "log-out", event("session.end"))
					check(t, "ended", []any{n, err}, []any{1, nil})
				}
			})
		}
		writers.Wait()
		readers.Wait()
		check(t, "events", count(w.acts(), "session.end"), len(all))
	})
	t.Run("an error of one leaves the others of its transaction alone", func(t *testing.T) {
		w := newWorld(t, open)
		alice := w.account("alice")
		var mu sync.Mutex
		made, exist := 0, 0
		together(64, func(i int) {
			name := []string{"bob", "carol", "alice"}[i%3]
			_, err := w.CreateAccount(w.ctx, account.Account{ID: account.NewID(), Username: name}, "", event("account.create"))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				made++
			case errors.Is(err, fault.ErrExists):
				exist++
			default:
				t.Error(err)
			}
		})
		check(t, "made, existed", []int{made, exist}, []int{2, 62})
		check(t, "events", count(w.acts(), "account.create"), 3)
		got, err := w.Account(w.ctx, alice.ID)
		check(t, "alice", []any{got, err}, []any{alice, nil})
	})
}

func upTo[N uint32 | uint64](n N) (all []N) {
	for i := N(1); i <= n; i++ {
		all = append(all, i)
	}
	return all
}
