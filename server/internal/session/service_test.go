package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
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

func (h *house) now() time.Time       { return time.UnixMicro(h.clock.Load()).UTC() }
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

func (h *house) catalog(without ...string) *catalog.Catalog {
	h.t.Helper()
	apis := []catalog.API{{Audience: tasks}, {Audience: files, Life: time.Minute, Algorithm: jwk.EdDSA}}
	if len(without) > 0 {
		apis = apis[:1]
	}
	c, err := catalog.New(apis, []catalog.Role{
		{Name: "viewer", Scopes: []string{"tasks:read"}},
		{Name: "editor", Scopes: []string{"tasks:read", "tasks:write"}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

func (h *house) service(store session.Store, c *catalog.Catalog) *session.Service {
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
	c.FactLife = h.FactLife()
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

func TestStart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.account("editor")
	h.pass(123456 * time.Microsecond)
	got := h.start(a, session.StartRequest{})
	token := h.verify(got.AccessToken, tasks)
	if token.Subject() != string(a.ID) || token.SessionID() != string(got.Session) || token.ClientID() != session.FirstParty ||
		!token.HasRole("editor") || scopes(token) != "tasks:read tasks:write" || token.Type() != "at+jwt" {
		t.Errorf("token of %s for session %s with %q", token.Subject(), token.SessionID(), scopes(token))
	}
	if want := h.now().Truncate(time.Second); !token.IssuedAt().Equal(want) || !token.ExpiresAt().Equal(want.Add(15*time.Minute)) {
		t.Errorf("token from %v to %v, issued at the store's time %v", token.IssuedAt(), token.ExpiresAt(), want)
	}
	if got.ExpiresIn != 15*time.Minute || got.Scope != "tasks:read tasks:write" || got.Audience != tasks || got.Holder.ID != a.ID {
		t.Errorf("tokens %+v", got)
	}
	row := h.row(got.Session)
	if row.Device != "test" || row.Address != "192.0.2.1" || row.Generation != 1 || !row.ExpiresAt.Equal(row.ExpiresAt.Truncate(time.Second)) {
		t.Errorf("row %+v", row)
	}
	h.wantActs("session.start ok")

	t.Run("another API has its own life and algorithm", func(t *testing.T) {
		got := h.start(a, session.StartRequest{Audience: files + "/", Scope: "tasks:read"})
		token := h.verify(got.AccessToken, files)
		if token.Algorithm() != jwk.EdDSA || got.ExpiresIn != time.Minute || scopes(token) != "tasks:read" || got.Audience != files {
			t.Errorf("token by %s for %v with %q", token.Algorithm(), got.ExpiresIn, scopes(token))
		}
	})
	disabled := h.account("editor")
	yes := true
	h.change(disabled.ID, account.Change{Disabled: &yes})
	for _, tt := range []struct {
		name   string
		holder account.ID
		req    session.StartRequest
		want   error
	}{
		{"unknown API", a.ID, session.StartRequest{Audience: "https://else.example"}, catalog.ErrUnknownAPI},
		{"scope not granted", a.ID, session.StartRequest{Scope: "tasks:admin"}, catalog.ErrScope},
		{"scope too long", a.ID, session.StartRequest{Scope: strings.Repeat("tasks:read ", 1000)}, catalog.ErrScope},
		{"disabled", disabled.ID, session.StartRequest{}, session.ErrDisabled},
		{"no such account", "acc_none", session.StartRequest{}, fault.ErrNotFound},
		{"unknown transport", a.ID, session.StartRequest{Transport: "pigeon"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(h.acts())
			got, err := h.Start(t.Context(), somebody, tt.holder, tt.req)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Start = %v, want %v", err, tt.want)
			}
			if got.AccessToken != "" || got.RefreshToken != "" || len(h.acts()) != before {
				t.Error("a refusal hands out tokens or writes")
			}
		})
	}
}

func TestConfigReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := session.New(session.Config{Idle: time.Hour, Absolute: time.Minute, Grace: 2 * time.Hour})
	for _, want := range []string{"store", "issuer", "idle limit", "grace"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %q", err, want)
		}
	}
}

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.start(h.account("viewer"), session.StartRequest{})
	token := first
	seen := map[string]bool{}
	for range 20 {
		h.pass(time.Hour)
		next := h.refresh(token.RefreshToken)
		if next.RefreshToken == token.RefreshToken || next.Session != first.Session || seen[next.RefreshToken] {
			t.Fatal("the successor is no successor")
		}
		if h.verify(next.AccessToken, tasks).SessionID() != string(first.Session) {
			t.Fatal("another session")
		}
		seen[next.RefreshToken] = true
		token = next
	}
	if row := h.row(first.Session); row.Generation != 21 || !row.RotatedAt.Equal(h.now()) {
		t.Errorf("generation %d, rotated at %v", row.Generation, row.RotatedAt)
	}
	// A plain refresh is no event.
	h.wantActs("session.start ok")
	for range 3 {
		h.reopen()
		h.pass(time.Minute)
		token = h.refresh(token.RefreshToken)
	}
}

