package metrics

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// A Traffic counts requests. It may be used by many goroutines; the zero
// Traffic has counted none.
type Traffic struct {
	inFlight atomic.Int64
	routes   sync.Map // pattern → *route
	known    atomic.Int64
	limited  sync.Map // rate → *atomic.Int64
}

type route struct {
	method, path string
	classes      [6]atomic.Int64 // by the first digit of the status; 0: no answer
	seconds      *timing.Histogram
}

// maxRoutes is more than there are. The rest of a program that made patterns
// out of requests would be counted together.
const maxRoutes = 500

// Began counts a request that is under way.
func (t *Traffic) Began() { t.inFlight.Add(1) }

// Answered counts an answer: pattern is that of the route, "METHOD /path", and
// empty where none matched. Status 0 is none.
func (t *Traffic) Answered(pattern string, status int, took time.Duration) {
	t.inFlight.Add(-1)
	r := t.route(pattern)
	class := status / 100
	if class < 0 || class >= len(r.classes) {
		class = 0
	}
	r.classes[class].Add(1)
	r.seconds.Observe(took.Seconds())
}

func (t *Traffic) route(pattern string) *route {
	if r, ok := t.routes.Load(pattern); ok {
		return r.(*route)
	}
	if t.known.Load() >= maxRoutes {
		pattern = ""
	}
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = "", pattern
	}
	made, loaded := t.routes.LoadOrStore(pattern, &route{method: method, path: path, seconds: timing.NewLatency()})
	if !loaded {
		t.known.Add(1)
	}
	return made.(*route)
}

// Limited counts a request that was refused since there were too many; rate
// says by which count.
func (t *Traffic) Limited(rate string) {
	n, ok := t.limited.Load(rate)
	if !ok {
		n, _ = t.limited.LoadOrStore(rate, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

func (t *Traffic) eachRoute(f func(*route)) {
	t.routes.Range(func(_, r any) bool {
		f(r.(*route))
		return true
	})
}

func (t *Traffic) eachLimited(f func(rate string, n int64)) {
	t.limited.Range(func(rate, n any) bool {
		f(rate.(string), n.(*atomic.Int64).Load())
		return true
	})
}

func (r *route) class(i int) string {
	if i == 0 {
		return "none"
	}
	return strconv.Itoa(i) + "xx"
}
