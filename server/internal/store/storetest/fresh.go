package storetest

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// testNoOldRow: whatever a store keeps in memory, a reading of a session that
// begins after an act was answered sees what the act did.
func testNoOldRow(t *testing.T, open Opener) {
	t.Run("ADM-07 every act on an account or a session is seen by the next reading", func(t *testing.T) {
		w := newWorld(t, open)
		alice := w.account("alice", "admin")
		s := w.session(alice.ID, nil)
		other := w.session(w.account("bob").ID, nil)
		w.row(other.ID)
		change := func(ch account.Change) func() error {
			return func() error {
				_, err := w.ChangeAccount(w.ctx, alice.ID, ch, event("account.change"))
				return err
			}
		}
		name, none, yes, no, hash, claims := "Alice", []string{}, true, false, "new hash", []byte(`{"a":1}`)
		for _, c := range []struct {
			name string
			act  func() error
			seen func(session.Row) bool
		}{
			{"display name", change(account.Change{DisplayName: &name}), func(r session.Row) bool { return r.Holder.DisplayName == name }},
			{"roles taken away", change(account.Change{Roles: &none}), func(r session.Row) bool { return len(r.Holder.Roles) == 0 }},
			{"disabled", change(account.Change{Disabled: &yes}), func(r session.Row) bool { return r.Holder.Disabled }},
			{"enabled", change(account.Change{Disabled: &no}), func(r session.Row) bool { return !r.Holder.Disabled }},
			{"password", change(account.Change{PasswordHash: &hash}), func(r session.Row) bool { return r.Holder.PasswordChangedAt.After(alice.PasswordChangedAt) }},
			{"claims", change(account.Change{Claims: (*json.RawMessage)(&claims)}), func(r session.Row) bool { return string(r.Holder.Claims) == string(claims) }},
			{"refreshed", func() error { return w.step(s.ID, session.Step{Rotate: true, MACKey: "00000002"}, nil) },
				func(r session.Row) bool { return r.Generation == 2 && r.RotatedAt.After(s.RotatedAt) }},
			{"forgiven", func() error { return w.step(s.ID, session.Step{Forgive: true}, nil) }, func(r session.Row) bool { return r.Forgiven == 2 }},
			{"ended by a refusal", func() error {
				if err := w.step(s.ID, session.Step{End: "theft"}, errNotToday); !errors.Is(err, errNotToday) {
					return errors.Join(errors.New("no refusal"), err)
				}
				return nil
			}, func(r session.Row) bool { return !r.EndedAt.IsZero() }},
		} {
			w.row(s.ID) // so that it could be kept
			check(t, c.name, c.act(), nil)
			if r := w.row(s.ID); !c.seen(r) {
				t.Errorf("%s: not seen afterwards: %+v", c.name, r)
			}
		}
		if r := w.row(other.ID); !r.EndedAt.IsZero() || r.Holder.Username != "bob" {
			t.Errorf("another session: %+v", r)
		}
	})
	t.Run("sessions that end, in each way of selecting them", func(t *testing.T) {
		w := newWorld(t, open)
		for name, end := range map[string]func(account.ID, session.ID) error{
			"by id": func(_ account.ID, id session.ID) error {
				_, err := w.EndSessions(w.ctx, session.Selection{ID: id}, "log-out", event("session.end"))
				return err
			},
			"by account": func(holder account.ID, _ session.ID) error {
				_, err := w.EndSessions(w.ctx, session.Selection{Account: holder}, "log-out", event("session.end"))
				return err
			},
			"with a change": func(holder account.ID, _ session.ID) error {
				_, err := w.ChangeAccount(w.ctx, holder, account.Change{EndSessions: true, EndReason: "disabled"}, event("account.disable"))
				return err
			},
		} {
			s := w.session(w.account("holder "+name).ID, nil)
			w.row(s.ID)
			check(t, name, end(s.Account, s.ID), nil)
			if w.row(s.ID).EndedAt.IsZero() {
				t.Errorf("%s: seen alive afterwards", name)
			}
		}
	})
	t.Run("roles of an external account", func(t *testing.T) {
		w := newWorld(t, open)
		n := byte(0)
		start := func(roles ...string) session.ID {
			n++
			id := session.NewID([16]byte{n, 2})
			holder := account.Account{ID: "acc_external", Username: "external", Roles: roles, External: true}
			check(t, "starting", w.StartExternal(w.ctx, holder, func(_, is account.Account, now time.Time) (session.Session, []audit.Event, error) {
				return session.Session{ID: id, Account: is.ID, AccountVersion: is.Version, Client: session.FirstParty, Transport: session.Body,
					Generation: 1, MACKey: "00000001", CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour)}, nil, nil
			}), nil)
			return id
		}
		first := start("admin")
		w.row(first)
		start("viewer")
		if r := w.row(first); slices.Contains(r.Holder.Roles, "admin") || r.AccountVersion != r.Holder.Version {
			t.Errorf("the first session still says %v, version %d of %d", r.Holder.Roles, r.AccountVersion, r.Holder.Version)
		}
	})
	t.Run("a session that was swept", func(t *testing.T) {
		w := newWorld(t, open)
		s := w.session(w.account("alice").ID, forgotten)
		_, err := w.EndSessions(w.ctx, session.Selection{ID: s.ID}, "log-out", event("session.end"))
		check(t, "ending", err, nil)
		w.row(s.ID)
		_, err = w.Sweep(w.ctx, -time.Second, 100)
		check(t, "sweeping", err, nil)
		if _, _, err := w.Session(w.ctx, s.ID); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("after the sweep: %v", err)
		}
	})
	t.Run("ADM-07 readers and writers at once", testReadersAndWriters(open))
}

