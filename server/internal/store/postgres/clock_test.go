package postgres

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

func TestClock(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var wall time.Time
	var elapsed time.Duration
	begin := func() *clock {
		c := newClock(func() time.Time { return wall }, quiet)
		c.elapsed = func() time.Duration { return elapsed }
		wall, elapsed = noon.Add(-5*time.Minute), time.Hour // five minutes slow
		c.set(elapsed, wall, noon, noon)
		return c
	}
	pass := func(d time.Duration) { wall, elapsed = wall.Add(d), elapsed+d }
	says := func(c *clock, want time.Time) {
		t.Helper()
		if got, err := c.now(); err != nil || !got.Equal(want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	stops := func(c *clock) {
		t.Helper()
		if got, err := c.now(); !errors.Is(err, fault.ErrClock) {
			t.Errorf("%v, %v", got, err)
		}
	}

	c := begin()
	says(c, noon)
	pass(9 * time.Second)
	says(c, noon.Add(9*time.Second)) // whatever this node's clock says

	for name, jump := range map[string]func(){
		"the node's clock is set ahead": func() { wall = wall.Add(5 * time.Minute) },
		"it is set back":                func() { wall = wall.Add(-5 * time.Minute) },
		"the node was suspended":        func() { wall = wall.Add(time.Hour) },
	} {
		t.Log(name)
		c = begin()
		jump()
		stops(c)
		stops(c)
		if len(c.asks) != 1 {
			t.Error("nobody asks the database")
		}
		c.set(elapsed, wall, noon.Add(time.Hour), noon)
		says(c, noon.Add(time.Hour))
	}
	c = begin()
	wall = wall.Add(drift) // as when it is corrected bit by bit
	says(c, noon)

	// The database's own clock goes back, and catches up.
	c = begin()
	says(c, noon)
	c.set(elapsed, wall, noon.Add(-drift), noon)
	says(c, noon)
	c.set(elapsed, wall, noon.Add(-time.Minute), noon)
	stops(c)
	pass(time.Minute)
	says(c, noon)
	// It is behind what another node has seen.
	c = begin()
	c.set(elapsed, wall, noon, noon.Add(time.Minute))
	stops(c)
	// It jumps ahead, and is followed.
	c = begin()
	c.set(elapsed, wall, noon.Add(time.Hour), noon.Add(time.Hour))
	says(c, noon.Add(time.Hour))
}

// A node whose clock is five minutes off, from the start or all of a sudden,
// works in the store's time.
func TestNodesClockFiveMinutesOff(t *testing.T) {
	t.Parallel()
	p := realtest.SharedPostgres(t)
	url := p.NewDatabase(t)
	var off atomic.Int64
	off.Store(int64(5 * time.Minute))
	s := open(t, Config{URL: url, wall: func() time.Time { return time.Now().Add(time.Duration(off.Load())) }})
	right := open(t, Config{URL: url})
	same := func() {
		t.Helper()
		end := time.Now().Add(10 * time.Second)
		for {
			here, err := s.Now()
			there, err2 := right.Now()
			if errors.Is(err, fault.ErrClock) && time.Now().Before(end) { // being measured again
				continue
			}
			if d := there.Sub(here); err != nil || err2 != nil || d < -time.Second || d > time.Second {
				t.Errorf("%v apart, %v, %v", d, err, err2)
			}
			return
		}
	}
	same()
	off.Store(int64(-5 * time.Minute))
	if _, err := s.Now(); !errors.Is(err, fault.ErrClock) {
		t.Errorf("just after it was set: %v", err)
	}
	same()
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
