package timing

import (
	"slices"
	"sync/atomic"
	"time"
)

// A Histogram counts values in buckets. It may be used by many goroutines.
type Histogram struct {
	bounds []float64
	counts []atomic.Uint64 // one more than bounds
	micros atomic.Int64    // sum, in millionths
}

// NewHistogram makes a histogram of values up to and including each of bounds,
// which rise.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// NewLatency makes a histogram of seconds, from a quarter of a millisecond to
// half a minute.
func NewLatency() *Histogram { return NewHistogram(latencies...) }

var latencies = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Observe counts v, which is not negative.
func (h *Histogram) Observe(v float64) {
	i, _ := slices.BinarySearch(h.bounds, v)
	h.counts[i].Add(1)
	h.micros.Add(int64(v * 1e6))
}

// Since counts the seconds since start.
func (h *Histogram) Since(start time.Time) { h.Observe(time.Since(start).Seconds()) }

// A Snapshot is what a histogram held at one moment.
type Snapshot struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64 // how many values were at most so large
}

// Snapshot answers what was counted. What is counted meanwhile may be missing.
func (h *Histogram) Snapshot() Snapshot {
	s := Snapshot{Buckets: make(map[float64]uint64, len(h.bounds)), Sum: float64(h.micros.Load()) / 1e6}
	for i := range h.counts {
		s.Count += h.counts[i].Load()
		if i < len(h.bounds) {
			s.Buckets[h.bounds[i]] = s.Count
		}
	}
	return s
}
