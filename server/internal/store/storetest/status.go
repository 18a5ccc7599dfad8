package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// A list says of each of its entries what the facts say of the token, and
// nothing of other lists.
func testStatus(t *testing.T, open Opener) {
	w := newWorld(t, open)
	now, err := w.Now()
	if err != nil {
		t.Fatal(err)
	}
	const subject = "app_robot"
	issued := now.Truncate(time.Second)
	save := func(list string, index int, token, session string, issuedAt time.Time) {
		t.Helper()
		check(t, "error", w.SaveStatus(w.ctx, status.Entry{
			Slot: status.Slot{List: list, Index: index}, Token: token, Session: session, Subject: subject,
			IssuedAt: issuedAt, Expires: issued.Add(time.Hour),
		}), nil)
	}
	lists := func(list string, want ...int) {
		t.Helper()
		if got := w.revoked(list, 0, 0); !slices.Equal(got, want) {
			t.Errorf("list %s: %v, want %v", list, got, want)
		}
	}
	save("a", 1, "token1", "session1", issued)
	save("a", 5, "token2", "session1", issued)
	third, inList := "AAAAAAAAAAAAAAAA.1048575", "AAAAAAAAAAAAAAAA"
	save(inList, 1<<20-1, third, "session2", issued)
	save("a", 7, "token4", "", issued)
	save("a", 9, "token5", "", issued.Add(time.Minute))
	save("b", 1, "token6", "session1", issued)
	if err := w.SaveStatus(w.ctx, status.Entry{Slot: status.Slot{List: "a", Index: 1}, Token: "another", Expires: issued.Add(time.Hour)}); err == nil {
		t.Error("one index was given to two tokens")
	}
	if sizes, err := w.Sizes(w.ctx); err != nil {
		t.Error(err)
	} else if _, told := sizes["status_entry"]; !told {
		t.Errorf("sizes %v tell nothing of status_entry, which grows with each token", sizes)
	}
	lists("a")
	publish := func(kind jwt.FactKind, value string, before time.Time) {
		t.Helper()
		check(t, "error", w.Publish(w.ctx, feed.Fact{Kind: kind, Value: value, Before: before, Expires: now.Add(time.Hour)}, event("token.revoke")), nil)
	}
	publish(jwt.TokenFact, third, time.Time{})
	publish(jwt.TokenFact, "session1", time.Time{}) // a value of another kind
	lists("a")
	lists(inList, 1<<20-1)
	publish(jwt.SessionFact, "session1", time.Time{})
	lists("a", 1, 5)
	publish(jwt.SubjectFact, subject, issued.Add(time.Second)) // spares sessions, and what came later
	lists("a", 1, 5, 7)
	lists("b", 1)
	for _, c := range []struct {
		list           string
		sessions, apps uint64
		want           []int
	}{
		{inList, 1, 0, nil}, {"a", 2, 0, []int{1, 5, 7}}, {"a", 3, 0, []int{7}}, {"a", 4, 3, []int{7}}, {"a", 0, 4, []int{1, 5}}, {"a", 4, 4, nil},
	} {
		if got := w.revoked(c.list, c.sessions, c.apps); !slices.Equal(got, c.want) {
			t.Errorf("list %s after %d and %d: %v, want %v", c.list, c.sessions, c.apps, got, c.want)
		}
	}
	named := func(list string, want bool) {
		t.Helper()
		if got, err := w.StatusNamed(w.ctx, list); err != nil || got != want {
			t.Errorf("list %s is named: %v, %v", list, got, err)
		}
	}
	named("b", true)
	named("c", false)

	check(t, "error", w.SaveStatus(w.ctx, status.Entry{Slot: status.Slot{List: "old", Index: 1}, Token: "old", Expires: now.Add(-time.Second)}), nil)
	deleted, err := w.Sweep(w.ctx, time.Hour, 100)
	check(t, "error", err, nil)
	check(t, "deleted", deleted, map[string]int{"status_entry": 1})
	named("old", false)
	lists("b", 1)
}

// revoked answers the indices of a list that are revoked after two positions.
func (w *world) revoked(list string, sessions, apps uint64) (all []int) {
	w.t.Helper()
	epoch, position, err := w.StatusSince(w.ctx, sessions, apps, func(s status.Slot) {
		if s.List == list && !slices.Contains(all, s.Index) {
			all = append(all, s.Index)
		}
	})
	_, head, _, err2 := w.FeedSince(w.ctx, 0)
	check(w.t, "errors", []error{err, err2}, []error{nil, nil})
	check(w.t, "where the feed stands", feed.Head{Epoch: epoch, Position: position}, head)
	slices.Sort(all)
	return all
}

