package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// An Observer is told of every request.
type Observer interface {
	// Began is called when a request comes.
	Began()

	// Answered is called once it was answered, and answers the id of its trace,
	// "" where there is none.
	Answered(Answer) (trace string)

	// Limited is called where a request is refused since there were too many;
	// rate names what was used up.
	Limited(rate string)
}

// An Answer is what became of a request. Nothing of it is a word of the client
// but Parent, which is one of a proxy that is trusted.
type Answer struct {
	Pattern string // of the route, "METHOD /path"; empty where none matched
	Status  int    // 0: none, since the client had gone
	Code    string // of a refusal
	Parent  string // the traceparent header (W3C Trace Context §3.2)
	Began   time.Time
	Took    time.Duration
	Spent   *timing.Record
}

// nobody observes.
type nobody struct{}

func (nobody) Began()                 {}
func (nobody) Answered(Answer) string { return "" }
func (nobody) Limited(string)         {}

// observe tells of a request that is over.
func (s *shell) observe(c *Call, r *http.Request, began time.Time, took time.Duration) {
	a := Answer{Pattern: c.route, Status: c.status, Code: c.log.code, Began: began, Took: took, Spent: &c.spent}
	if h := r.Header["Traceparent"]; len(h) == 1 && len(h[0]) <= 128 {
		// Anybody else could fill the collector, or mix their requests with
		// those of others.
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && s.trusts(plain(peer.Addr())) {
			a.Parent = h[0]
		}
	}
	c.log.trace = s.Observer.Answered(a)
}

// limited tells of a refusal that was one for asking too often. Wrong passwords
// are counted apart from all rates.
func (s *shell) limited(err error) {
	if o, ok := errors.AsType[*overRate](err); ok {
		s.Observer.Limited(o.rate)
	} else if _, ok := errors.AsType[*account.Throttled](err); ok {
		s.Observer.Limited("wrong_passwords")
	}
}

// slow says whether a request took longer than it should, and where its time
// went as far as that is known. Who asked to wait is never slow.
func (s *shell) slow(c *Call, took time.Duration) (attrs []slog.Attr, slow bool) {
	if s.Slow <= 0 || took < s.Slow || c.waits {
		return nil, false
	}
	for _, p := range timing.All() {
		if spent := c.spent.Spent(p); spent > 0 {
			attrs = append(attrs, slog.Float64(p.String()+"_ms", milliseconds(spent)))
		}
	}
	return attrs, true
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
