package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

func testAccounts(t *testing.T, open Opener) {
	w := newWorld(t, open)
	before, _ := w.Now()
	alice := w.account("alice", "viewer", "editor", "viewer")
	bob := w.account("bob")
	after, _ := w.Now()

	check(t, "roles are sorted without doubles", alice.Roles, []string{"editor", "viewer"})
	check(t, "roles of bob", len(bob.Roles), 0)
	check(t, "version", alice.Version, 1)
	for name, at := range map[string]time.Time{"created": alice.CreatedAt, "updated": alice.UpdatedAt, "password changed": alice.PasswordChangedAt} {
		if at.Before(before) || at.After(after) {
			t.Errorf("%s at %v, not between %v and %v", name, at, before, after)
		}
	}
	got, err := w.Account(w.ctx, alice.ID)
	check(t, "read by id", got, alice)
	check(t, "error", err, nil)
	got, hash, err := w.AccountByUsername(w.ctx, "alice")
	check(t, "read by user name", got, alice)
	check(t, "password hash", hash, "hash of alice")
	check(t, "error", err, nil)

	_, err = w.CreateAccount(w.ctx, account.Account{ID: account.NewID(), Username: "alice"}, "other", event("account.create"))
	if !errors.Is(err, fault.ErrExists) {
		t.Errorf("a user name twice: %v", err)
	}
	if _, err := w.Account(w.ctx, "acc_nobody"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("unknown id: %v", err)
	}
	if _, _, err := w.AccountByUsername(w.ctx, "nobody"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("unknown user name: %v", err)
	}
	for _, name := range []string{"carol", "dave"} {
		w.account(name)
	}
	for _, page := range []struct {
		after string
		limit int
		want  string
	}{
		{"", 10, "alice bob carol dave"},
		{"", 2, "alice bob"},
		{"bob", 2, "carol dave"},
		{"bz", 1, "carol"},
		{"dave", 5, ""},
		{"", 0, ""},
		{"", -1, ""},
	} {
		all, err := w.Accounts(w.ctx, page.after, page.limit)
		var names []string
		for _, a := range all {
			names = append(names, a.Username)
		}
		check(t, "accounts after "+page.after, strings.Join(names, " "), page.want)
		check(t, "error", err, nil)
	}
	check(t, "the act that failed left no event", count(w.acts(), "account.create"), 4)
}

func testChange(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice, bob := w.account("alice", "viewer"), w.account("bob", "viewer")
	s1, s2, s3 := w.session(alice.ID, nil), w.session(alice.ID, nil), w.session(alice.ID, nil)
	other := w.session(bob.ID, nil)
	name, hash, roles, none, yes, no := "Alice", "new hash", []string{"editor", "admin"}, []string{}, true, false

	a, err := w.ChangeAccount(w.ctx, alice.ID, account.Change{DisplayName: &name}, event("account.name"))
	check(t, "error", err, nil)
	check(t, "name", a.DisplayName, name)
	check(t, "what is nil stays", a.Roles, alice.Roles)
	check(t, "version", a.Version, 2)
	check(t, "the sessions' copies", []int64{w.row(s1.ID).AccountVersion, w.row(s2.ID).AccountVersion, w.row(other.ID).AccountVersion}, []int64{2, 2, 1})
	check(t, "password not changed", a.PasswordChangedAt, alice.PasswordChangedAt)
	if !a.UpdatedAt.After(alice.UpdatedAt) {
		t.Errorf("updated at %v, not after %v", a.UpdatedAt, alice.UpdatedAt)
	}

	a, err = w.ChangeAccount(w.ctx, alice.ID, account.Change{Roles: &roles}, event("account.roles"))
	check(t, "error", err, nil)
	check(t, "roles", a.Roles, []string{"admin", "editor"})
	check(t, "row has the holder's roles", w.row(s1.ID).Holder, a)

	a, err = w.ChangeAccount(w.ctx, alice.ID, account.Change{Roles: &none, Disabled: &yes}, event("account.disable"))
	check(t, "error", err, nil)
	check(t, "no roles, disabled", []any{len(a.Roles), a.Disabled}, []any{0, true})
	a, err = w.ChangeAccount(w.ctx, alice.ID, account.Change{Disabled: &no}, event("account.enable"))
	check(t, "error", err, nil)
	check(t, "enabled", a.Disabled, false)

	_, from := w.published(0)
	a, err = w.ChangeAccount(w.ctx, alice.ID, account.Change{PasswordHash: &hash, EndSessions: true, KeepSession: string(s2.ID), EndReason: "password"}, event("account.password"))
	check(t, "error", err, nil)
	check(t, "password changed with the rest", a.PasswordChangedAt, a.UpdatedAt)
	_, got, err := w.AccountByUsername(w.ctx, "alice")
	check(t, "hash", got, hash)
	check(t, "error", err, nil)
	for id, reason := range map[session.ID]string{s1.ID: "password", s2.ID: "", s3.ID: "password", other.ID: ""} {
		r := w.row(id)
		check(t, "end reason", r.EndReason, reason)
		check(t, "ended", r.EndedAt.IsZero(), reason == "")
	}
	check(t, "the kept session's copy", w.row(s2.ID).AccountVersion, a.Version)
	values, to := w.published(from)
	check(t, "ends are published", sorted(values...), sorted(string(s1.ID), string(s3.ID)))
	check(t, "a bulk act takes one position", to, from+1)

	stale, newer := "a hash that was replaced", "the hash of another password"
	_, err = w.ChangeAccount(w.ctx, alice.ID, account.Change{PasswordHash: &newer, IfPasswordHash: &stale, EndSessions: true}, event("account.stale"))
	check(t, "upon a hash that was replaced", errors.Is(err, fault.ErrChanged), true)
	_, got, err = w.AccountByUsername(w.ctx, "alice")
	check(t, "hash", got, hash)
	check(t, "error", err, nil)
	check(t, "the kept session lives", w.row(s2.ID).EndedAt.IsZero(), true)
	_, err = w.ChangeAccount(w.ctx, alice.ID, account.Change{DisplayName: &name, IfPasswordHash: &hash}, event("account.name"))
	check(t, "upon the hash that is", err, nil)
	_, err = w.ChangeAccount(w.ctx, "acc_nobody", account.Change{DisplayName: &name, IfPasswordHash: &hash}, event("account.name"))
	check(t, "unknown account", errors.Is(err, fault.ErrNotFound), true)

	if _, err := w.ChangeAccount(w.ctx, "acc_nobody", account.Change{DisplayName: &name}, event("account.name")); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("unknown account: %v", err)
	}
	bad := []string{"two words"}
	if _, err := w.ChangeAccount(w.ctx, alice.ID, account.Change{Roles: &bad}, event("account.roles")); err == nil {
		t.Error("a role with a space was taken")
	}
	_, end := w.published(0)
	if _, err := w.ChangeAccount(w.ctx, bob.ID, account.Change{EndSessions: true, KeepSession: string(other.ID)}, event("account.end")); err != nil {
		t.Error(err)
	}
	_, still := w.published(0)
	check(t, "no end takes no position", still, end)
	check(t, "events", w.acts()[6:], []string{"account.name", "account.roles", "account.disable", "account.enable", "account.password", "account.name", "account.end"})
}

