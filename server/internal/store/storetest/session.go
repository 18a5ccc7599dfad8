package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

func testSessions(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice := w.account("alice", "viewer")
	want := w.session(alice.ID, func(s *session.Session) {
		s.Transport, s.Generation, s.Forgiven = session.Cookie, 1<<32-1, 7
	})
	got, now, err := w.Session(w.ctx, want.ID)
	check(t, "error", err, nil)
	check(t, "session", got.Session, want)
	check(t, "holder", got.Holder, alice)
	if now.Before(want.CreatedAt) {
		t.Errorf("read at %v, created at %v", now, want.CreatedAt)
	}
	if _, _, err := w.Session(w.ctx, "ses_nothing"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("unknown session: %v", err)
	}

	refusal := errors.New("not today")
	err = w.StartSession(w.ctx, alice.ID, func(account.Account, time.Time) (session.Session, audit.Event, error) {
		return session.Session{ID: "ses_never"}, event("session.start"), refusal
	})
	check(t, "an error of begin comes back as it is", err == refusal, true)
	if _, _, err := w.Session(w.ctx, "ses_never"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a session that begin refused: %v", err)
	}
	err = w.StartSession(w.ctx, "acc_nobody", func(account.Account, time.Time) (session.Session, audit.Event, error) {
		t.Error("begin was called without an account")
		return session.Session{}, audit.Event{}, nil
	})
	if !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("unknown account: %v", err)
	}
	err = w.StartSession(w.ctx, alice.ID, func(account.Account, time.Time) (session.Session, audit.Event, error) {
		return want, event("session.start"), nil
	})
	if err == nil {
		t.Error("one id twice was taken")
	}
	check(t, "events", w.acts(), []string{"account.create", "session.start"})
}

func testRefresh(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice := w.account("alice", "viewer")
	s := w.session(alice.ID, nil)
	refusal := errors.New("theft")
	note := event("session.note")

	if err := w.RefreshSession(w.ctx, "ses_nothing", func(session.Row, time.Time) (session.Step, error) {
		t.Error("decide was called without a session")
		return session.Step{}, nil
	}); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("unknown session: %v", err)
	}

	check(t, "nothing", w.step(s.ID, session.Step{}, nil), nil)
	check(t, "the zero step changes nothing", w.row(s.ID).Session, s)

	var saw session.Row
	var at time.Time
	check(t, "rotate", w.RefreshSession(w.ctx, s.ID, func(r session.Row, now time.Time) (session.Step, error) {
		saw, at = r, now
		return session.Step{Rotate: true, MACKey: "00000002", Address: "192.0.2.2", TokenLife: 2 * time.Hour}, nil
	}), nil)
	check(t, "decide saw the session", saw.Session, s)
	check(t, "decide saw the holder", saw.Holder, alice)
	want := s
	want.Generation, want.MACKey, want.Address, want.RotatedAt, want.TokenLife = 2, "00000002", "192.0.2.2", at, 2*time.Hour
	check(t, "rotated", w.row(s.ID).Session, want)

	check(t, "forgive, refused", w.step(s.ID, session.Step{Forgive: true, Event: &note}, refusal) == refusal, true)
	want.Forgiven = 2
	check(t, "forgiven although refused", w.row(s.ID).Session, want)
	check(t, "with its event", count(w.acts(), "session.note"), 1)

	_, from := w.published(0)
	check(t, "end, refused", w.step(s.ID, session.Step{End: "reuse", Event: &note}, refusal) == refusal, true)
	r := w.row(s.ID)
	check(t, "ended although refused", []any{r.EndReason, r.EndedAt.IsZero(), r.Generation}, []any{"reuse", false, 2})
	facts, head, _, err := w.FeedSince(w.ctx, from)
	check(t, "error", err, nil)
	check(t, "published although refused", len(facts), 1)
	check(t, "head", head.Position, from+1)
	check(t, "fact", []any{facts[0].Kind, facts[0].Value, facts[0].Before.IsZero(), facts[0].Expires, facts[0].Position},
		[]any{jwt.SessionFact, s.ID, true, r.EndedAt.Add(2*time.Hour + session.FactMargin), from + 1})

	check(t, "end again", w.step(s.ID, session.Step{End: "again", Event: &note}, nil), nil)
	check(t, "the first end stays", w.row(s.ID), r)
	_, to := w.published(0)
	check(t, "and is published once", to, from+1)
	check(t, "events", count(w.acts(), "session.note"), 3)
}

