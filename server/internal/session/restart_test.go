package session_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// Each row of Decide's table that a store can bring about, with a restart
// between what leads to it and the call.
func TestEveryRowAcrossARestart(t *testing.T) {
	t.Parallel()
	yes := true
	tests := []struct {
		name string
		// prepare answers the token that is presented after the restart and,
		// where it succeeds, the successor that must come, if that is known.
		prepare func(h *house, a account.Account, first session.Tokens) (presented, successor string)
		p       session.Presented
		want    error
	}{
		{"01 forged", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			return first.RefreshToken[:70] + "AAAAAAAAAAAAAAAA", ""
		}, session.Presented{}, session.ErrRefused},
		{"02 presented elsewhere", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			return first.RefreshToken, ""
		}, session.Presented{Transport: session.Cookie}, session.ErrRefused},
		{"03 ended", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			if err := h.End(context.Background(), operator, first.Session, "test"); err != nil {
				h.t.Fatal(err)
			}
			return first.RefreshToken, ""
		}, session.Presented{}, session.ErrRefused},
		{"03 idle", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			h.pass(7 * 24 * time.Hour)
			return first.RefreshToken, ""
		}, session.Presented{}, session.ErrRefused},
		{"04 disabled", func(h *house, a account.Account, first session.Tokens) (string, string) {
			h.change(a.ID, account.Change{Disabled: &yes})
			return first.RefreshToken, ""
		}, session.Presented{}, session.ErrRefused},
		{"06 current", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			return h.refresh(first.RefreshToken).RefreshToken, ""
		}, session.Presented{}, nil},
		{"07 repeated within the grace", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			return first.RefreshToken, h.refresh(first.RefreshToken).RefreshToken
		}, session.Presented{}, nil},
		{"08 repeated after forgiveness", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			h.refresh(first.RefreshToken)
			h.pass(time.Hour)
			successor := h.refresh(first.RefreshToken).RefreshToken
			h.pass(time.Hour)
			return first.RefreshToken, successor
		}, session.Presented{}, nil},
		{"09 answer lost", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			successor := h.refresh(first.RefreshToken).RefreshToken
			h.pass(time.Hour)
			return first.RefreshToken, successor
		}, session.Presented{}, nil},
		{"10 theft", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			h.refresh(h.refresh(first.RefreshToken).RefreshToken)
			return first.RefreshToken, ""
		}, session.Presented{}, session.ErrRefused},
		{"11 restored from a backup", func(h *house, _ account.Account, first session.Tokens) (string, string) {
			if err := h.store.Close(); err != nil {
				h.t.Fatal(err)
			}
			backup, err := os.ReadFile(h.path)
			if err != nil {
				h.t.Fatal(err)
			}
			h.open()
			second := h.refresh(first.RefreshToken).RefreshToken
			if err := h.store.Close(); err != nil {
				h.t.Fatal(err)
			}
			if err := os.WriteFile(h.path, backup, 0o600); err != nil {
				h.t.Fatal(err)
			}
			h.open()
			return second, ""
		}, session.Presented{}, session.ErrStoreBehind},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			a := h.account("viewer")
			first := h.start(a, session.StartRequest{})
			presented, successor := tt.prepare(h, a, first)
			h.reopen()
			if tt.want != nil {
				h.refused(presented, tt.p, tt.want)
				return
			}
			got := h.refresh(presented)
			if got.RefreshToken == presented || successor != "" && got.RefreshToken != successor {
				t.Error("another successor than before the restart")
			}
			h.refresh(got.RefreshToken)
		})
	}
}

// A thief and the owner who present at the same moment: the session ends once,
// with one event and one fact, and nobody gets anything afterwards.
func TestRFR03TheftWhileRefreshing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 10 {
		events, facts := len(h.acts()), h.published()
		first := h.start(h.account("viewer"), session.StartRequest{})
		second := h.refresh(first.RefreshToken)
		third := h.refresh(second.RefreshToken)
		var wg sync.WaitGroup
		var mu sync.Mutex
		handed := map[string]bool{}
		for i := range 32 {
			token := []string{first.RefreshToken, third.RefreshToken}[i%2]
			wg.Go(func() {
				got, err := h.Refresh(context.Background(), somebody, token, session.Presented{})
				if err != nil && !errors.Is(err, session.ErrRefused) {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					handed[got.RefreshToken] = true
				}
			})
		}
		wg.Wait()
		if len(handed) > 1 {
			t.Errorf("%d chains", len(handed))
		}
		for token := range handed {
			h.refused(token, session.Presented{}, session.ErrRefused)
		}
		h.refused(third.RefreshToken, session.Presented{}, session.ErrRefused)
		if got := h.acts()[events:]; len(got) != 2 || got[1] != "session.theft refused" {
			t.Errorf("events %v, want a start and one theft", got)
		}
		if got := h.published() - facts; got != 1 {
			t.Errorf("%d facts, want one", got)
		}
	}
}