var errNotToday = errors.New("not today")

// testReadersAndWriters: no reading answers less than had been answered to a
// writer when the reading began.
func testReadersAndWriters(open Opener) func(*testing.T) {
	return func(t *testing.T) {
		w := newWorld(t, open)
		alice := w.account("alice", "admin")
		var all []session.ID
		for range 8 {
			all = append(all, w.session(alice.ID, nil).ID)
		}
		var version, ended atomic.Int64 // what the writers were answered
		generations := make([]atomic.Int64, len(all))
		stop := make(chan struct{})
		var readers, writers sync.WaitGroup
		for i := range 8 {
			readers.Go(func() {
				for n := i; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					k := n % len(all)
					atLeast, generation, over := version.Load(), generations[k].Load(), ended.Load()
					r := w.row(all[k])
					if r.Holder.Version < atLeast || r.AccountVersion != r.Holder.Version && r.EndedAt.IsZero() {
						t.Errorf("version %d with a copy of %d, %d had been answered", r.Holder.Version, r.AccountVersion, atLeast)
					}
					if int64(r.Generation) < generation {
						t.Errorf("generation %d, %d had been answered", r.Generation, generation)
					}
					if int64(k) < over && r.EndedAt.IsZero() {
						t.Error("alive, and its end had been answered")
					}
				}
			})
		}
		for k := range all {
			writers.Go(func() {
				for range 50 {
					var now uint32
					check(t, "refreshing", w.RefreshSession(w.ctx, all[k], func(r session.Row, _ time.Time) (session.Step, error) {
						now = r.Generation + 1
						return session.Step{Rotate: true, MACKey: "00000002"}, nil
					}), nil)
					generations[k].Store(int64(now))
				}
			})
		}
		writers.Go(func() {
			for range 100 {
				a, err := w.ChangeAccount(w.ctx, alice.ID, account.Change{}, event("account.change"))
				check(t, "changing", err, nil)
				version.Store(a.Version)
			}
		})
		writers.Wait()
		for k, id := range all {
			_, err := w.EndSessions(w.ctx, session.Selection{ID: id}, "log-out", event("session.end"))
			check(t, "ending", err, nil)
			ended.Store(int64(k + 1))
		}
		close(stop)
		readers.Wait()
	}
}
