package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
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
		got, err := w.StatusList(w.ctx, list)
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("list %s: %v, %v, want %v", list, got, err, want)
		}
	}
	save("a", 1, "token1", "session1", issued)
	save("a", 5, "token2", "session1", issued)
	save("a", 1<<20-1, "token3", "session2", issued)
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
	publish(jwt.TokenFact, "token3", time.Time{})
	publish(jwt.TokenFact, "session1", time.Time{}) // a value of another kind
	lists("a", 1<<20-1)
	publish(jwt.SessionFact, "session1", time.Time{})
	lists("a", 1, 5, 1<<20-1)
	publish(jwt.SubjectFact, subject, issued.Add(time.Second)) // spares sessions, and what came later
	lists("a", 1, 5, 7, 1<<20-1)
	lists("b", 1)
	if _, err := w.StatusList(w.ctx, "c"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a list that nobody names: %v", err)
	}

	check(t, "error", w.SaveStatus(w.ctx, status.Entry{Slot: status.Slot{List: "old", Index: 1}, Token: "old", Expires: now.Add(-time.Second)}), nil)
	deleted, err := w.Sweep(w.ctx, time.Hour, 100)
	check(t, "error", err, nil)
	check(t, "deleted", deleted, map[string]int{"status_entry": 1})
	if _, err := w.StatusList(w.ctx, "old"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a list whose tokens have all expired: %v", err)
	}
	lists("b", 1)
}
