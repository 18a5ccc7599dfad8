package storetest

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// testRotate: where a store rotates without asking, it does so exactly where
// session.Decide would have it rotate.
func testRotate(t *testing.T, open Opener) {
	const audience = "https://api.example.com"
	plain := session.Rotation{
		Generation: 7, Client: session.FirstParty, Transport: session.Body, Idle: time.Hour,
		Lives:  map[string]time.Duration{audience: 2 * time.Hour, "https://else.example": time.Minute},
		MACKey: "00000002", Address: "192.0.2.2",
	}
	seventh := func(s *session.Session) { s.Generation = 7 }
	t.Run("exactly where it is decided so", func(t *testing.T) {
		w := newWorld(t, open)
		rotator, ok := w.Store.(session.Rotator)
		if !ok {
			t.Skip("this store asks each time")
		}
		disabled := true
		for name, c := range map[string]struct {
			row    func(*session.Session)
			holder account.Change
			r      func(*session.Rotation)
			want   bool
		}{
			"the last token":              {want: true},
			"one before":                  {r: func(r *session.Rotation) { r.Generation = 6 }},
			"one that was never made":     {r: func(r *session.Rotation) { r.Generation = 8 }},
			"another client":              {r: func(r *session.Rotation) { r.Client = "app_other" }},
			"another transport":           {r: func(r *session.Rotation) { r.Transport = session.Cookie }},
			"idle for too long":           {row: func(s *session.Session) { seventh(s); s.RotatedAt = s.RotatedAt.Add(-time.Hour) }},
			"idle, not for too long":      {row: func(s *session.Session) { seventh(s); s.RotatedAt = s.RotatedAt.Add(-59 * time.Minute) }, want: true},
			"past its end":                {row: func(s *session.Session) { seventh(s); s.ExpiresAt = s.CreatedAt }},
			"ended":                       {row: func(s *session.Session) { seventh(s); s.EndedAt = s.CreatedAt }},
			"no generation left":          {row: func(s *session.Session) { s.Generation = math.MaxUint32 }, r: func(r *session.Rotation) { r.Generation = math.MaxUint32 }},
			"an account that is disabled": {holder: account.Change{Disabled: &disabled}},
			"an API that is not there":    {row: func(s *session.Session) { seventh(s); s.Audience = "https://gone.example" }},
			"a lost answer was forgiven":  {row: func(s *session.Session) { seventh(s); s.Forgiven = 7 }, want: true},
		} {
			if c.row == nil {
				c.row = seventh
			}
			r := plain
			if c.r != nil {
				c.r(&r)
			}
			holder := w.account(name)
			s := w.session(holder.ID, c.row)
			if c.holder.Disabled != nil {
				_, err := w.ChangeAccount(w.ctx, holder.ID, c.holder, event("account.change"))
				check(t, "error", err, nil)
			}
			before := w.row(s.ID)
			now, _ := w.Now()
			_, known := r.Lives[before.Audience]
			decided := session.Decide(before, r.Generation, session.Presented{Client: r.Client, Transport: r.Transport}, session.Limits{Idle: r.Idle}, now) == session.Rotate && known
			row, at, rotated, err := rotator.RotateSession(w.ctx, s.ID, r)
			check(t, name+": error", err, nil)
			check(t, name, []bool{rotated, decided}, []bool{c.want, c.want})
			want := before
			if rotated {
				want.Generation, want.MACKey, want.Address, want.RotatedAt, want.TokenLife = before.Generation+1, r.MACKey, r.Address, at, 2*time.Hour
				check(t, name+": what it answers", row, want)
			}
			check(t, name+": the row", w.row(s.ID), want)
		}
		_, _, rotated, err := rotator.RotateSession(w.ctx, "ses_nothing", plain)
		check(t, "an unknown session", []any{rotated, err}, []any{false, nil})
	})
	t.Run("RFR-01 one of 64 at once rotates", func(t *testing.T) {
		w := newWorld(t, open)
		rotator, ok := w.Store.(session.Rotator)
		if !ok {
			t.Skip("this store asks each time")
		}
		s := w.session(w.account("alice").ID, seventh)
		var mu sync.Mutex
		n := 0
		together(64, func(int) {
			_, _, rotated, err := rotator.RotateSession(w.ctx, s.ID, plain)
			check(t, "error", err, nil)
			mu.Lock()
			defer mu.Unlock()
			if rotated {
				n++
			}
		})
		check(t, "rotated", []any{n, w.row(s.ID).Generation}, []any{1, 8})
	})
	t.Run("RFR-10 nothing that rotates after a change has the old rights", func(t *testing.T) {
		w := newWorld(t, open)
		rotator, ok := w.Store.(session.Rotator)
		if !ok {
			t.Skip("this store asks each time")
		}
		alice := w.account("alice", "admin")
		var version int64 // under mu, of the last change that was answered
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 6 {
			id := w.session(alice.ID, nil).ID
			all.Go(func() {
				r := plain
				for r.Generation = 1; r.Generation < 60; {
					mu.Lock()
					atLeast := version
					mu.Unlock()
					row, _, rotated, err := rotator.RotateSession(w.ctx, id, r)
					check(t, "error", err, nil)
					if !rotated { // between the account and its sessions
						err := w.RefreshSession(w.ctx, id, func(row session.Row, _ time.Time) (session.Step, error) {
							if row.Generation != r.Generation || row.AccountVersion != row.Holder.Version {
								return session.Step{}, errors.New("another generation, or an old copy")
							}
							return session.Step{}, nil
						})
						check(t, "error", err, nil)
						continue
					}
					if row.Holder.Version < atLeast || row.AccountVersion != row.Holder.Version {
						t.Errorf("version %d with a copy of %d, %d had been answered", row.Holder.Version, row.AccountVersion, atLeast)
					}
					r.Generation++
				}
			})
		}
		for range 30 {
			a, err := w.ChangeAccount(w.ctx, alice.ID, account.Change{}, event("account.change"))
			check(t, "error", err, nil)
			mu.Lock()
			version = a.Version
			mu.Unlock()
		}
		all.Wait()
	})
}
