package storetest

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
)

func testCatalog(t *testing.T, open Opener) {
	s, reopen := open(t)
	w := &world{Store: s, t: t, ctx: t.Context()}
	load := func() catalog.Kept {
		t.Helper()
		k, err := w.LoadCatalog(w.ctx)
		check(t, "error", err, nil)
		return k
	}
	empty := load()
	check(t, "nothing is registered at first", []int{len(empty.APIs), len(empty.Roles), int(empty.Longest)}, []int{0, 0, 0})

	tasks := catalog.API{Audience: "https://tasks.example", Name: "Tasks", Permissions: []string{"tasks:read", "tasks:write"},
		Life: 90 * time.Second, Algorithm: jwk.EdDSA, Default: true, Claims: json.RawMessage(`{"a":1}`)}
	files := catalog.API{Audience: "https://files.example", EncryptionKey: json.RawMessage(`{"kty":"EC"}`)}
	editor := catalog.Role{Name: "editor", Description: "May edit", Permissions: []string{"tasks:read"}, Claims: json.RawMessage(`{"b":2}`)}
	check(t, "error", w.SaveAPI(w.ctx, tasks, event("api.create")), nil)
	check(t, "error", w.SaveAPI(w.ctx, files, event("api.create")), nil)
	check(t, "error", w.SaveRole(w.ctx, editor, event("role.create")), nil)
	tasks.Version, files.Version, editor.Version = 1, 1, 1
	k := load()
	check(t, "APIs by audience", k.APIs, []catalog.API{files, tasks})
	check(t, "roles", k.Roles, []catalog.Role{editor})
	check(t, "each change raises the version", k.Version, empty.Version+3)

	for name, err := range map[string]error{
		"an API twice":  w.SaveAPI(w.ctx, catalog.API{Audience: files.Audience}, event("api.create")),
		"a role twice":  w.SaveRole(w.ctx, catalog.Role{Name: "editor"}, event("role.create")),
		"an old API":    w.SaveAPI(w.ctx, catalog.API{Audience: files.Audience, Version: 7}, event("api.change")),
		"an old role":   w.SaveRole(w.ctx, catalog.Role{Name: "editor", Version: 7}, event("role.change")),
		"no such API":   w.DeleteAPI(w.ctx, "https://else.example", event("api.delete")),
		"no such role":  w.DeleteRole(w.ctx, "else", event("role.delete")),
		"a changed one": w.SaveAPI(w.ctx, catalog.API{Audience: "https://else.example", Version: 1}, event("api.change")),
	} {
		if !errors.Is(err, fault.ErrExists) && !errors.Is(err, fault.ErrChanged) && !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, "what failed changed nothing", load(), k)

	files.Default, files.Permissions = true, []string{"files:read"}
	files.EncryptionKey, files.Opaque = nil, true
	check(t, "error", w.SaveAPI(w.ctx, files, event("api.change")), nil)
	k = load()
	check(t, "there is one default", []bool{k.APIs[0].Default, k.APIs[1].Default}, []bool{true, false})
	check(t, "the new permissions", k.APIs[0].Permissions, files.Permissions)
	check(t, "encrypted for the server now", []any{k.APIs[0].Opaque, len(k.APIs[0].EncryptionKey)}, []any{true, 0})
	if k.APIs[0].Version <= 1 || k.APIs[1].Version <= 1 {
		t.Errorf("versions %d and %d were not raised", k.APIs[0].Version, k.APIs[1].Version)
	}

	check(t, "error", w.KeepServer(w.ctx, "https://auth.example", time.Hour), nil)
	check(t, "error", w.KeepServer(w.ctx, "", time.Minute), nil)
	check(t, "the longest life", load().Longest, time.Hour)
	check(t, "the issuer", load().Issuer, "https://auth.example")
	k = load()
	w.Store = reopen()
	check(t, "after a restart", load(), k)
	check(t, "error", w.DeleteAPI(w.ctx, tasks.Audience, event("api.delete")), nil)
	check(t, "error", w.DeleteRole(w.ctx, "editor", event("role.delete")), nil)
	k = load()
	check(t, "deleted", []int{len(k.APIs), len(k.Roles)}, []int{1, 0})
	check(t, "events", w.acts(), []string{"api.create", "api.create", "role.create", "api.change", "api.delete", "role.delete"})
}

