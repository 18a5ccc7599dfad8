// Package load asks a token server for much and measures how fast the answers
// come: how many a second, how long each took, and what went wrong. [Run] does
// operations of any kind on a bounded number of connections, in a closed loop or
// at a rate; a [Target] knows the operations of this server, makes the accounts
// that they need, and ends what it made.
//
// It decides nothing about whom it may ask: that is for whoever calls it. It
// keeps counts and no single measurement, so that its memory does not grow with
// the time.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds of a run.
const (
	MaxConnections = 512
	MaxDuration    = 24 * time.Hour
	MaxRate        = 100_000 // operations a second
	maxWeight      = 1000
)

// An Op is one kind of operation. Its functions are called for each connection
// from one goroutine at a time.
type Op struct {
	Name   string
	Weight int // how often it is done, in proportion to others; 1 to 1000

	// Before and After, which may be nil, get ready and clean up; their time
	// does not count. An error of Before counts as one of the operation.
	Before func(ctx context.Context, connection int) error
	Do     func(ctx context.Context, connection int) error
	After  func(ctx context.Context, connection int)
}

// A Config says what is done, how often and for how long.
type Config struct {
	Ops         []Op
	Connections int           // 1 to MaxConnections
	Duration    time.Duration // up to MaxDuration; 0 with Count
	Count       int64         // so many operations at most; 0: as many as there is time for

	// Rate is how many operations a second begin, whether earlier ones were
	// answered or not, up to MaxRate. Each is measured from when it should have
	// begun, so that what a slow answer keeps waiting counts as slow too. 0: each
	// connection begins its next when it has its answer.
	Rate float64

	// Watch, which may be nil, is told every second how it stands.
	Watch func(Report)
}

// Validate reports every fault of c.
func (c Config) Validate() error {
	var faults []error
	within := func(what string, ok bool, bounds string) {
		if !ok {
			faults = append(faults, fmt.Errorf("%s: %s", what, bounds))
		}
	}
	within("operations", len(c.Ops) > 0, "at least one")
	for _, op := range c.Ops {
		within("weight of "+op.Name, op.Weight >= 1 && op.Weight <= maxWeight, fmt.Sprintf("1 to %d", maxWeight))
	}
	within("connections", c.Connections >= 1 && c.Connections <= MaxConnections, fmt.Sprintf("1 to %d", MaxConnections))
	within("duration", c.Duration > 0 && c.Duration <= MaxDuration || c.Duration == 0 && c.Count > 0, fmt.Sprintf("more than 0, at most %v", MaxDuration))
	within("count", c.Count >= 0, "not negative")
	within("rate", c.Rate >= 0 && c.Rate <= MaxRate, fmt.Sprintf("0 to %d operations a second", MaxRate))
	return errors.Join(faults...)
}

// lingers is how long answers are waited for after a run was cut short.
const lingers = 3 * time.Second

// Run does what c says until the time is over or ctx ends, and reports what was
// measured. What is under way at the end is waited for, and counts.
func Run(ctx context.Context, c Config) (Report, error) {
	if err := c.Validate(); err != nil {
		return Report{}, err
	}
	r := newRun(c)
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lingers, cancel) })()
	if c.Duration > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(ctx, r.began.Add(c.Duration))
		defer stop()
	}
	var connections sync.WaitGroup
	for i := range c.Connections {
		connections.Go(func() { r.connection(ctx, working, i) })
	}
	done := make(chan struct{})
	go func() { connections.Wait(); close(done) }()
	r.watch(done)
	return r.report(), nil
}

// A run is what is counted while it runs.
type run struct {
	Config
	began time.Time
	turns []int // weighted choice: which operation each number means
	tally []*tally
	begun atomic.Int64
}

func newRun(c Config) *run {
	r := &run{Config: c, began: time.Now()}
	for i, op := range c.Ops {
		r.tally = append(r.tally, newTally(op.Name))
		for range op.Weight {
			r.turns = append(r.turns, i)
		}
	}
	return r
}

// connection does one operation after the other.
func (r *run) connection(ctx, working context.Context, i int) {
	for ctx.Err() == nil {
		n := r.begun.Add(1) - 1
		if r.Count > 0 && n >= r.Count {
			return
		}
		due := time.Time{}
		if r.Rate > 0 {
			due = r.began.Add(time.Duration(float64(n) / r.Rate * float64(time.Second)))
			if r.Duration > 0 && due.Sub(r.began) >= r.Duration {
				return
			}
		}
		which := r.turns[rand.IntN(len(r.turns))]
		r.do(ctx, working, i, r.Ops[which], r.tally[which], due)
	}
}

// do does one operation, which begins when it is due.
func (r *run) do(ctx, working context.Context, i int, op Op, t *tally, due time.Time) {
	if op.Before != nil {
		if err := op.Before(working, i); err != nil {
			t.failed(err)
			rest(ctx, time.Now().Add(pause))
			return
		}
	}
	if !rest(ctx, due) {
		return
	}
	began := time.Now()
	if !due.IsZero() {
		began = due
	}
	err := op.Do(working, i)
	took := time.Since(began)
	switch {
	case err == nil:
		t.times.add(took)
	case working.Err() == nil: // else it was us who hung up
		t.failed(err)
		if !answered(err) { // nobody is there: do not spin
			rest(ctx, time.Now().Add(pause))
		}
	}
	if op.After != nil && err == nil {
		op.After(working, i)
	}
}

// pause is how long a connection waits when there is no answer at all.
const pause = 50 * time.Millisecond

// rest waits until then; false where ctx ended before.
func rest(ctx context.Context, then time.Time) bool {
	d := time.Until(then)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// watch tells how it stands until it is done.
func (r *run) watch(done <-chan struct{}) {
	if r.Watch == nil {
		<-done
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.Watch(r.report())
		case <-done:
			return
		}
	}
}