// The entry of a token commits with the session or the refresh that makes it,
// and not without.
func testStatusCommits(t *testing.T, open Opener) {
	w := newWorld(t, open)
	now, err := w.Now()
	if err != nil {
		t.Fatal(err)
	}
	index := 0
	entry := func(list string) *status.Entry {
		index++
		return &status.Entry{
			Slot: status.Slot{List: list, Index: index}, Token: "token", Session: "session", Subject: "subject",
			IssuedAt: now, Expires: now.Add(time.Hour),
		}
	}
	kept := func(list string, want bool) {
		t.Helper()
		if got, err := w.StatusNamed(w.ctx, list); err != nil || got != want {
			t.Errorf("%s is kept: %v, %v, want %v", list, got, err, want)
		}
	}
	holder := w.account("alice")
	started := w.session(holder.ID, func(s *session.Session) { s.Status = entry("started") })
	kept("started", true)
	if got := w.row(started.ID); got.Status != nil {
		t.Error("the row that is read has an entry")
	}
	check(t, "error", w.StartExternal(w.ctx, account.Account{ID: "ext_1", Username: "ext_1", External: true}, func(_, is account.Account, now time.Time) (session.Session, []audit.Event, error) {
		made := started
		made.ID, made.Account, made.AccountVersion, made.Status = "ses_external", is.ID, is.Version, entry("external")
		return made, nil, nil
	}), nil)
	kept("external", true)
	for name, c := range map[string]struct {
		step session.Step
		err  error
	}{
		"rotated":  {step: session.Step{Rotate: true, MACKey: "2"}},
		"repeated": {},
		"forgiven": {step: session.Step{Forgive: true}},
		"refused":  {err: session.ErrRefused}, // a refusal commits
	} {
		c.step.Status = entry(name)
		check(t, name, errors.Is(w.RefreshSession(w.ctx, started.ID, func(session.Row, time.Time) (session.Step, error) { return c.step, c.err }), c.err), true)
		kept(name, true)
	}

	// An entry that cannot be kept leaves everything as it was.
	before := w.row(started.ID)
	taken := &status.Entry{Slot: status.Slot{List: "started", Index: 1}, Token: "another", IssuedAt: now, Expires: now.Add(time.Hour)}
	if err := w.RefreshSession(w.ctx, started.ID, func(session.Row, time.Time) (session.Step, error) {
		return session.Step{Rotate: true, MACKey: "3", Status: taken}, nil
	}); err == nil {
		t.Error("one index was given to two tokens")
	}
	check(t, "the row", w.row(started.ID), before)

	rotator, ok := w.Store.(session.Rotator)
	if !ok {
		return
	}
	r := session.Rotation{
		Generation: before.Generation, Client: before.Client, Transport: before.Transport, Idle: time.Hour,
		Lives: map[string]time.Duration{before.Audience: time.Minute}, MACKey: "4", Status: entry("one statement"),
	}
	rotate := func(want bool) {
		t.Helper()
		_, _, rotated, err := rotator.RotateSession(w.ctx, started.ID, r)
		check(t, "error", err, nil)
		check(t, "rotated", rotated, want)
	}
	rotate(true)
	kept("one statement", true)
	r.Status = entry("not rotated")
	rotate(false)
	kept("not rotated", false)
	r.Generation, r.Opaque, r.Status = r.Generation+1, []string{before.Audience}, entry("opaque")
	rotate(true)
	kept("opaque", false)
	r.Generation, r.Opaque, r.Status = r.Generation+1, []string{"https://else.example"}, taken
	if _, _, rotated, err := rotator.RotateSession(w.ctx, started.ID, r); err == nil || rotated {
		t.Errorf("one index was given to two tokens: %v", err)
	}
	check(t, "generation", w.row(started.ID).Generation, r.Generation)

	// What the store completes, a list of the session's end shows.
	_, err = w.EndSessions(w.ctx, session.Selection{ID: started.ID}, "test", event("session.end"))
	check(t, "error", err, nil)
	check(t, "revoked", len(w.revoked("one statement", 0, 0)), 1)
}