func testEnd(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice, bob := w.account("alice"), w.account("bob")
	var a []session.ID
	for range 4 {
		a = append(a, w.session(alice.ID, nil).ID)
	}
	b := w.session(bob.ID, nil).ID
	for _, c := range []struct {
		name string
		sel  session.Selection
		want []session.ID
	}{
		{"unknown", session.Selection{ID: "ses_nothing"}, nil},
		{"another's", session.Selection{ID: a[0], Account: bob.ID}, nil},
		{"one", session.Selection{ID: a[0]}, a[:1]},
		{"the same again", session.Selection{ID: a[0]}, nil},
		{"one's own", session.Selection{ID: a[1], Account: alice.ID}, a[1:2]},
		{"all but one", session.Selection{Account: alice.ID, Except: a[3]}, a[2:3]},
		{"all but one again", session.Selection{Account: alice.ID, Except: a[3]}, nil},
		{"all", session.Selection{Account: alice.ID}, a[3:]},
	} {
		_, from := w.published(0)
		before := len(w.acts())
		n, err := w.EndSessions(w.ctx, c.sel, "log-out", event("session.end"))
		check(t, c.name+": error", err, nil)
		check(t, c.name+": how many", n, len(c.want))
		values, to := w.published(from)
		check(t, c.name+": published", sorted(values...), sorted(c.want...))
		written := min(len(c.want), 1)
		check(t, c.name+": positions", to-from, written)
		check(t, c.name+": events", len(w.acts())-before, written)
	}
	check(t, "somebody else's session", w.row(b).EndedAt.IsZero(), true)
	if _, err := w.EndSessions(w.ctx, session.Selection{}, "log-out", event("session.end")); err == nil {
		t.Error("an empty selection was taken")
	}
}

func testList(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice, bob := w.account("alice"), w.account("bob")
	var living []session.ID
	for range 5 {
		living = append(living, w.session(alice.ID, nil).ID)
	}
	living = sorted(living...)
	w.session(bob.ID, nil)
	w.session(alice.ID, func(s *session.Session) { s.RotatedAt = s.RotatedAt.Add(-time.Hour) })
	w.session(alice.ID, func(s *session.Session) { s.ExpiresAt = s.CreatedAt.Add(-time.Second) })
	ended := w.session(alice.ID, nil)
	if _, err := w.EndSessions(w.ctx, session.Selection{ID: ended.ID}, "log-out", event("session.end")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		idle  time.Duration
		after session.ID
		limit int
		want  []session.ID
	}{
		{"all", time.Minute, "", 100, living},
		{"a page", time.Minute, "", 2, living[:2]},
		{"the next", time.Minute, living[1], 2, living[2:4]},
		{"the last", time.Minute, living[3], 2, living[4:]},
		{"none", time.Minute, "", 0, nil},
	} {
		all, err := w.Sessions(w.ctx, alice.ID, c.idle, c.after, c.limit)
		check(t, c.name+": error", err, nil)
		var got []session.ID
		for _, s := range all {
			got = append(got, s.ID)
		}
		check(t, c.name, got, c.want)
	}
	all, err := w.Sessions(w.ctx, alice.ID, 2*time.Hour, "", 100)
	check(t, "error", err, nil)
	check(t, "a longer idle limit", len(all), 6)
}

func testCallbacks(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice := w.account("alice")
	s := w.session(alice.ID, nil)

	t.Run("a panic goes on in the caller and hurts nobody else", func(t *testing.T) {
		func() {
			defer func() { check(t, "recovered", recover(), "boom") }()
			w.RefreshSession(w.ctx, s.ID, func(session.Row, time.Time) (session.Step, error) { panic("boom") })
		}()
		check(t, "the store goes on", w.step(s.ID, session.Step{Rotate: true, MACKey: "00000002"}, nil), nil)
	})
	t.Run("a caller who has gone is skipped", func(t *testing.T) {
		ctx, cancel := context.WithCancel(w.ctx)
		cancel()
		err := w.RefreshSession(ctx, s.ID, func(session.Row, time.Time) (session.Step, error) {
			return session.Step{Rotate: true, MACKey: "00000009"}, nil
		})
		// It may have been quicker than its own end, but says what happened.
		if done := w.row(s.ID).MACKey == "00000009"; done != (err == nil) {
			t.Errorf("committed %v, answered %v", done, err)
		}
	})
	t.Run("a caller who goes while it is decided", func(t *testing.T) {
		ctx, cancel := context.WithCancel(w.ctx)
		err := w.RefreshSession(ctx, s.ID, func(session.Row, time.Time) (session.Step, error) {
			cancel()
			return session.Step{Rotate: true, MACKey: "0000000a"}, nil
		})
		check(t, "is told that it was committed", err, nil)
		check(t, "and it was", w.row(s.ID).MACKey, "0000000a")
	})
}