// One refresh token, many at once: one chain, and everybody gets the same
// successor.
func TestRFR01ParallelRefreshes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, n := range []int{2, 16, 64, 256} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			for range max(1, 128/n) {
				first := h.start(h.account("viewer"), session.StartRequest{})
				answers := make([]session.Tokens, n)
				errs := make([]error, n)
				var wg sync.WaitGroup
				for i := range n {
					wg.Go(func() {
						answers[i], errs[i] = h.Refresh(context.Background(), somebody, first.RefreshToken, session.Presented{})
					})
				}
				wg.Wait()
				ids := map[string]bool{}
				for i := range n {
					if errs[i] != nil {
						t.Fatalf("call %d: %v", i, errs[i])
					}
					if answers[i].RefreshToken != answers[0].RefreshToken {
						t.Fatal("two successors")
					}
					ids[h.verify(answers[i].AccessToken, tasks).ID()] = true
				}
				if len(ids) != n {
					t.Errorf("%d access tokens have %d ids", n, len(ids))
				}
				if row := h.row(first.Session); row.Generation != 2 {
					t.Fatalf("generation %d after one rotation", row.Generation)
				}
				h.refresh(answers[0].RefreshToken)
			}
		})
	}
}

func TestRFR03ReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		reuse func(h *house, first session.Tokens) (used string)
	}{
		{"older than the predecessor, within the grace", func(h *house, first session.Tokens) string {
			h.refresh(h.refresh(first.RefreshToken).RefreshToken)
			return first.RefreshToken
		}},
		{"older than the predecessor, later", func(h *house, first session.Tokens) string {
			h.refresh(h.refresh(first.RefreshToken).RefreshToken)
			h.pass(24 * time.Hour)
			return first.RefreshToken
		}},
		{"a predecessor, when one was forgiven before", func(h *house, first session.Tokens) string {
			h.refresh(first.RefreshToken)
			h.pass(time.Minute)
			second := h.refresh(first.RefreshToken)
			h.refresh(second.RefreshToken)
			h.pass(time.Minute)
			return second.RefreshToken
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			first := h.start(h.account("viewer"), session.StartRequest{})
			other := h.start(h.account("viewer"), session.StartRequest{})
			used := tt.reuse(h, first)
			events := len(h.acts())
			h.refused(used, session.Presented{}, session.ErrRefused)

			// The end commits although the call is refused, over a restart too.
			h.reopen()
			row := h.row(first.Session)
			if row.EndedAt.IsZero() || row.EndReason == "" {
				t.Fatalf("the session lives on: %+v", row)
			}
			if got := h.acts()[events:]; len(got) != 1 || got[0] != "session.theft refused" {
				t.Errorf("events %v, want one session.theft", got)
			}
			facts, _, _, err := h.store.FeedSince(t.Context(), 0)
			if err != nil || len(facts) != 1 || facts[0].Kind != jwt.SessionFact || facts[0].Value != string(first.Session) ||
				!facts[0].Expires.Equal(row.EndedAt.Add(h.FactLife())) {
				t.Errorf("facts %+v, %v", facts, err)
			}
			// It stays ended for whoever has whichever token.
			h.refused(used, session.Presented{}, session.ErrRefused)
			h.refused(first.RefreshToken, session.Presented{}, session.ErrRefused)
			if got := h.acts()[events:]; len(got) != 1 {
				t.Errorf("events %v, want still one", got)
			}
			if h.published() != 1 {
				t.Error("the end was published twice")
			}
			h.refresh(other.RefreshToken)
		})
	}
}

