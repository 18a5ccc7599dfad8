package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/status"
)

// What a status list of half a million entries costs while 10,000 sessions have
// ended: when it is asked for first, and from then on, with 100 more each time.
func BenchmarkStatusSince(b *testing.B) {
	s := open(b, Config{Path: filepath.Join(b.TempDir(), "jotsmith.db")})
	const numbers = `WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < ?1) `
	if err := s.do(b.Context(), func(t *tx) error {
		for _, q := range []struct {
			text string
			n    int
		}{
			{numbers + `INSERT INTO status_entry SELECT 'AAAAAAAAAAAAAAAA', 2 * i, 'AAAAAAAAAAAAAAAA.' || 2 * i, 'ses_' || hex(randomblob(11)), 'acc_' || i % 50000, 1, 1 FROM number`, 500_000},
			{numbers + `INSERT INTO fact SELECT i, 1, e.session, 0, 1 FROM number JOIN status_entry e ON e.list = 'AAAAAAAAAAAAAAAA' AND e.idx = 20 * i`, 10_000},
			{`UPDATE feed_head SET n = ?1`, 10_000},
		} {
			if _, err := t.exec(q.text, q.n); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	for name, after := range map[string]uint64{"first": 0, "next": 9_900} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				if _, _, err := s.StatusSince(b.Context(), after, after, func(status.Slot) { n++ }); err != nil || n != 10_000-int(after) {
					b.Fatal(n, err)
				}
			}
		})
	}
}
