package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/checksum"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

const (
	issuer = "https://auth.example"
	tasks  = "https://tasks.example"
)

var operator = audit.Actor{Kind: audit.KindOperator, Name: "root"}

// A house is a service with a real store, whose clock the test moves.
type house struct {
	*app.Service
	t     *testing.T
	clock *atomic.Int64 // microseconds
	store *sqlite.Store
}

func (h *house) now() time.Time { return time.UnixMicro(h.clock.Load()).UTC() }

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, clock: new(atomic.Int64)}
	h.clock.Store(time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.UTC).UnixMicro())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.store, err = sqlite.Open(context.Background(), sqlite.Config{Path: filepath.Join(t.TempDir(), "test.db"), Now: h.now, Log: slog.New(slog.DiscardHandler)})
	must(err)
	t.Cleanup(func() { h.store.Close() })
	root, err := keyring.ParseRootKeys([]byte(keyring.NewRootKey()))
	must(err)
	ring, err := keyring.Open(context.Background(), keyring.Config{
		Store: h.store, Root: root, Algorithms: []jwk.Algorithm{jwk.ES256}, AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: time.Hour,
	})
	must(err)
	c, err := catalog.New(issuer, []catalog.API{{Audience: tasks, Permissions: []string{"tasks:read"}}, {Audience: "https://files.example"}},
		[]catalog.Role{{Name: "reader", Permissions: []string{"tasks:read"}}})
	must(err)
	h.Service, err = app.New(app.Config{Store: h.store, Ring: ring, Catalog: catalog.Fixed(c), Issuer: issuer, Now: h.now})
	must(err)
	return h
}

func (h *house) app(edit func(*app.NewApp)) (app.App, string) {
	h.t.Helper()
	n := app.NewApp{Name: "Nightly", Roles: []string{"reader"}, Audiences: []string{tasks + "/"}}
	if edit != nil {
		edit(&n)
	}
	a, secret, err := h.Create(h.t.Context(), operator, n)
	if err != nil {
		h.t.Fatal(err)
	}
	return a, secret
}

func (h *house) refused(a app.App, secret string) {
	h.t.Helper()
	if c, err := h.Authenticate(h.t.Context(), operator, a.ID, secret); !errors.Is(err, app.ErrCredentials) || c.App.ID != "" {
		h.t.Errorf("Authenticate = %+v, %v", c, err)
	}
}

// token answers an access token's times.
func (h *house) token(a app.App, secret string) (issuedAt, expires time.Time) {
	h.t.Helper()
	c, err := h.Authenticate(h.t.Context(), operator, a.ID, secret)
	if err != nil {
		h.t.Fatal(err)
	}
	t, err := h.Grant(h.t.Context(), c, "", "")
	if err != nil {
		h.t.Fatal(err)
	}
	u, err := jwt.Inspect(t.AccessToken)
	if err != nil {
		h.t.Fatal(err)
	}
	var claims struct{ Iat, Exp int64 }
	if err := json.Unmarshal([]byte(u.Claims()), &claims); err != nil {
		h.t.Fatal(err)
	}
	return time.Unix(claims.Iat, 0).UTC(), time.Unix(claims.Exp, 0).UTC()
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, first := h.app(func(n *app.NewApp) { n.SecretExpires = time.Hour })
	if !strings.HasPrefix(first, "jsc_") || len(first) != 53 || first[47:] != checksum.Of(first[:47]) {
		t.Errorf("secret %q", first)
	}
	if a.Audiences[0] != tasks || !app.Is(string(a.ID)) {
		t.Errorf("app %+v", a)
	}
	h.token(a, first)
	h.refused(a, first[:52])
	h.refused(a, first+"x")
	h.refused(a, "")
	h.refused(app.App{ID: "app_nobody"}, first)

	a, second, err := h.AddSecret(t.Context(), operator, a.ID, 0)
	if err != nil || len(a.Secrets) != 2 || second == first {
		t.Fatalf("AddSecret = %+v, %v", a, err)
	}
	if _, _, err := h.AddSecret(t.Context(), operator, a.ID, 0); !errors.Is(err, app.ErrSecrets) {
		t.Errorf("a third one: %v", err)
	}
	h.token(a, first)
	h.token(a, second)

	// The first one expires by itself and makes room.
	h.clock.Add(time.Hour.Microseconds())
	h.refused(a, first)
	h.token(a, second)
	if a, _, err = h.AddSecret(t.Context(), operator, a.ID, 0); err != nil || len(a.Secrets) != 2 {
		t.Errorf("AddSecret = %+v, %v", a, err)
	}
	if _, _, err := h.AddSecret(t.Context(), operator, a.ID, -time.Second); !errors.Is(err, app.ErrInvalid) {
		t.Errorf("one that has expired already: %v", err)
	}
}