func TestRFR04LostAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.start(h.account("viewer"), session.StartRequest{})
	lost := h.refresh(first.RefreshToken)
	rotated := h.row(first.Session).RotatedAt

	h.pass(30 * time.Second)
	if got := h.refresh(first.RefreshToken); got.RefreshToken != lost.RefreshToken {
		t.Error("inside the grace: another successor")
	}
	h.wantActs("session.start ok")
	h.pass(time.Hour)
	again := h.refresh(first.RefreshToken)
	if again.RefreshToken != lost.RefreshToken || again.AccessToken == lost.AccessToken {
		t.Error("later: another successor, or the same access token")
	}
	h.wantActs("session.start ok", "session.forgiven ok")
	h.pass(time.Hour)
	if got := h.refresh(first.RefreshToken); got.RefreshToken != lost.RefreshToken {
		t.Error("later again: another successor")
	}
	h.wantActs("session.start ok", "session.forgiven ok")
	if row := h.row(first.Session); row.Generation != 2 || !row.RotatedAt.Equal(rotated) {
		t.Errorf("a re-answer moved the row to generation %d, %v", row.Generation, row.RotatedAt)
	}

	// Sixteen generations later it is forgiven again.
	token := lost.RefreshToken
	for range 15 {
		token = h.refresh(token).RefreshToken
	}
	h.refresh(token)
	h.pass(time.Hour)
	h.refresh(token)
	h.wantActs("session.start ok", "session.forgiven ok", "session.forgiven ok")

	// And the second time within sixteen it is theft.
	token = h.refresh(h.refresh(token).RefreshToken).RefreshToken
	h.refresh(token)
	h.pass(time.Hour)
	h.refused(token, session.Presented{}, session.ErrRefused)
	h.wantActs("session.start ok", "session.forgiven ok", "session.forgiven ok", "session.theft refused")
}

func TestRFR08PresentedElsewhereConsumesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.account("viewer")
	for _, tt := range []struct {
		name  string
		begun session.StartRequest
		p     session.Presented
	}{
		{"another app", session.StartRequest{}, session.Presented{Client: "app_other"}},
		{"an app's token by nobody", session.StartRequest{Client: "app_one"}, session.Presented{}},
		{"a body's token in a cookie", session.StartRequest{}, session.Presented{Transport: session.Cookie}},
		{"a cookie's token in a body", session.StartRequest{Transport: session.Cookie}, session.Presented{Transport: session.Body}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := h.start(a, tt.begun)
			row, events := h.row(first.Session), len(h.acts())
			h.refused(first.RefreshToken, tt.p, session.ErrRefused)
			if fmt.Sprint(h.row(first.Session)) != fmt.Sprint(row) {
				t.Error("the row was changed")
			}
			if got := h.acts()[events:]; len(got) != 1 || got[0] != "session.refresh refused" {
				t.Errorf("events %v", got)
			}
			p := session.Presented{Client: tt.begun.Client, Transport: tt.begun.Transport}
			if _, err := h.Refresh(t.Context(), somebody, first.RefreshToken, p); err != nil {
				t.Errorf("presented as it began: %v", err)
			}
		})
	}
}

// A refresh cannot ask for anything, so nothing can grow: scopes given to the
// account later stay out of a session that was begun with a choice, audience
// and client stay what they were.
func TestRFR09NothingGrows(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.account("viewer")
	chosen := h.start(a, session.StartRequest{Scope: "tasks:read", Audience: files})
	all := h.start(a, session.StartRequest{})
	roles := []string{"editor"}
	h.change(a.ID, account.Change{Roles: &roles})
	next := h.refresh(chosen.RefreshToken)
	if got := scopes(h.verify(next.AccessToken, files)); got != "tasks:read" || next.Scope != got {
		t.Errorf("scope %q, want what was chosen", got)
	}
	if got := h.refresh(all.RefreshToken); got.Scope != "tasks:read tasks:write" {
		t.Errorf("scope %q, want all that the roles give now", got.Scope)
	}
}

