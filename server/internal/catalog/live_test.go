package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

var operator = audit.Actor{Kind: audit.KindOperator, Name: "root"}

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: filepath.Join(t.TempDir(), "test.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t *testing.T, c catalog.Config) *catalog.Live {
	t.Helper()
	l, err := catalog.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const tasks = "https://tasks.example"

func TestLive(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	l := open(t, catalog.Config{Store: store, Issuer: issuer, Life: time.Hour})
	other := open(t, catalog.Config{Store: store})
	if _, err := l.Now().API(""); !errors.Is(err, catalog.ErrUnknownAPI) {
		t.Errorf("a default where nothing is registered: %v", err)
	}
	a, err := l.SaveAPI(t.Context(), operator, catalog.API{Audience: tasks, Permissions: []string{"b", "a", "b"}})
	if err != nil || !a.Default || a.Life != 0 || !slices.Equal(a.Permissions, []string{"a", "b"}) {
		t.Fatalf("SaveAPI = %+v, %v", a, err)
	}
	if got, _ := l.Now().API(""); got.Audience != tasks || got.Life != time.Hour || got.Algorithm == "" {
		t.Errorf("API = %+v, want the server's own life", got)
	}
	before := other.Now()
	for range 2 {
		if err := other.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := other.Now().API(tasks); err != nil || other.Now() == before {
		t.Errorf("another process does not know it: %v", err)
	}

	// Of two who change the same, one loses.
	a.Name = "Tasks"
	if _, err := l.SaveAPI(t.Context(), operator, a); err != nil {
		t.Fatal(err)
	}
	if _, err := l.SaveAPI(t.Context(), operator, a); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("an old version: %v", err)
	}

	// The default passes on, and is never lost.
	if _, err := l.SaveAPI(t.Context(), operator, catalog.API{Audience: "https://b.example", Default: true}); err != nil {
		t.Fatal(err)
	}
	b, _ := l.Now().Registered("https://b.example")
	b.Default = false
	if _, err := l.SaveAPI(t.Context(), operator, b); !errors.Is(err, catalog.ErrDefault) {
		t.Errorf("no default: %v", err)
	}
	if err := l.DeleteAPI(t.Context(), operator, b.Audience); !errors.Is(err, catalog.ErrDefault) {
		t.Errorf("deleting the default: %v", err)
	}
	if err := errors.Join(l.DeleteAPI(t.Context(), operator, tasks+"/"), l.DeleteAPI(t.Context(), operator, b.Audience)); err != nil {
		t.Errorf("deleting, the last one at the end: %v", err)
	}
}

func TestBuiltInStays(t *testing.T) {
	t.Parallel()
	l := open(t, catalog.Config{Store: newStore(t), Issuer: issuer + "/"})
	admin, err := l.Now().Registered(issuer + "/v1/admin")
	if err != nil || !admin.BuiltIn || admin.Default || !slices.Equal(admin.Permissions, catalog.Administration()) {
		t.Fatalf("administration: %+v, %v", admin, err)
	}
	admin.Permissions = nil
	for name, err := range map[string]error{
		"changing the API":     second(l.SaveAPI(t.Context(), operator, admin)),
		"registering it":       second(l.SaveAPI(t.Context(), operator, catalog.API{Audience: admin.Audience + "/"})),
		"deleting it":          l.DeleteAPI(t.Context(), operator, admin.Audience),
		"changing a role":      second(l.SaveRole(t.Context(), operator, catalog.Role{Name: catalog.RoleAdmin, Version: 1})),
		"registering a role":   second(l.SaveRole(t.Context(), operator, catalog.Role{Name: catalog.RoleIntrospector})),
		"deleting a role":      l.DeleteRole(t.Context(), operator, catalog.RoleAdmin),
		"seeding it as an API": l.Seed(t.Context(), []catalog.API{{Audience: admin.Audience, Permissions: []string{"x"}}}, nil),
	} {
		if !errors.Is(err, catalog.ErrBuiltIn) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Its permissions are nobody else's, and it has no others.
	if _, err := l.SaveAPI(t.Context(), operator, catalog.API{Audience: tasks, Permissions: []string{catalog.KeysWrite}}); !errors.Is(err, catalog.ErrInvalid) {
		t.Errorf("a reserved permission: %v", err)
	}
	if _, err := l.SaveRole(t.Context(), operator, catalog.Role{Name: "x", Permissions: []string{catalog.Reserved + "everything"}}); !errors.Is(err, catalog.ErrInvalid) {
		t.Errorf("a permission that administration does not have: %v", err)
	}
	if _, err := l.SaveRole(t.Context(), operator, catalog.Role{Name: "helpdesk", Permissions: []string{catalog.AccountsRead}}); err != nil {
		t.Errorf("some of administration: %v", err)
	}
	if _, err := l.SaveAPI(t.Context(), operator, catalog.API{Audience: tasks, Permissions: []string{"tasks:read"}}); err != nil {
		t.Fatal(err)
	}
	api, _ := l.Now().API(tasks)
	if got, _ := l.Now().Grant(api, []string{catalog.RoleAdmin, "helpdesk"}, ""); len(got) > 0 {
		t.Errorf("administration's permissions in a token for another API: %q", got)
	}
}

func second[T any](_ T, err error) error { return err }

// What a server is started with is registered where it is absent, and what is
// there stays.
func TestSeed(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	var log bytes.Buffer
	l := open(t, catalog.Config{Store: store, Issuer: issuer, Life: 2 * time.Hour, Log: slog.New(slog.NewTextHandler(&log, nil))})
	apis := []catalog.API{{Audience: tasks}, {Audience: "https://b.example"}}
	viewer := catalog.Role{Name: "viewer", Permissions: []string{"read", catalog.KeysRead}}
	for range 2 {
		if err := l.Seed(t.Context(), apis, []catalog.Role{viewer}); err != nil {
			t.Fatal(err)
		}
	}
	a, err := l.Now().API("")
	if err != nil || a.Audience != tasks || !slices.Equal(a.Permissions, []string{"read"}) || a.Version != 1 {
		t.Errorf("API = %+v, %v", a, err)
	}
	if log.Len() > 0 {
		t.Errorf("logged %s", log.String())
	}
	// A new role brings its permissions along; a changed one is told of and stays.
	viewer.Permissions = []string{"everything"}
	if err := l.Seed(t.Context(), apis, []catalog.Role{viewer, {Name: "writer", Permissions: []string{"write"}}}); err != nil {
		t.Fatal(err)
	}
	a, _ = l.Now().API("")
	r, _ := l.Now().Role("viewer")
	if !slices.Equal(a.Permissions, []string{"read", "write"}) || slices.Contains(r.Permissions, "everything") || !strings.Contains(log.String(), "role=viewer") {
		t.Errorf("%+v, %+v, %s", a, r, log.String())
	}

	// Whoever opens the store later knows how the server was called, and for how
	// long its tokens may live.
	later := open(t, catalog.Config{Store: store, Life: time.Minute})
	if later.Issuer() != issuer || later.Now().LongestLife() != 2*time.Hour {
		t.Errorf("issuer %q, longest life %v", later.Issuer(), later.Now().LongestLife())
	}
}
