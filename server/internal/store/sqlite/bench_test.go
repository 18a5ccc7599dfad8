package sqlite

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// filled answers the path of a database with n sessions of n/10 accounts, and
// the sessions' ids in no order.
func filled(b testing.TB, n int) (string, []session.ID) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "jotsmith.db")
	s := open(b, Config{Path: path})
	const numbers = `WITH RECURSIVE number (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i + 1 < ?2) `
	err := s.do(b.Context(), func(t *tx) error {
		if _, err := t.exec(numbers+`INSERT INTO account (id, username, display_name, roles, password_hash, disabled, version, created_at, updated_at, password_changed_at)
			SELECT printf('acc_%022d', i), 'user' || i, 'Somebody', 'editor viewer', '$argon2id$v=19$m=19456,t=2,p=1$' || hex(randomblob(27)), 0, 1, ?1, ?1, ?1 FROM number`,
			micros(t.now), n/10); err != nil {
			return err
		}
		_, err := t.exec(numbers+`INSERT INTO session (id, account, account_version, client, transport, audience, scope, device, address,
				generation, mac_key, forgiven, token_life, created_at, rotated_at, expires_at, ended_at, end_reason)
			SELECT 'ses_' || hex(randomblob(11)), printf('acc_%022d', i / 10), 1, 'app_first_party', 'body', 'https://tasks.example.com', 'tasks:read tasks:write',
				'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', '192.0.2.1', 1, '00000001', 0, 900000000, ?1, ?1, ?3, 0, '' FROM number`,
			micros(t.now), n, micros(t.now.Add(30*24*time.Hour)))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	ids := make([]session.ID, 0, n)
	if err := s.read(b.Context(), func(c *conn) error {
		return c.each(`SELECT id FROM session`, func(row scanner) error {
			var id session.ID
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	}); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return path, ids
}

func BenchmarkRefresh(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			path, ids := filled(b, n)
			for _, callers := range []int{1, 64} {
				b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
					s := open(b, Config{Path: path})
					defer s.Close()
					concurrently(b, callers, func(i int) error {
						// 7919 is prime: the sessions come in no order.
						return s.RefreshSession(b.Context(), ids[i*7919%n], func(session.Row, time.Time) (session.Step, error) {
							return session.Step{Rotate: true, MACKey: "00000002", Address: "192.0.2.2"}, nil
						})
					})
				})
			}
		})
	}
}

func BenchmarkStart(b *testing.B) {
	path, _ := filled(b, 1_000)
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, Config{Path: path})
			defer s.Close()
			concurrently(b, callers, func(int) error {
				return s.StartSession(b.Context(), account.ID(fmt.Sprintf("acc_%022d", 1)), func(a account.Account, now time.Time) (session.Session, audit.Event, error) {
					return session.Session{ID: session.ID(account.NewID()), Account: a.ID, AccountVersion: a.Version, Client: session.FirstParty, Transport: session.Body,
						Generation: 1, MACKey: "00000001", CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour)}, audit.Event{Act: "session.start", Outcome: audit.OK}, nil
				})
			})
		})
	}
}

func BenchmarkSession(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			path, ids := filled(b, n)
			s := open(b, Config{Path: path})
			concurrently(b, 4, func(i int) error {
				_, _, err := s.Session(b.Context(), ids[i*7919%n])
				return err
			})
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			path, _ := filled(b, n)
			for b.Loop() {
				open(b, Config{Path: path}).Close()
			}
		})
	}
}

// concurrently shares b.N calls of f among callers and reports the rate, and
// the processor's time for each call, which a busy machine disturbs less.
func concurrently(b *testing.B, callers int, f func(i int) error) {
	b.ReportAllocs()
	var n atomic.Int64
	var all sync.WaitGroup
	before := processor(b)
	b.ResetTimer()
	for range callers {
		all.Go(func() {
			for {
				i := int(n.Add(1)) - 1
				if i >= b.N {
					return
				}
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(processor(b)-before)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// processor is the processor's time that this process has used.
func processor(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
