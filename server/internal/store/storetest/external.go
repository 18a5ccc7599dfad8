package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// external starts a session of an external account.
func (w *world) external(subject string, roles []string, edit func(*session.Session)) (was, is account.Account, started session.Session, err error) {
	w.t.Helper()
	holder, err := account.External(subject, roles)
	if err != nil {
		w.t.Fatal(err)
	}
	w.n++
	id := session.NewID([16]byte{byte(w.n), byte(w.n >> 8), 2})
	err = w.StartExternal(w.ctx, holder, func(before, now account.Account, at time.Time) (session.Session, []audit.Event, error) {
		was, is = before, now
		started = session.Session{
			ID: id, Account: is.ID, AccountVersion: is.Version,
			Client: session.FirstParty, Transport: session.Body, Audience: "https://api.example.com",
			Generation: 1, MACKey: "00000001", CreatedAt: at, RotatedAt: at, ExpiresAt: at.Add(time.Hour),
		}
		if edit != nil {
			edit(&started)
		}
		return started, []audit.Event{event("account.external"), event("session.start_external")}, nil
	})
	return was, is, started, err
}

func testExternal(t *testing.T, open Opener) {
	w := newWorld(t, open)
	was, is, first, err := w.external("user 42", []string{"viewer", "editor", "viewer"}, func(s *session.Session) {
		s.Claims = json.RawMessage(`{"tenant":"acme"}`)
	})
	check(t, "error", err, nil)
	check(t, "it was new", was, account.Account{})
	check(t, "account", []any{is.ID, is.Username, is.External, is.Roles, is.Version}, []any{"user 42", "external:user 42", true, []string{"editor", "viewer"}, 1})
	check(t, "session with its claims", w.row(first.ID).Session, first)
	check(t, "holder", w.row(first.ID).Holder, is)
	read, hash, err := w.AccountByUsername(w.ctx, is.Username)
	check(t, "read by user name", read, is)
	check(t, "no password", hash, "")
	check(t, "error", err, nil)

	was, same, _, err := w.external("user 42", []string{"editor", "viewer"}, nil)
	check(t, "error", err, nil)
	check(t, "as it was", was, is)
	check(t, "the same roles are no act on the account", same, is)

	was, is, third, err := w.external("user 42", nil, nil)
	check(t, "error", err, nil)
	check(t, "as it was", was, same)
	check(t, "other roles", []any{len(is.Roles), is.Version, is.UpdatedAt.After(same.UpdatedAt)}, []any{0, 2, true})
	check(t, "the sessions' copies", []int64{w.row(first.ID).AccountVersion, w.row(third.ID).AccountVersion}, []int64{2, 2})
	events := len(w.acts())
	check(t, "each act has its event", events, 6)

	refusal := errors.New("not today")
	holder, _ := account.External("user 42", []string{"admin"})
	stranger, _ := account.External("user 43", nil)
	for _, a := range []account.Account{holder, stranger} {
		err = w.StartExternal(w.ctx, a, func(account.Account, account.Account, time.Time) (session.Session, []audit.Event, error) {
			return session.Session{}, nil, refusal
		})
		check(t, "an error of begin comes back as it is", err == refusal, true)
	}
	read, err = w.Account(w.ctx, "user 42")
	check(t, "nothing changed", read, is)
	check(t, "error", err, nil)
	if _, err := w.Account(w.ctx, "user 43"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("an account whose session was refused: %v", err)
	}
	alice := w.account("alice")
	alice.External = true
	err = w.StartExternal(w.ctx, alice, func(account.Account, account.Account, time.Time) (session.Session, []audit.Event, error) {
		t.Error("begin was called for an account that is not external")
		return session.Session{}, nil, nil
	})
	check(t, "an account that is not external", errors.Is(err, fault.ErrExists), true)

	// Many at once of somebody new are one account.
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			a, _ := account.External("user 44", []string{fmt.Sprint("role", i%2)})
			err := w.StartExternal(context.WithoutCancel(w.ctx), a, func(_, is account.Account, at time.Time) (session.Session, []audit.Event, error) {
				return session.Session{
					ID: session.NewID([16]byte{byte(i), 3}), Account: is.ID, AccountVersion: is.Version,
					Client: session.FirstParty, Transport: session.Body, Generation: 1, MACKey: "00000001",
					CreatedAt: at, RotatedAt: at, ExpiresAt: at.Add(time.Hour),
				}, nil, nil
			})
			if err != nil {
				t.Errorf("starting: %v", err)
			}
		})
	}
	group.Wait()
	is, err = w.Account(w.ctx, "user 44")
	check(t, "error", err, nil)
	all, err := w.Sessions(w.ctx, "user 44", time.Hour, "", 100)
	check(t, "sessions", len(all), 16)
	check(t, "error", err, nil)
	for _, s := range all {
		check(t, "copy of the version", s.AccountVersion, is.Version)
	}
}

func testClaims(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice := w.account("alice")
	check(t, "none", alice.Claims == nil, true)
	template := json.RawMessage(`{"tenant":"acme"}`)
	a, err := w.ChangeAccount(w.ctx, alice.ID, account.Change{Claims: &template}, event("account.claims"))
	check(t, "error", err, nil)
	check(t, "claims", string(a.Claims), string(template))
	name := "Alice"
	a, err = w.ChangeAccount(w.ctx, alice.ID, account.Change{DisplayName: &name}, event("account.name"))
	check(t, "error", err, nil)
	check(t, "what is nil stays", string(a.Claims), string(template))
	var none json.RawMessage
	a, err = w.ChangeAccount(w.ctx, alice.ID, account.Change{Claims: &none}, event("account.claims"))
	check(t, "error", err, nil)
	check(t, "none again", a.Claims == nil, true)
}

func testImport(t *testing.T, open Opener) {
	w := newWorld(t, open)
	line := func(name string) account.Imported {
		return account.Imported{
			Account: account.Account{
				ID: account.NewID(), Username: name, DisplayName: "Somebody", Roles: []string{"viewer"},
				Disabled: name == "carol", Claims: json.RawMessage(`{"legacy":1}`),
			},
			PasswordHash: "hash of " + name,
		}
	}
	all := []account.Imported{line("alice"), line("bob"), line("carol")}
	done := 0
	progress := func(n int) { done = n }
	imported := func(account.ID) audit.Event { return event("account.import") }
	check(t, "error", w.ImportAccounts(w.ctx, all, imported, progress), nil)
	check(t, "progress", done, 3)
	carol, hash, err := w.AccountByUsername(w.ctx, "carol")
	check(t, "error", err, nil)
	check(t, "carol", []any{carol.ID, carol.Roles, carol.Disabled, string(carol.Claims), carol.Version, carol.External},
		[]any{all[2].ID, []string{"viewer"}, true, `{"legacy":1}`, 1, false})
	check(t, "hash", hash, "hash of carol")
	check(t, "events", count(w.acts(), "account.import"), 3)

	err = w.ImportAccounts(w.ctx, []account.Imported{line("dave"), line("bob"), line("erin")}, imported, progress)
	check(t, "a user name that is taken", errors.Is(err, fault.ErrExists), true)
	bad := line("frank")
	bad.Roles = []string{"two words"}
	if err := w.ImportAccounts(w.ctx, []account.Imported{line("dave"), bad}, imported, progress); err == nil {
		t.Error("a role with a space was taken")
	}
	for _, name := range []string{"dave", "erin", "frank"} {
		if _, _, err := w.AccountByUsername(w.ctx, name); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s was imported by half: %v", name, err)
		}
	}
	check(t, "no more events", count(w.acts(), "account.import"), 3)
}