// The use of a secret is noted, once a minute.
func TestLastUse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, secret := h.app(nil)
	used := func() time.Time {
		got, err := h.Get(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got.Secrets[0].LastUsedAt
	}
	for _, step := range []time.Duration{0, 30 * time.Second, 31 * time.Second} {
		h.clock.Add(step.Microseconds())
		before := used()
		h.token(a, secret)
		if moved := !used().Equal(before); moved != (step != 30*time.Second) {
			t.Errorf("after %v: used at %v, before %v", step, used(), before)
		}
	}
}

// Tokens of the second in which something was revoked are revoked; the next one
// dates after it, whatever the clock says.
func TestTokensAfterARevocation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, first := h.app(func(n *app.NewApp) { n.Life = time.Minute })
	firstID := a.Secrets[0].ID
	a, second, err := h.AddSecret(t.Context(), operator, a.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	old, _ := h.token(a, first)
	a, err = h.RevokeSecret(t.Context(), operator, a.ID, firstID)
	if err != nil {
		t.Fatal(err)
	}
	facts, _, _, err := h.store.FeedSince(t.Context(), 0)
	if err != nil || len(facts) != 1 || !facts[0].Before.Equal(a.ValidFrom) || !old.Before(a.ValidFrom) {
		t.Fatalf("published %+v, %v; valid from %v", facts, err, a.ValidFrom)
	}
	if facts[0].Expires.Sub(h.now()) < catalog.MaxLife {
		t.Errorf("the fact goes at %v, before the longest token", facts[0].Expires)
	}
	h.refused(a, first)
	issued, expires := h.token(a, second)
	if issued.Before(a.ValidFrom) || expires.Sub(issued) != time.Minute {
		t.Errorf("issued at %v, valid from %v, expires %v", issued, a.ValidFrom, expires)
	}
}

// A token that dates ahead because of one revocation ends with the next one,
// also within the same second.
func TestTwoRevocationsInOneSecond(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, secret := h.app(nil)
	for range 3 {
		if _, err := h.SetDisabled(t.Context(), operator, a.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := h.SetDisabled(t.Context(), operator, a.ID, false); err != nil {
			t.Fatal(err)
		}
		issued, _ := h.token(a, secret)
		revoked, err := h.SetDisabled(t.Context(), operator, a.ID, true)
		if err != nil || !issued.Before(revoked.ValidFrom) {
			t.Errorf("issued at %v, revoked before %v, %v", issued, revoked.ValidFrom, err)
		}
		if _, err := h.SetDisabled(t.Context(), operator, a.ID, false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCreateReportsEveryFault(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, _, err := h.Create(t.Context(), operator, app.NewApp{
		Name: "a\nb", Roles: []string{"Not A Role"}, Audiences: []string{"https://else.example"}, Life: 25 * time.Hour,
	})
	if !errors.Is(err, app.ErrInvalid) || !errors.Is(err, catalog.ErrUnknownAPI) || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("Create = %v, want four faults", err)
	}
	a, _ := h.app(nil)
	none := []string{}
	if _, err := h.Set(t.Context(), operator, a.ID, app.Edit{Audiences: &none}); !errors.Is(err, app.ErrInvalid) {
		t.Errorf("no audience: %v", err)
	}
	if got, _ := h.Get(t.Context(), a.ID); got.Version != a.Version {
		t.Error("a refused change was kept")
	}
}
