package postgres

import (
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// The database knows nothing yet of a list that was begun just now, and may take
// it for one with few entries.
func TestStatusListUnknownToThePlanner(t *testing.T) {
	t.Parallel()
	s := open(t, Config{URL: realtest.SharedPostgres(t).NewDatabase(t)})
	for _, q := range []string{
		`UPDATE feed_head SET n = 40000`,
		`INSERT INTO fact SELECT i, 1, 's' || i, 0, 1 FROM generate_series(1, 40000) i`,
		`INSERT INTO status_entry SELECT 'old', i, 't' || i, 'x' || i, '', 1, 1 FROM generate_series(1, 40000) i`,
		`ANALYZE`,
		`INSERT INTO status_entry SELECT 'new', i, 't' || i, 's' || 2 * i, '', 1, 1 FROM generate_series(1, 40000) i`,
	} {
		if _, err := s.pool.Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	revoked := 0
	if _, _, err := s.StatusSince(t.Context(), 0, 0, func(status.Slot) { revoked++ }); err != nil || revoked != 20_000 {
		t.Errorf("%d revoked, %v", revoked, err)
	}
}
