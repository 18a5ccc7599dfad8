package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

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
