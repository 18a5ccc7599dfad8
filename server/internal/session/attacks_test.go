package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

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
				!facts[0].Expires.Equal(row.EndedAt.Add(row.TokenLife+session.FactMargin)) {
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
