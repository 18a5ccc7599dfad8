package load

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// A Report says what was measured so far, or in all.
type Report struct {
	Elapsed     time.Duration
	Connections int
	Rate        float64 // that was asked for; 0 is a closed loop
	Ops         []OpReport
	All         OpReport

	// Late is how many operations of a rate should have begun and had not when
	// it ended: no connection was free.
	Late int64
}

// An OpReport says what was measured of one kind of operation. Count and times
// are those of successes.
type OpReport struct {
	Name      string
	Count     int64
	Failed    int64
	PerSecond float64
	Errors    []Errors // most frequent first
	Times     Times
}

// Errors are failures of one kind.
type Errors struct {
	Code  string // such as "429 rate_limited", or what kept an answer from coming
	Count int64
}

// A tally counts one kind of operation.
type tally struct {
	name  string
	times histogram

	mu     sync.Mutex
	errors map[string]int64
}

func newTally(name string) *tally { return &tally{name: name, errors: map[string]int64{}} }

// maxCodes bounds what is told apart of errors.
const maxCodes = 32

func (t *tally) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	code := codeOf(err)
	if _, known := t.errors[code]; !known && len(t.errors) >= maxCodes {
		code = "others"
	}
	t.errors[code]++
}

// A Refusal is an answer that is not the one that was asked for.
type Refusal struct {
	Status int
	Code   string // of the problem document or of OAuth; may be empty
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Code) }

func codeOf(err error) string {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Error()
	}
	if e, ok := errors.AsType[*noAnswer](err); ok {
		return e.what
	}
	return err.Error()
}

// answered says whether the server did answer.
func answered(err error) bool {
	_, ok := errors.AsType[*noAnswer](err)
	return !ok
}

func (r *run) report() Report {
	elapsed := time.Since(r.began)
	out := Report{Elapsed: elapsed, Connections: r.Connections, Rate: r.Rate, All: OpReport{Name: "all"}}
	every := map[string]int64{}
	for _, t := range r.tally {
		t.mu.Lock()
		failures := maps.Clone(t.errors)
		t.mu.Unlock()
		op := OpReport{Name: t.name, Times: t.times.snapshot()}
		op.complete(failures, elapsed)
		out.Ops = append(out.Ops, op)
		out.All.Times = out.All.Times.plus(op.Times)
		for code, n := range failures {
			every[code] += n
		}
	}
	out.All.complete(every, elapsed)
	if r.Rate > 0 {
		due := int64(min(elapsed, r.Duration).Seconds() * r.Rate)
		out.Late = max(due-r.begun.Load(), 0)
	}
	return out
}

func (o *OpReport) complete(failures map[string]int64, elapsed time.Duration) {
	o.Count = o.Times.Count()
	o.PerSecond = float64(o.Count) / elapsed.Seconds()
	for code, n := range failures {
		o.Failed += n
		o.Errors = append(o.Errors, Errors{code, n})
	}
	slices.SortFunc(o.Errors, func(a, b Errors) int {
		if a.Count != b.Count {
			return int(b.Count - a.Count)
		}
		if a.Code < b.Code {
			return -1
		}
		return 1
	})
}
