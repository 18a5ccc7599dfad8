// Package timing says where the time of one request went: to the password
// hash, to the queue before it, to the store. Whoever spends it notes it in the
// record that the request's context carries; the log of slow requests and the
// traces are made from that. It has the histogram of whoever counts how long
// something takes, too. The package decides nothing and knows neither Prometheus
// nor OpenTelemetry (see metrics and traces).
package timing

import (
	"context"
	"sync"
	"time"
)

// A Part is what a stretch of a request's time was spent on.
type Part uint8

// The parts.
const (
	Queue Part = iota // waiting for a slot to hash a password in
	Hash              // hashing a password
	Store             // waiting for the store, its commits included
	parts
)

var names = [parts]string{Queue: "queue", Hash: "hash", Store: "store"}

func (p Part) String() string { return names[p] }

// A Stretch is one part from its beginning to its end.
type Stretch struct {
	Part  Part
	Began time.Time
	Took  time.Duration
}

// maxStretches bounds what one request may keep; what comes later is only added
// up.
const maxStretches = 8

// A Record is of one request. The zero Record is empty.
type Record struct {
	mu   sync.Mutex
	sums [parts]time.Duration
	kept [maxStretches]Stretch
	n    int
}

type key struct{}

// NewContext answers a context that carries r.
func NewContext(ctx context.Context, r *Record) context.Context {
	return context.WithValue(ctx, key{}, r)
}

// A Running stretch has begun with [Start].
type Running struct {
	r     *Record
	part  Part
	began time.Time
}

// Start begins a stretch of the request that ctx belongs to. Where that is
// none, nothing is measured.
func Start(ctx context.Context, p Part) Running {
	r, _ := ctx.Value(key{}).(*Record)
	if r == nil {
		return Running{}
	}
	return Running{r, p, time.Now()}
}

// End notes the stretch.
func (s Running) End() {
	if s.r != nil {
		s.r.add(Stretch{s.part, s.began, time.Since(s.began)})
	}
}

func (r *Record) add(s Stretch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sums[s.Part] += s.Took
	if r.n < maxStretches {
		r.kept[r.n] = s
		r.n++
	}
}

// Spent is how long the request has spent on p.
func (r *Record) Spent(p Part) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sums[p]
}

// Stretches are the first ones of the request, in the order in which they
// ended.
func (r *Record) Stretches() []Stretch {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Stretch(nil), r.kept[:r.n]...)
}

// All names every part.
func All() []Part { return []Part{Queue, Hash, Store} }