func TestRFR10AccountChanges(t *testing.T) {
	t.Parallel()
	yes, none, viewer, hash := true, []string{}, []string{"viewer"}, "other"
	for _, tt := range []struct {
		name   string
		change account.Change
		scope  string // of the next refresh; "refused" where there is none
	}{
		{"disabled", account.Change{Disabled: &yes}, "refused"},
		{"disabled, sessions ended", account.Change{Disabled: &yes, EndSessions: true, EndReason: "disabled"}, "refused"},
		{"password changed, sessions ended", account.Change{PasswordHash: &hash, EndSessions: true, EndReason: "password"}, "refused"},
		{"role exchanged", account.Change{Roles: &viewer}, "tasks:read"},
		{"all roles lost", account.Change{Roles: &none}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			a := h.account("editor")
			first := h.start(a, session.StartRequest{Scope: "tasks:write tasks:read"})
			h.change(a.ID, tt.change)
			if tt.scope == "refused" {
				h.refused(first.RefreshToken, session.Presented{}, session.ErrRefused)
				if h.row(first.Session).EndedAt.IsZero() || h.published() != 1 {
					t.Error("the session lives, or its end was not published")
				}
				if _, err := h.Standing(t.Context(), first.Session); !errors.Is(err, session.ErrEnded) {
					t.Errorf("Standing = %v, want ErrEnded", err)
				}
				return
			}
			next := h.refresh(first.RefreshToken)
			if got := scopes(h.verify(next.AccessToken, tasks)); got != tt.scope {
				t.Errorf("scope %q, want %q", got, tt.scope)
			}
		})
	}
}

// While refreshes run, roles are taken away: no token minted after that commit
// carries them.
func TestRFR10RoleLostWhileRefreshing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.account("editor")
	var lost atomic.Bool
	var wg sync.WaitGroup
	for range 8 {
		token := h.start(a, session.StartRequest{}).RefreshToken
		wg.Go(func() {
			for range 40 {
				before := lost.Load()
				got, err := h.Refresh(context.Background(), somebody, token, session.Presented{})
				if err != nil {
					t.Error(err)
					return
				}
				if before && h.verify(got.AccessToken, tasks).HasRole("editor") {
					t.Error("a token minted after the role was lost carries it")
				}
				token = got.RefreshToken
			}
		})
	}
	viewer := []string{"viewer"}
	h.change(a.ID, account.Change{Roles: &viewer})
	lost.Store(true)
	wg.Wait()
}

func TestRFR11NothingOfAForgedTokenIsLookedUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.start(h.account("viewer"), session.StartRequest{})
	s := h.service(nobody{}, h.catalog())
	for i := range first.RefreshToken {
		forged := first.RefreshToken[:i] + "~" + first.RefreshToken[i+1:]
		if _, err := s.Refresh(t.Context(), somebody, forged, session.Presented{}); !errors.Is(err, session.ErrRefused) || strings.Contains(err.Error(), first.RefreshToken[8:30]) {
			t.Fatalf("Refresh = %v", err)
		}
	}
}

// nobody is a store that must not be asked.
type nobody struct{ session.Store }

func TestRefreshStoreBehind(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.start(h.account("viewer"), session.StartRequest{})
	// The store forgets a rotation, as a restored backup does.
	behind := h.service(rewound{h.store}, h.catalog())
	_, err := behind.Refresh(t.Context(), somebody, first.RefreshToken, session.Presented{})
	if !errors.Is(err, session.ErrStoreBehind) || errors.Is(err, session.ErrRefused) {
		t.Errorf("Refresh = %v, want ErrStoreBehind", err)
	}
	if !strings.Contains(h.log.String(), "level=ERROR") || !strings.Contains(h.log.String(), string(first.Session)) {
		t.Errorf("no alarm: %s", h.log)
	}
	h.wantActs("session.start ok")
	h.refresh(first.RefreshToken)
}

