package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// few is h's service with another number of sessions for one account.
func (h *house) few(n int) *session.Service {
	h.t.Helper()
	s, err := session.New(session.Config{Store: h.store, Ring: h.ring, Catalog: h.catalog(), Issuer: issuer, PerAccount: n})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *house) living(holder account.ID) []session.ID {
	h.t.Helper()
	all, err := h.List(context.Background(), holder, "", 10_000)
	if err != nil {
		h.t.Fatal(err)
	}
	var ids []session.ID
	for _, s := range all {
		ids = append(ids, s.ID)
	}
	return ids
}

// DOS-05: an account has so many living sessions and no more; who logs in once
// more ends the one that was used longest ago.
func TestDOS05SessionsOfOneAccount(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.few(3)
	alice, bob := h.account("viewer"), h.account("viewer")
	start := func(holder account.ID) session.Tokens {
		t.Helper()
		h.pass(time.Minute)
		got, err := s.Start(t.Context(), somebody, holder, session.StartRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	other := start(bob.ID)
	first, second, third := start(alice.ID), start(alice.ID), start(alice.ID)
	h.pass(time.Minute)
	first = h.refresh(first.RefreshToken) // so that the second is the oldest
	before := h.published()
	fourth := start(alice.ID)

	h.refused(second.RefreshToken, session.Presented{}, session.ErrRefused)
	if r := h.row(second.Session); r.EndReason != "too_many_sessions" || r.EndedAt.IsZero() {
		t.Errorf("the second session: ended %v, %q", r.EndedAt, r.EndReason)
	}
	if n := h.published() - before; n != 1 {
		t.Errorf("%d facts were published, want the one end", n)
	}
	for _, living := range []session.Tokens{first, third, fourth, other} {
		h.refresh(living.RefreshToken)
	}
	h.wantActs("session.start ok", "session.start ok", "session.start ok", "session.start ok", "session.start ok", "session.end ok")

	// One that nobody has used for so long takes nobody's place.
	h.pass(7*24*time.Hour - time.Minute)
	third = h.refresh(h.refresh(third.RefreshToken).RefreshToken)
	h.pass(2 * time.Minute)
	start(alice.ID)
	start(alice.ID)
	h.refresh(third.RefreshToken)
	if n := len(h.living(alice.ID)); n != 3 {
		t.Errorf("%d sessions live", n)
	}
}

func TestDOS05ExternalSessions(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.few(2)
	for range 5 {
		h.pass(time.Second)
		if _, err := s.StartExternal(t.Context(), somebody, session.ExternalRequest{Subject: "user-1"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(h.living("user-1")); n != 2 {
		t.Errorf("%d sessions live", n)
	}
}

// Whoever logs in many times at once keeps as many sessions as may be, among
// them the last.
func TestDOS05LogInsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.few(4)
	alice := h.account()
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if _, err := s.Start(context.Background(), somebody, alice.ID, session.StartRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	h.pass(time.Second)
	last, err := s.Start(t.Context(), somebody, alice.ID, session.StartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if living := h.living(alice.ID); len(living) != 4 || !slices.Contains(living, last.Session) {
		t.Errorf("%d sessions live: %v", len(living), living)
	}
}

func TestPerAccountBounds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, n := range []int{-1, 1001} {
		if _, err := session.New(session.Config{Store: h.store, Ring: h.ring, Catalog: h.catalog(), Issuer: issuer, PerAccount: n}); err == nil {
			t.Errorf("%d was taken", n)
		}
	}
	alice := h.account()
	one := h.few(1)
	for range 3 {
		h.pass(time.Second)
		if _, err := one.Start(t.Context(), somebody, alice.ID, session.StartRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(h.living(alice.ID)); n != 1 {
		t.Errorf("%d sessions live, want one", n)
	}
}

// A log-in that was right and asked for what it cannot have is on record: who
// knows a password and tries what it opens is seen.
func TestRefusedStartIsAudited(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alice, off := h.account("viewer"), h.account()
	yes := true
	h.change(off.ID, account.Change{Disabled: &yes})
	for _, c := range []struct {
		name string
		who  account.ID
		req  session.StartRequest
		want error
		rule string
	}{
		{"an API that is not registered", alice.ID, session.StartRequest{Audience: "https://other.example"}, catalog.ErrUnknownAPI, "unknown API"},
		{"a scope that the roles do not give", alice.ID, session.StartRequest{Scope: "tasks:write"}, catalog.ErrScope, "scope that the roles do not give"},
		{"a scope that does not exist", alice.ID, session.StartRequest{Scope: "no:such"}, catalog.ErrScope, "scope that the roles do not give"},
		{"disabled in that moment", off.ID, session.StartRequest{}, session.ErrDisabled, "account is disabled"},
	} {
		_, err := h.Start(t.Context(), somebody, c.who, c.req)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		records, _, err := h.store.Records(t.Context(), 0, 1000)
		if err != nil || len(records) == 0 {
			t.Fatal(err)
		}
		var e struct {
			Act, Outcome, Rule string
			Targets            map[string]string
		}
		if err := json.Unmarshal(records[len(records)-1].What, &e); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(e), fmt.Sprintf("{session.start refused %s map[account:%s]}", c.rule, c.who); got != want {
			t.Errorf("%s: recorded %s, want %s", c.name, got, want)
		}
	}

	// What cannot be recorded is not answered as if it had been.
	s := h.service(unrecorded{h.store}, h.catalog())
	if _, err := s.Start(t.Context(), somebody, alice.ID, session.StartRequest{Scope: "no:such"}); !errors.Is(err, errFull) {
		t.Errorf("where nothing can be recorded: %v", err)
	}
}

var errFull = errors.New("disk full")

type unrecorded struct{ session.Store }

func (unrecorded) Record(context.Context, audit.Event) error { return errFull }
