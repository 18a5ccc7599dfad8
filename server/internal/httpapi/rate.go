package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
)

// A Limiter counts in buckets; see shared.Memory.
type Limiter interface {
	// Take takes one token out of the bucket of that name, which holds burst
	// tokens and gets one back each every, or says how long until there is one.
	// left is how many are in it then.
	Take(ctx context.Context, name string, burst int, every time.Duration) (left int, wait time.Duration, err error)
}

// A Rate is how often whoever it counts may ask: burst times at once, and once
// each every from then on. Wrong passwords are counted apart, and far more
// strictly (see account.Throttled).
type Rate struct {
	name   string
	burst  int
	every  time.Duration
	policy string // RateLimit-Policy
}

func newRate(name string, burst int, every time.Duration) *Rate {
	return &Rate{name, burst, every, ratePolicy(name, burst, every)}
}

// The rates are ceilings: far beyond what one of those whom they count needs,
// and a part of what a node can answer, so that nobody takes all of it.
var (
	// Address counts what anybody may ask of a node before it is known who they
	// are. Many thousands of apps may stand behind one address.
	Address = newRate("address", 100_000, 200*time.Microsecond)

	// LogIn counts log-ins by address, each of which costs a password hash.
	LogIn = newRate("login", 1000, 20*time.Millisecond)

	// Password counts changes of one account's password: two hashes each.
	Password = newRate("password", 30, 10*time.Second)

	// Session counts the refreshes of one session.
	Session = newRate("session", 10_000, 5*time.Millisecond)

	// Account counts what an account does to itself and its sessions.
	Account = newRate("account", 1000, 20*time.Millisecond)

	// Client counts tokens and introspections by who asks for them.
	Client = newRate("client", 100_000, 200*time.Microsecond)

	// Admin counts acts of administration by who performs them.
	Admin = newRate("admin", 5000, 5*time.Millisecond)

	// Feed counts who asks for revocations, by address. A follower asks once for
	// each revocation while they come one by one, and else every 25 s; so this
	// is far beyond what hundreds of guards behind one address need.
	Feed = newRate("feed", 10_000, time.Millisecond)
)

// Take counts a request to who, and refuses it where that has asked too often.
// The answer says how many more there may be ("RateLimit header fields for
// HTTP", an Internet-Draft of the IETF's httpapi group).
func (c *Call) Take(r *http.Request, rate *Rate, who string) error {
	s := c.shell
	if s.Limiter == nil || contains(s.Exempt, c.Address) {
		return nil
	}
	left, wait, err := s.Limiter.Take(r.Context(), rate.name+"\x00"+who, rate.burst, rate.every)
	if err != nil {
		return fmt.Errorf("counting requests: %w", err)
	}
	until := wait
	if wait == 0 {
		until = time.Duration(rate.burst-left) * rate.every
	}
	c.tellRate(rate.name, rate.policy, left, until)
	if wait > 0 {
		return &overRate{rate.name, wait}
	}
	return nil
}

// TakeAddress is Take by the client's address: a /24 of IPv4, a /64 of IPv6.
func (c *Call) TakeAddress(r *http.Request, rate *Rate) error {
	return c.Take(r, rate, account.Origin(c.Address).String())
}

// Counted is who holds what there are few of at a time: the client's address, as
// TakeAddress counts it, or "" where nobody counts its requests.
func (c *Call) Counted() string {
	if contains(c.shell.Exempt, c.Address) {
		return ""
	}
	return account.Origin(c.Address).String()
}

// TooMany refuses a request because who asks has enough of something; one of them
// may be free after the given time.
func TooMany(of string, wait time.Duration) error { return &overRate{of, wait} }

// tellRate adds to the answer how a bucket stands: what is left of it, and when
// it is full again or, where it is empty, has one.
func (c *Call) tellRate(name, policy string, left int, until time.Duration) {
	h := c.Header()
	b := make([]byte, 0, 48)
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, `";r=`...)
	b = strconv.AppendInt(b, int64(left), 10)
	b = append(b, ";t="...)
	b = strconv.AppendInt(b, int64(wholeSeconds(until)), 10)
	if told := h["Ratelimit"]; told != nil { // a list (RFC 9651 §3.1), in one line
		told[0] += ", " + string(b)
		h["Ratelimit-Policy"][0] += ", " + policy
		return
	}
	h["Ratelimit-Policy"] = []string{policy}
	h["Ratelimit"] = []string{string(b)}
}

// ratePolicy: so many in the time in which as many come back.
func ratePolicy(name string, burst int, every time.Duration) string {
	return `"` + name + `";q=` + strconv.Itoa(burst) + ";w=" + strconv.Itoa(wholeSeconds(time.Duration(burst)*every))
}

func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// overRate says that whoever a rate counts has asked too often.
type overRate struct {
	rate string
	wait time.Duration
}

func (o *overRate) Error() string {
	return fmt.Sprintf("too many requests: rate %s, next in %v", o.rate, o.wait.Round(time.Millisecond))
}

func contains(all []netip.Prefix, a netip.Addr) bool {
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