// rewound shows rows as of one rotation ago.
type rewound struct{ *sqlite.Store }

func (r rewound) RefreshSession(ctx context.Context, id session.ID, decide func(session.Row, time.Time) (session.Step, error)) error {
	return r.Store.RefreshSession(ctx, id, func(row session.Row, now time.Time) (session.Step, error) {
		row.Generation--
		return decide(row, now)
	})
}

func TestRefreshReadsAgainOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, tt := range []struct {
		torn int32
		ok   bool
	}{{1, true}, {2, false}} {
		t.Run(fmt.Sprint(tt.torn), func(t *testing.T) {
			first := h.start(h.account("viewer"), session.StartRequest{})
			store := &torn{Store: h.store}
			store.times.Store(tt.torn)
			_, err := h.service(store, h.catalog()).Refresh(t.Context(), somebody, first.RefreshToken, session.Presented{})
			if tt.ok && err != nil || !tt.ok && (!errors.Is(err, fault.ErrUnavailable) || errors.Is(err, session.ErrRefused)) {
				t.Errorf("Refresh = %v", err)
			}
			if store.times.Load() != 0 {
				t.Errorf("the store was asked too seldom or too often: %d left", store.times.Load())
			}
			h.refresh(first.RefreshToken)
		})
	}
}

// torn shows an account that is newer than the session's copy, some times.
type torn struct {
	*sqlite.Store
	times atomic.Int32
}

func (s *torn) RefreshSession(ctx context.Context, id session.ID, decide func(session.Row, time.Time) (session.Step, error)) error {
	return s.Store.RefreshSession(ctx, id, func(row session.Row, now time.Time) (session.Step, error) {
		if s.times.Add(-1) >= 0 {
			row.Holder.Version++
		} else {
			s.times.Store(0)
		}
		return decide(row, now)
	})
}

func TestRefreshUnknownSession(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	other := newHouse(t)
	other.ring = h.ring
	other.Service = other.service(other.store, other.catalog())
	first := h.start(h.account("viewer"), session.StartRequest{})
	other.refused(first.RefreshToken, session.Presented{}, session.ErrRefused)
}

// An API that is not registered any more gets no tokens, and its sessions lose
// nothing by asking.
func TestRefreshWithdrawnAPI(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.start(h.account("viewer"), session.StartRequest{Audience: files})
	_, err := h.service(h.store, h.catalog(files)).Refresh(t.Context(), somebody, first.RefreshToken, session.Presented{})
	if !errors.Is(err, session.ErrRefused) || h.row(first.Session).Generation != 1 {
		t.Errorf("Refresh = %v, generation %d", err, h.row(first.Session).Generation)
	}
	h.refresh(first.RefreshToken)
}

// A failed commit hands out nothing.
func TestRefreshFailedCommit(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.start(h.account("viewer"), session.StartRequest{})
	s := h.service(full{h.store}, h.catalog())
	got, err := s.Refresh(t.Context(), somebody, first.RefreshToken, session.Presented{})
	if !errors.Is(err, fault.ErrUnavailable) || errors.Is(err, session.ErrRefused) || got.RefreshToken != "" || got.AccessToken != "" {
		t.Errorf("Refresh = %+v, %v", got, err)
	}
}

// full decides and cannot commit.
type full struct{ *sqlite.Store }

func (s full) RefreshSession(ctx context.Context, id session.ID, decide func(session.Row, time.Time) (session.Step, error)) error {
	row, now, err := s.Session(ctx, id)
	if err == nil {
		_, err = decide(row, now)
	}
	return errors.Join(err, fault.ErrUnavailable)
}

func TestAbsoluteEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.start(h.account("viewer"), session.StartRequest{})
	end := h.row(first.Session).ExpiresAt
	token := first.RefreshToken
	for h.now().Add(6 * 24 * time.Hour).Before(end) {
		h.pass(6 * 24 * time.Hour)
		token = h.refresh(token).RefreshToken
	}
	// No access token outlives the session, down to the last fraction of a
	// second.
	for _, left := range []time.Duration{5 * time.Minute, 1500 * time.Millisecond, time.Microsecond} {
		h.clock.Store(end.Add(-left).UnixMicro())
		got := h.refresh(token)
		if exp := h.verify(got.AccessToken, tasks).ExpiresAt(); !exp.Equal(end) {
			t.Errorf("%v before the end: the access token lives until %v, the session until %v", left, exp, end)
		}
		token = got.RefreshToken
	}
	h.clock.Store(end.UnixMicro())
	h.refused(token, session.Presented{}, session.ErrRefused)
	if _, err := h.Standing(t.Context(), first.Session); !errors.Is(err, session.ErrEnded) {
		t.Errorf("Standing = %v, want ErrEnded", err)
	}
}

// A MAC key that rotates logs nobody out, and repetitions of what it made come
// out the same.
func TestMACKeyRotation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.account("viewer")
	first, idle := h.start(a, session.StartRequest{}), h.start(a, session.StartRequest{})
	second := h.refresh(first.RefreshToken)
	rotate := func() {
		t.Helper()
		if _, err := h.ring.Rotate(t.Context(), keyring.Refresh, keyring.RefreshAlgorithm, true, operator); err != nil {
			t.Fatal(err)
		}
	}
	rotate()
	if again := h.refresh(first.RefreshToken); again.RefreshToken != second.RefreshToken {
		t.Error("row 7: another successor after a rotation of the MAC key")
	}
	h.pass(time.Hour)
	if again := h.refresh(first.RefreshToken); again.RefreshToken != second.RefreshToken {
		t.Error("row 9: another successor after a rotation of the MAC key")
	}
	h.reopen()
	if again := h.refresh(first.RefreshToken); again.RefreshToken != second.RefreshToken {
		t.Error("row 8: another successor after a restart")
	}
	third := h.refresh(second.RefreshToken)
	mac, err := h.ring.MAC()
	if err != nil || h.row(first.Session).MACKey != mac.KeyID() {
		t.Errorf("the successor is made with %s, %s is active (%v)", h.row(first.Session).MACKey, mac.KeyID(), err)
	}
	rotate()
	h.refresh(third.RefreshToken)

	// What was not used until the idle limit is refused by then anyway.
	h.pass(6 * 24 * time.Hour)
	h.reopen()
	h.refresh(idle.RefreshToken)
}

func TestEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b := h.account("viewer"), h.account("viewer")
	one, two, three := h.start(a, session.StartRequest{}), h.start(a, session.StartRequest{}), h.start(a, session.StartRequest{})
	other := h.start(b, session.StartRequest{})
	ctx := t.Context()

	for _, id := range []session.ID{other.Session, "ses_none"} {
		if err := h.EndOwn(ctx, somebody, a.ID, id, "log-out"); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("EndOwn(%s) = %v, want ErrNotFound", id, err)
		}
	}
	if _, err := h.Standing(ctx, other.Session); err != nil {
		t.Fatalf("somebody else's session was ended: %v", err)
	}
	for range 2 { // idempotent
		if err := h.EndOwn(ctx, somebody, a.ID, one.Session, "log-out"); err != nil {
			t.Error(err)
		}
		if err := h.End(ctx, operator, "ses_none", "cleaning"); err != nil {
			t.Error(err)
		}
	}
	if h.published() != 1 {
		t.Errorf("%d facts, want 1", h.published())
	}
	h.refused(one.RefreshToken, session.Presented{}, session.ErrRefused)

	list, err := h.List(ctx, a.ID, "", 10)
	if err != nil || len(list) != 2 {
		t.Fatalf("List = %d sessions, %v, want 2", len(list), err)
	}
	if n, err := h.EndAll(ctx, somebody, a.ID, three.Session, "log-out"); n != 1 || err != nil {
		t.Errorf("EndAll = %d, %v, want 1", n, err)
	}
	if _, err := h.Standing(ctx, two.Session); !errors.Is(err, session.ErrEnded) {
		t.Errorf("Standing of an ended session = %v", err)
	}
	if row, err := h.Standing(ctx, three.Session); err != nil || row.Holder.ID != a.ID {
		t.Errorf("Standing of the kept one = %v", err)
	}
	if n, err := h.EndAll(ctx, somebody, a.ID, "", "log-out"); n != 1 || err != nil {
		t.Errorf("EndAll = %d, %v, want 1", n, err)
	}
	if n, err := h.EndAll(ctx, somebody, a.ID, "", "log-out"); n != 0 || err != nil {
		t.Errorf("EndAll again = %d, %v, want 0", n, err)
	}
	if _, err := h.Standing(ctx, "ses_none"); !errors.Is(err, session.ErrEnded) {
		t.Errorf("Standing of no session = %v", err)
	}
	yes := true
	h.change(b.ID, account.Change{Disabled: &yes})
	if _, err := h.Standing(ctx, other.Session); !errors.Is(err, session.ErrDisabled) {
		t.Errorf("Standing with a disabled account = %v", err)
	}
}