func testRehash(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice := w.account("alice")
	s := w.session(alice.ID, nil)
	for _, c := range []struct{ old, new, want string }{
		{"hash of alice", "stronger", "stronger"},
		{"hash of alice", "late", "stronger"},
	} {
		check(t, "error", w.Rehash(w.ctx, alice.ID, c.old, c.new), nil)
		a, hash, err := w.AccountByUsername(w.ctx, "alice")
		check(t, "hash", hash, c.want)
		check(t, "account is unchanged", a, alice)
		check(t, "error", err, nil)
	}
	check(t, "the session's copy", w.row(s.ID).AccountVersion, alice.Version)
	check(t, "unknown account", w.Rehash(w.ctx, "acc_nobody", "a", "b"), nil)
}

func testOutbox(t *testing.T, open Opener) {
	w := newWorld(t, open)
	e := audit.Event{Act: "login", Outcome: audit.Refused, Rule: "password", Targets: map[string]string{"account": "acc_x"},
		Actor: audit.Actor{Kind: audit.KindAnonymous, Name: "alice", Address: "192.0.2.7", Device: "a \"device\"\x00\u2028\n"}}
	for range 3 {
		check(t, "error", w.Record(w.ctx, e), nil)
	}
	all, last, err := w.Records(w.ctx, 0, 2)
	check(t, "error", err, nil)
	check(t, "page", len(all), 2)
	r := all[0]
	if !strings.HasPrefix(r.ID, "evt_") || len(r.WhatSalt) != 16 || len(r.WhoSalt) != 16 || r.ID == all[1].ID {
		t.Errorf("record %+v", r)
	}
	check(t, "what", string(r.What), `{"act":"login","outcome":"refused","rule":"password","targets":{"account":"acc_x"},"actor_kind":"anonymous"}`)
	check(t, "who", string(r.Who), `{"name":"alice","address":"192.0.2.7","device":"a \"device\"\u0000\u2028\n"}`)
	if all[1].At.Before(r.At) || r.At.IsZero() {
		t.Errorf("times %v, %v", r.At, all[1].At)
	}
	rest, end, err := w.Records(w.ctx, last, 10)
	check(t, "error", err, nil)
	check(t, "the rest", len(rest), 1)
	none, same, err := w.Records(w.ctx, end, 10)
	check(t, "error", err, nil)
	check(t, "nothing more", []any{len(none), same}, []any{0, end})
}
