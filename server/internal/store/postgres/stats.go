package postgres

import (
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/timing"
)

type counters struct {
	retries   atomic.Int64
	uncertain atomic.Int64
	waiting   atomic.Int64
	latency   *timing.Histogram
}

// Stats say what this node has seen of the database since it was opened.
type Stats struct {
	Retries   int64 // transitions that were run again because others were faster or a connection was lost
	Uncertain int64 // commits whose answer was lost

	Transactions timing.Snapshot // seconds that transitions took, with all their attempts

	Connections, Busy int64 // now; a node has at most Most
	Most              int64
	Waiting           int64 // callers that wait for a connection now
	Opened            int64 // connections, in all
	Waits             int64 // how often somebody waited for a connection
	Waited            time.Duration
}

// Stats may be called at any time.
func (s *Store) Stats() Stats {
	p := s.pool.Stat()
	return Stats{
		Transactions: s.stats.latency.Snapshot(),
		Retries:      s.stats.retries.Load(), Uncertain: s.stats.uncertain.Load(),
		Connections: int64(p.TotalConns()), Busy: int64(p.AcquiredConns()), Most: int64(p.MaxConns()),
		Waiting: s.stats.waiting.Load(), Opened: p.NewConnsCount(),
		Waits: p.EmptyAcquireCount(), Waited: p.EmptyAcquireWaitTime(),
	}
}