func TestIdleSessionsAreNotListed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.account("viewer")
	h.start(a, session.StartRequest{})
	h.pass(7*24*time.Hour - time.Microsecond)
	if list, err := h.List(t.Context(), a.ID, "", 10); err != nil || len(list) != 1 {
		t.Errorf("before the idle limit: %d, %v", len(list), err)
	}
	h.pass(time.Microsecond)
	if list, err := h.List(t.Context(), a.ID, "", 10); err != nil || len(list) != 0 {
		t.Errorf("at the idle limit: %d, %v", len(list), err)
	}
}

func TestDeviceToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.account()
	token, err := h.NewDeviceToken(a.ID)
	if err != nil {
		t.Fatal(err)
	}
	other, err := h.NewDeviceToken(a.ID)
	if err != nil {
		t.Fatal(err)
	}
	holder, device, ok := h.CheckDeviceToken(token)
	_, second, _ := h.CheckDeviceToken(other)
	if !ok || holder != a.ID || device == second {
		t.Errorf("CheckDeviceToken = %s, %s, %v; another is %s", holder, device, ok, second)
	}
	h.refused(token, session.Presented{}, session.ErrRefused)
	if _, _, ok := h.CheckDeviceToken(h.start(a, session.StartRequest{}).RefreshToken); ok {
		t.Error("a refresh token passes for a device token")
	}
}

// Nothing that leads back to a token is kept or logged.
func TestNoTokenIsKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.start(h.account("viewer"), session.StartRequest{})
	second := h.refresh(first.RefreshToken)
	third := h.refresh(second.RefreshToken)
	h.refused(first.RefreshToken, session.Presented{}, session.ErrRefused)
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	kept := h.log.String() + onDisk(t, h.path)
	for _, token := range []session.Tokens{first, second, third} {
		// The handle stands in characters 6 to 27 behind the prefix; the bytes
		// themselves may be kept in any spelling, so look for those too.
		for _, secret := range spellings(t, token.RefreshToken) {
			if strings.Contains(kept, secret) {
				t.Errorf("a part of a refresh token is kept: %q", secret)
			}
		}
		if strings.Contains(kept, token.AccessToken[len(token.AccessToken)-40:]) {
			t.Error("an access token is kept")
		}
	}
}

func BenchmarkRefresh(b *testing.B) {
	h := newHouse(b)
	token := h.start(h.account("viewer"), session.StartRequest{}).RefreshToken
	for b.Loop() {
		token = h.refresh(token).RefreshToken
	}
}

func BenchmarkMint(b *testing.B) {
	h := newHouse(b)
	i, err := h.ring.Issuer(keyring.Access, jwk.ES256, issuer, "at+jwt")
	if err != nil {
		b.Fatal(err)
	}
	c := jwt.Claims{
		Subject: string(account.NewID()), Audience: []string{tasks}, Life: time.Minute, IssuedAt: h.now(),
		SessionID: "ses_0123456789012345678901", ClientID: session.FirstParty,
		Scope: []string{"tasks:read", "tasks:write"}, Roles: []string{"editor"},
	}
	for b.Loop() {
		if _, err := i.Issue(c); err != nil {
			b.Fatal(err)
		}
	}
}
