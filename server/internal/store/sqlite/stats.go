package sqlite

import (
	"time"

	"github.com/jotsmith/jotsmith/server/internal/timing"
)

type counters struct{ batches, latency *timing.Histogram }

func newCounters() counters {
	return counters{timing.NewHistogram(1, 2, 4, 8, 16, 32, 64, 128, 256), timing.NewLatency()}
}

func (c counters) observe(callers int, start time.Time) {
	c.batches.Observe(float64(callers))
	c.latency.Since(start)
}

// Stats say what the writer has done since the store was opened.
type Stats struct {
	Batches      timing.Snapshot // transitions that shared a transaction
	Transactions timing.Snapshot // seconds from a transaction's beginning to its commit
	Waiting      int             // transitions that wait for the writer now
}

// Stats may be called at any time.
func (s *Store) Stats() Stats {
	return Stats{s.stats.batches.Snapshot(), s.stats.latency.Snapshot(), len(s.jobs)}
}
