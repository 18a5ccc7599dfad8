package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

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
			before := started(h)
			got, err := h.Start(t.Context(), somebody, tt.holder, tt.req)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("Start = %v, want %v", err, tt.want)
			}
			if got.AccessToken != "" || got.RefreshToken != "" || started(h) != before {
				t.Error("a refusal hands out tokens or starts a session")
			}
		})
	}
}

func started(h *house) (n int) {
	for _, act := range h.acts() {
		if act == "session.start ok" {
			n++
		}
	}
	return n
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

// Many sessions at once share commits.
func BenchmarkRefreshParallel(b *testing.B) {
	h := newHouse(b)
	a := h.account("viewer")
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		token := h.start(a, session.StartRequest{}).RefreshToken
		for pb.Next() {
			got, err := h.Refresh(context.Background(), somebody, token, session.Presented{})
			if err != nil {
				b.Error(err)
				return
			}
			token = got.RefreshToken
		}
	})
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

// An operator who shortens the life of tokens does not shorten the memory of
// what was revoked: tokens that were minted before live as long as they said.
func TestEndOutlivesTokensOfAnEarlierLife(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	holder := h.account("editor")
	life := func(d time.Duration) *session.Service {
		c, err := catalog.New(issuer, []catalog.API{{Audience: tasks, Life: d}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return h.service(h.store, catalog.Fixed(c))
	}
	refresh := func(s *session.Service, token string) session.Tokens {
		t.Helper()
		tokens, err := s.Refresh(t.Context(), somebody, token, session.Presented{})
		if err != nil {
			t.Fatal(err)
		}
		return tokens
	}
	tokens, err := life(2*time.Hour).Start(t.Context(), somebody, holder.ID, session.StartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	next := refresh(life(time.Minute), tokens.RefreshToken)
	if next.ExpiresIn != time.Minute {
		t.Errorf("the new life is %v, want 1m", next.ExpiresIn)
	}
	// A repeated answer writes nothing, so it may promise no more than the row knows.
	if again := refresh(life(3*time.Hour), tokens.RefreshToken); again.ExpiresIn != 2*time.Hour {
		t.Errorf("a repeated answer lives %v, want 2h", again.ExpiresIn)
	}
	if err := life(time.Minute).End(t.Context(), somebody, tokens.Session, "test"); err != nil {
		t.Fatal(err)
	}
	facts, _, now, err := h.store.FeedSince(t.Context(), 0)
	if err != nil || len(facts) != 1 {
		t.Fatalf("%v, %v", facts, err)
	}
	if got := facts[0].Expires.Sub(now); got != 2*time.Hour+session.FactMargin {
		t.Errorf("the end is published for %v, want the longest life that was handed out", got)
	}
}
