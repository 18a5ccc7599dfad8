package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

const (
	issuer = "https://auth.example"
	tasks  = "https://tasks.example"
	files  = "https://files.example"
)

var (
	somebody = audit.Actor{Kind: audit.KindAnonymous, Address: "192.0.2.1", Device: "test"}
	operator = audit.Actor{Kind: audit.KindOperator, Name: "root"}
)

// A house is a service with a real store, whose clock the test moves.
type house struct {
	*session.Service
	t     testing.TB
	path  string
	clock *atomic.Int64 // microseconds
	store *sqlite.Store
	root  keyring.RootKeys
	ring  *keyring.Ring
	log   *strings.Builder
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, path: filepath.Join(t.TempDir(), "test.db"), clock: new(atomic.Int64), log: new(strings.Builder)}
	h.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	var err error
	if h.root, err = keyring.ParseRootKeys([]byte(keyring.NewRootKey())); err != nil {
		t.Fatal(err)
	}
	h.open()
	t.Cleanup(func() { h.store.Close() })
	return h
}

func (h *house) now() time.Time { return time.UnixMicro(h.clock.Load()).UTC() }

func (h *house) pass(d time.Duration) { h.clock.Add(d.Microseconds()) }

// open opens the store, and all that stands on it.
func (h *house) open() {
	h.t.Helper()
	var err error
	h.store, err = sqlite.Open(context.Background(), sqlite.Config{Path: h.path, Now: h.now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		h.t.Fatal(err)
	}
	h.ring, err = keyring.Open(context.Background(), keyring.Config{
		Store: h.store, Root: h.root, Algorithms: []jwk.Algorithm{jwk.ES256, jwk.EdDSA}, Every: -1,
		AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: 7 * 24 * time.Hour,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.Service = h.service(h.store, h.catalog())
}

func (h *house) catalog(without ...string) *catalog.Live {
	h.t.Helper()
	permissions := []string{"tasks:read", "tasks:write"}
	apis := []catalog.API{{Audience: tasks, Permissions: permissions}, {Audience: files, Permissions: permissions, Life: time.Minute, Algorithm: jwk.EdDSA}}
	if len(without) > 0 {
		apis = apis[:1]
	}
	c, err := catalog.New(issuer, apis, []catalog.Role{
		{Name: "viewer", Permissions: []string{"tasks:read"}},
		{Name: "editor", Permissions: []string{"tasks:read", "tasks:write"}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return catalog.Fixed(c)
}

func (h *house) service(store session.Store, c *catalog.Live) *session.Service {
	h.t.Helper()
	s, err := session.New(session.Config{
		Store: store, Ring: h.ring, Catalog: c, Issuer: issuer,
		Log: slog.New(slog.NewTextHandler(h.log, nil)),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// reopen is a restart.
func (h *house) reopen() {
	h.t.Helper()
	if err := h.store.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

func (h *house) account(roles ...string) account.Account {
	h.t.Helper()
	id := account.NewID()
	a, err := h.store.CreateAccount(context.Background(), account.Account{ID: id, Username: string(id), Roles: roles, Version: 1}, "hash",
		audit.Event{Act: "account.create", Outcome: audit.OK, Actor: operator})
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *house) change(id account.ID, c account.Change) {
	h.t.Helper()
	if _, err := h.store.ChangeAccount(context.Background(), id, c, audit.Event{Act: "account.change", Outcome: audit.OK, Actor: operator}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) start(a account.Account, req session.StartRequest) session.Tokens {
	h.t.Helper()
	got, err := h.Start(context.Background(), somebody, a.ID, req)
	if err != nil {
		h.t.Fatal(err)
	}
	return got
}

func (h *house) refresh(token string) session.Tokens {
	h.t.Helper()
	got, err := h.Refresh(context.Background(), somebody, token, session.Presented{})
	if err != nil {
		h.t.Fatalf("Refresh: %v", err)
	}
	return got
}

func (h *house) refused(token string, p session.Presented, want error) {
	h.t.Helper()
	got, err := h.Refresh(context.Background(), somebody, token, p)
	if !errors.Is(err, want) {
		h.t.Fatalf("Refresh = %v, want %v", err, want)
	}
	if got.AccessToken != "" || got.RefreshToken != "" {
		h.t.Fatalf("a refusal hands out tokens")
	}
}

func (h *house) row(id session.ID) session.Row {
	h.t.Helper()
	row, _, err := h.store.Session(context.Background(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return row
}

// acts lists the acts on sessions and the rules that decided.
func (h *house) acts() []string {
	h.t.Helper()
	all, _, err := h.store.Records(context.Background(), 0, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	var acts []string
	for _, r := range all {
		var e struct{ Act, Outcome string }
		if err := json.Unmarshal(r.What, &e); err != nil {
			h.t.Fatal(err)
		}
		if strings.HasPrefix(e.Act, "session.") {
			acts = append(acts, e.Act+" "+e.Outcome)
		}
	}
	return acts
}

func (h *house) wantActs(want ...string) {
	h.t.Helper()
	if got := h.acts(); fmt.Sprint(got) != fmt.Sprint(want) {
		h.t.Errorf("events %v, want %v", got, want)
	}
}

func (h *house) published() int {
	h.t.Helper()
	facts, _, _, err := h.store.FeedSince(context.Background(), 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return len(facts)
}

// verify reads an access token as an API does at the store's time.
func (h *house) verify(access, audience string) *jwt.Token {
	h.t.Helper()
	v, err := jwt.NewVerifier(jwt.Policy{
		Issuer: issuer, Audiences: []string{audience}, Keys: h.ring.Keys(keyring.Access),
		Now: h.now, Leeway: -1, DangerouslyIgnoreRevocation: true,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	token, err := v.Verify(context.Background(), access)
	if err != nil {
		h.t.Fatalf("access token: %v", err)
	}
	return token
}

func scopes(token *jwt.Token) string {
	var all []string
	for s := range token.Scopes() {
		all = append(all, s)
	}
	return strings.Join(all, " ")
}