func testApps(t *testing.T, open Opener) {
	s, reopen := open(t)
	w := &world{Store: s, t: t, ctx: t.Context()}
	create := func(id app.ID) app.App {
		t.Helper()
		a, err := w.CreateApp(w.ctx, func(now time.Time) (app.App, audit.Event, error) {
			return app.App{ID: id, Name: "Nightly", Roles: []string{"viewer", "editor"}, Audiences: []string{"https://b.example", "https://a.example"},
				Life: time.Minute, Claims: json.RawMessage(`{"c":3}`),
				Secrets: []app.Secret{{ID: "sec_1", Hash: [32]byte{1, 31: 9}, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}}}, event("app.create"), nil
		})
		check(t, "error", err, nil)
		return a
	}
	before, _ := w.Now()
	a := create("app_b")
	check(t, "roles are sorted, audiences keep their order", []any{a.Roles, a.Audiences}, []any{[]string{"editor", "viewer"}, []string{"https://b.example", "https://a.example"}})
	check(t, "version", a.Version, 1)
	check(t, "secret", []any{len(a.Secrets), a.Secrets[0].Hash[31], a.Secrets[0].LastUsedAt.IsZero()}, []any{1, 9, true})
	if a.CreatedAt.Before(before) || !a.ValidFrom.IsZero() {
		t.Errorf("times %+v", a)
	}
	got, now, err := w.App(w.ctx, "app_b")
	check(t, "error", err, nil)
	check(t, "read", got, a)
	if after, _ := w.Now(); now.Before(before) || now.After(after) {
		t.Errorf("read at %v", now)
	}
	create("app_a")
	for _, page := range []struct {
		after app.ID
		limit int
		want  []app.ID
	}{{"", 10, []app.ID{"app_a", "app_b"}}, {"app_a", 10, []app.ID{"app_b"}}, {"", 1, []app.ID{"app_a"}}, {"", -1, nil}} {
		all, err := w.Apps(w.ctx, page.after, page.limit)
		check(t, "error", err, nil)
		var ids []app.ID
		for _, a := range all {
			ids = append(ids, a.ID)
			check(t, "listed with its secrets", len(a.Secrets), 1)
		}
		check(t, "apps after "+string(page.after), ids, page.want)
	}

	refusal := errors.New("refused")
	_, err = w.ChangeApp(w.ctx, "app_b", func(a app.App, _ time.Time) (app.Step, error) {
		a.Name = "Other"
		return app.Step{App: a, Event: event("app.change")}, refusal
	})
	check(t, "a refusal is answered as it is", errors.Is(err, refusal), true)
	check(t, "error", w.UseSecret(w.ctx, "app_b", "sec_1"), nil)
	used, _, _ := w.App(w.ctx, "app_b")
	check(t, "a use is no act, and nothing else was written", []any{used.Version, used.Name, used.Secrets[0].LastUsedAt.IsZero()}, []any{1, "Nightly", false})

	_, from := w.published(0)
	var limit time.Time
	a, err = w.ChangeApp(w.ctx, "app_b", func(a app.App, now time.Time) (app.Step, error) {
		limit = now.Truncate(time.Second).Add(time.Second)
		a.Disabled, a.ValidFrom, a.Roles, a.Secrets = true, limit, nil, nil
		return app.Step{App: a, RevokeBefore: limit, FactLife: time.Hour, Event: event("app.disable")}, nil
	})
	check(t, "error", err, nil)
	check(t, "changed", []any{a.Disabled, a.ValidFrom.Equal(limit), len(a.Roles), len(a.Secrets), a.Version}, []any{true, true, 0, 0, 2})
	facts, head, _, err := w.FeedSince(w.ctx, from)
	check(t, "error", err, nil)
	if len(facts) != 1 || head.Position != from+1 || facts[0].Kind != jwt.SubjectFact || facts[0].Value != "app_b" || !facts[0].Before.Equal(limit) {
		t.Errorf("published %+v at %+v", facts, head)
	}
	w.Store = reopen()
	got, _, err = w.App(w.ctx, "app_b")
	check(t, "error", err, nil)
	check(t, "after a restart", got, a)

	_, err = w.ChangeApp(w.ctx, "app_b", func(a app.App, now time.Time) (app.Step, error) {
		return app.Step{App: a, Delete: true, RevokeBefore: now.Truncate(time.Second).Add(time.Second), FactLife: time.Hour, Event: event("app.delete")}, nil
	})
	check(t, "error", err, nil)
	if _, _, err := w.App(w.ctx, "app_b"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a deleted app: %v", err)
	}
	_, err = w.ChangeApp(w.ctx, "app_b", func(app.App, time.Time) (app.Step, error) {
		t.Error("called for an app that is gone")
		return app.Step{}, nil
	})
	check(t, "unknown app", errors.Is(err, fault.ErrNotFound), true)
	_, err = w.CreateApp(w.ctx, func(time.Time) (app.App, audit.Event, error) {
		return app.App{ID: "app_a", Name: "x"}, event("app.create"), nil
	})
	check(t, "an id twice", errors.Is(err, fault.ErrExists), true)
	check(t, "events", w.acts(), []string{"app.create", "app.create", "app.disable", "app.delete"})
}

// One fact is published with its event; without an expiry it stays for ever.
func testPublish(t *testing.T, open Opener) {
	w := newWorld(t, open)
	now, _ := w.Now()
	for _, f := range []feed.Fact{
		{Kind: jwt.TokenFact, Value: "one", Expires: now.Add(time.Hour)},
		{Kind: jwt.KeyFact, Value: "never"},
		{Kind: jwt.TokenFact, Value: "gone", Expires: now.Add(-time.Hour)},
	} {
		check(t, "error", w.Publish(w.ctx, f, event("token.revoke")), nil)
	}
	values, head := w.published(0)
	check(t, "published", values, []string{"one", "never"})
	check(t, "each in a position of its own", head, 3)
	if _, err := w.Sweep(w.ctx, time.Hour, 10); err != nil {
		t.Error(err)
	}
	values, _ = w.published(0)
	check(t, "swept", values, []string{"one", "never"})
	check(t, "events", count(w.acts(), "token.revoke"), 3)
}

// The revocation of a key commits with the ring, or not at all.
func testRevokedKey(t *testing.T, open Opener) {
	w := newWorld(t, open)
	ring, _, err := w.LoadRing(w.ctx)
	check(t, "error", err, nil)
	ring.Version, ring.RootKeyID, ring.WrappedKey = 1, "root", []byte{1}
	check(t, "error", w.SaveRing(w.ctx, ring, event("key.revoke"), "a key"), nil)
	if err := w.SaveRing(w.ctx, ring, event("key.revoke"), "another"); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("the same version again: %v", err)
	}
	facts, _, _, err := w.FeedSince(w.ctx, 0)
	check(t, "error", err, nil)
	if len(facts) != 1 || facts[0].Kind != jwt.KeyFact || facts[0].Value != "a key" || !facts[0].Expires.IsZero() || !facts[0].Before.IsZero() {
		t.Errorf("published %+v", facts)
	}
}
