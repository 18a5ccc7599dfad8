package postgres

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// One rotation after the other on each of many sessions: by one statement, and
// by asking first.
func BenchmarkRefresh(b *testing.B) {
	s := open(b, Config{URL: realtest.SharedPostgres(b).NewDatabase(b)})
	if _, err := s.CreateAccount(b.Context(), account.Account{ID: "acc_a", Username: "a"}, "", event("account.create")); err != nil {
		b.Fatal(err)
	}
	var made atomic.Int32
	start := func(b *testing.B) session.ID {
		n := made.Add(1)
		id := session.NewID([16]byte{byte(n), byte(n >> 8)})
		if err := s.StartSession(b.Context(), "acc_a", func(a account.Account, now time.Time) (session.Session, audit.Event, error) {
			return session.Session{ID: id, Account: a.ID, AccountVersion: a.Version, Client: session.FirstParty, Transport: session.Body, Audience: "x",
				Generation: 1, MACKey: "1", CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour)}, event("session.start"), nil
		}); err != nil {
			b.Error(err)
		}
		return id
	}
	for _, c := range []struct {
		name   string
		rotate func(session.ID, uint32) error
	}{
		{"one statement", func(id session.ID, generation uint32) error {
			_, _, rotated, err := s.RotateSession(b.Context(), id, session.Rotation{
				Generation: generation, Client: session.FirstParty, Transport: session.Body, Idle: time.Hour,
				Lives: map[string]time.Duration{"x": time.Minute}, MACKey: "1"})
			if !rotated {
				b.Error("not rotated")
			}
			return err
		}},
		{"asking first", func(id session.ID, _ uint32) error {
			return s.RefreshSession(b.Context(), id, func(session.Row, time.Time) (session.Step, error) {
				return session.Step{Rotate: true, MACKey: "1"}, nil
			})
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				id := start(b)
				for generation := uint32(1); pb.Next(); generation++ {
					if err := c.rotate(id, generation); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
		})
	}
}

// Many ask at the same time, each for one of a thousand sessions: by statements
// that several share, and by one for each.
func BenchmarkSession(b *testing.B) {
	p := realtest.SharedPostgres(b)
	url := p.NewDatabase(b)
	s := open(b, Config{URL: url})
	if _, err := s.CreateAccount(b.Context(), account.Account{ID: "acc_a", Username: "a"}, "", event("account.create")); err != nil {
		b.Fatal(err)
	}
	p.Exec(b, url, `INSERT INTO session (id, account, account_version, client, transport, audience, scope, device, address, generation, mac_key, forgiven, token_life, created_at, rotated_at, expires_at, ended_at, end_reason, claims)
		SELECT 'ses_' || n, 'acc_a', 1, 'app_first_party', 'body', 'x', '', '', '', 1, '1', 0, 1, 1, 1, 1, 0, '', '' FROM generate_series(0, 999) n`, `ANALYZE`)
	for _, c := range []struct {
		name string
		read func(session.ID) error
	}{
		{"shared", func(id session.ID) error {
			_, _, err := s.Session(b.Context(), id)
			return err
		}},
		{"alone", func(id session.ID) error {
			return s.read(b.Context(), func(t *tx) error {
				_, err := t.session(id)
				return err
			})
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := c.read(session.ID(fmt.Sprint("ses_", rand.IntN(1000)))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "readings/s")
		})
	}
}
