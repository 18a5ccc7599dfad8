package sqlite

import (
	"context"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/session"
)

// Sweeping gives way: while many sessions that ended long ago are deleted, those
// that live are refreshed about as fast as without it. JOTSMITH_SWEEP says of
// how many; a few thousand by default.
func TestSweepGivesWay(t *testing.T) {
	n := 5_000
	if s := os.Getenv("JOTSMITH_SWEEP"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	path, ids := filled(t, n+1000)
	s := open(t, Config{Path: path})
	defer s.Close()
	// All but the last thousand ended ten days ago.
	slices.Sort(ids)
	if err := s.do(t.Context(), func(t *tx) error {
		_, err := t.exec(`UPDATE session SET ended_at = ?1, end_reason = 'test' WHERE id < ?2`, micros(t.now.Add(-240*time.Hour)), string(ids[n]))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	living := ids[n:]
	refresh := func(over <-chan struct{}) (took []time.Duration) {
		for i := 0; ; i++ {
			select {
			case <-over:
				return took
			default:
			}
			began := time.Now()
			if err := s.RefreshSession(t.Context(), living[i%len(living)], func(session.Row, time.Time) (session.Step, error) {
				return session.Step{Rotate: true, MACKey: "00000002", Address: "192.0.2.2"}, nil
			}); err != nil {
				t.Error(err)
				return took
			}
			took = append(took, time.Since(began))
		}
	}
	alone, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	before := refresh(alone.Done())

	swept := make(chan struct{})
	deleted, steps := 0, 0
	began := time.Now()
	go func() {
		defer close(swept)
		for {
			step := time.Now()
			gone, err := s.Sweep(t.Context(), 7*24*time.Hour, 200)
			if err != nil {
				t.Error(err)
			}
			if err != nil || len(gone) == 0 {
				return
			}
			deleted += gone["session"]
			steps++
			time.Sleep(min(4*time.Since(step), time.Second)) // as the server does
		}
	}()
	during := refresh(swept)
	took := time.Since(began)
	if deleted != n {
		t.Errorf("%d deleted, want %d", deleted, n)
	}
	at := func(all []time.Duration, percent int) time.Duration {
		all = slices.Sorted(slices.Values(all))
		return all[(len(all)-1)*percent/100]
	}
	t.Logf("%d sessions swept in %v and %d steps; a refresh takes %v (p99 %v, most %v), without %v (p99 %v, most %v)", deleted, took.Round(time.Millisecond), steps,
		at(during, 50), at(during, 99), at(during, 100), at(before, 50), at(before, 99), at(before, 100))
	if m, w := at(during, 50), at(before, 50); m > 3*w+5*time.Millisecond {
		t.Errorf("the median refresh takes %v while sweeping, %v otherwise", m, w)
	}
	if most := at(during, 100); most > 2*time.Second {
		t.Errorf("a refresh was held up for %v", most)
	}
}

// A step of sweeping ends in time, whatever its limit.
func TestSweepEndsInTime(t *testing.T) {
	t.Parallel()
	const n = 20_000
	path, _ := filled(t, n)
	s := open(t, Config{Path: path})
	deleted, err := s.Sweep(t.Context(), -31*24*time.Hour, n) // all of them have ended by then
	if err != nil {
		t.Fatal(err)
	}
	if gone := deleted["session"]; gone < sweepRows || gone >= n {
		t.Errorf("%d of %d deleted at once", gone, n)
	}
}
