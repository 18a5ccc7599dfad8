// Package guard protects net/http handlers with access tokens: it takes the
// token out of a request, as a bearer token (RFC 6750 §2.1) unless told of other
// places, verifies it, asks the rules of package authz, and answers whoever may
// not pass.
//
//	g, err := guard.New(ctx, guard.Config{Issuer: "https://auth.example.com", Audience: "https://tasks.example.com"})
//	…
//	mux.Handle("GET /tasks", g.HandlerFunc(listTasks, authz.Scope("tasks:read")))
//
// Keys and revocations are found through the issuer's metadata and followed in
// the background until Close; no request waits for them, and a warm token takes
// no lock. A decision is [Guard.Check], an answer [Guard.Refuse]; Handler is
// the two of them around a handler.
//
// For browsers there are [CORS], which stands around a guard; Config.Cookie, with
// a defence against forged requests (CSRF); [Guard.Stream], which ends with its
// token, and [Guard.Tickets] for those who open one without a header. Config.Resource
// lets clients find the issuer by themselves (RFC 9728).
//
// It refuses to read tokens from a query or a form, and from a cookie unless it
// is told its name; to choose among several tokens; to let a cookie change
// something for a page of another origin; to tell a caller why a token is bad
// (the log knows, by the id in the answer); to write any part of a token anywhere;
// and to pass a request on while it cannot tell whether the token has been
// revoked, unless a Dangerously… field says so. Tokens outside of HTTP are for
// [Guard.CheckToken].
package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/internal/fetch"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

// Config says whose tokens to accept. Issuer and Audience are required, or else
// Verifier alone.
type Config struct {
	Issuer   string // as its metadata spells it: https, or http on loopback
	Audience string // this API's name, as tokens spell it

	// Decryption, if given, are this API's keys, and its tokens must then be
	// encrypted for one of them; as jwt.Policy.Decryption. To change keys, have
	// both here until no token lives that was encrypted for the old one.
	Decryption jwt.DecryptionKeys

	// Verifier takes the place of Issuer and Audience: a ready one, for
	// programs that have keys and revocations at hand, or that take the tokens
	// of several issuers. Nothing is fetched.
	Verifier *jwt.Verifier

	// Cookie and Header name further places where the token may be, besides
	// Authorization: a cookie, and a header that holds the bare token. More than
	// one token in a request is refused, wherever they are.
	Cookie string
	Header string

	// TrustedOrigins are the pages of other origins, spelled as in CORS, that may
	// change something with nothing but the cookie; our own may. Whatever could
	// change something and comes from elsewhere with the cookie is refused.
	TrustedOrigins []string
	// CSRFKey is for clients that say with neither Sec-Fetch-Site nor Origin where
	// they are: they need a token of Guard.CSRFToken. At least 32 random bytes.
	// Without it such a client cannot change anything by cookie.
	CSRFKey []byte

	// Resource, if set, is what ResourceMetadata publishes and challenges refer to.
	Resource *Resource

	MaxStale time.Duration // how long to go on without the revocation feed; default 60 s, at least 2 s
	Leeway   time.Duration // for clocks that differ; as jwt.Policy.Leeway
	Client   *http.Client  // nil: one that dials private addresses only for the issuer's own origin, and no proxy
	Log      *slog.Logger  // nil: slog.Default()

	// Observe, if set, sees each decision as it is made; it must return soon.
	Observe func(r *http.Request, o Observation)

	// OnRevocations, if set, sees each document of the feed that was accepted.
	OnRevocations func(d *revocation.Document)

	// DangerouslyIgnoreRevocation is for issuers that have no feed: tokens live
	// until they expire, whatever happens.
	DangerouslyIgnoreRevocation bool

	// DangerouslyFailOpen lets tokens live until they expire while the feed
	// cannot be read.
	DangerouslyFailOpen bool
}

// Observation is one decision. When a rule denied a good token, both Token and
// Err are set.
type Observation struct {
	Token *jwt.Token
	Err   error
	Took  time.Duration // of verification; 0 if there was nothing to verify
	Warm  bool          // the signature had been verified before
}

// Guard protects handlers. It is safe for concurrent use.
type Guard struct {
	c        Config
	realm    string
	header   string // c.Header as net/http spells it
	resource *resource
	client   *http.Client
	verifier atomic.Pointer[jwt.Verifier] // nil until keys and revocations are there

	trusted     origins
	crossOrigin http.CrossOriginProtection
	tickets     tickets

	cancel context.CancelFunc
	work   sync.WaitGroup
	ready  chan struct{}
	broken chan error            // a fault that waiting cannot mend
	stuck  atomic.Pointer[error] // what connecting is waiting for
	feed   atomic.Pointer[revocation.Follower]
}

// New builds a Guard and waits until it has metadata, keys and revocations. Its
// error says what was missing when ctx ended; give it a deadline. Close ends
// the background work.
func New(ctx context.Context, c Config) (*Guard, error) {
	g, err := NewLazy(c)
	if err != nil {
		return nil, err
	}
	select {
	case <-g.ready:
		return g, nil
	case err = <-g.broken:
	case <-ctx.Done():
		err = g.waitingFor(ctx)
	}
	g.Close()
	return nil, err
}

// NewLazy builds a Guard that starts at once. Until it has metadata, keys and
// revocations it answers 503 keys_unavailable to every request with a token.
func NewLazy(c Config) (*Guard, error) {
	trusted, faults := c.checkCSRF()
	resource, more := c.newResource()
	faults = slices.Concat([]error{c.check()}, c.checkExtraction(), faults, more)
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	c.CSRFKey = slices.Clone(c.CSRFKey)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Guard{
		c: c, realm: c.Audience, resource: resource, trusted: trusted,
		client: c.Client, cancel: cancel, ready: make(chan struct{}), broken: make(chan error, 1),
	}
	if c.Header != "" {
		g.header = http.CanonicalHeaderKey(c.Header)
	}
	if c.Verifier != nil {
		g.realm = "api"
		g.verifier.Store(c.Verifier)
		close(g.ready)
		return g, nil
	}
	if g.client == nil {
		var err error
		if g.client, err = fetch.Client(c.Issuer); err != nil {
			cancel()
			return nil, fmt.Errorf("guard: issuer %w", err)
		}
	}
	g.work.Go(func() { g.run(ctx) })
	return g, nil
}

func (c *Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Verifier != nil {
		if c.Issuer != "" || c.Audience != "" || c.Decryption != nil || c.MaxStale != 0 || c.Leeway != 0 || c.Client != nil || c.OnRevocations != nil ||
			c.DangerouslyIgnoreRevocation || c.DangerouslyFailOpen {
			fault("Verifier decides by itself: Issuer, Audience, Decryption, MaxStale, Leeway, Client, OnRevocations and Dangerously… must be empty beside it")
		}
		return errors.Join(faults...)
	}
	if err := fetch.CheckURL(c.Issuer); err != nil {
		fault("Issuer %w", err)
	}
	// The audience stands in challenges; a URI needs no character that would have
	// to be escaped there.
	if c.Audience == "" || strings.Contains(c.Audience, " ") || !quotable(c.Audience) {
		fault("Audience %q must be this API's name, a URI such as https://tasks.example.com: without it, tokens for other APIs would be accepted", c.Audience)
	}
	if keys := reflect.ValueOf(c.Decryption); keys.Kind() == reflect.Pointer && keys.IsNil() {
		fault("Decryption holds a nil pointer")
	}
	if c.MaxStale != 0 && c.MaxStale < 2*time.Second {
		fault("MaxStale is %v, must be at least 2s", c.MaxStale)
	}
	if c.Leeway > 10*time.Minute {
		fault("Leeway is %v, must be at most 10m", c.Leeway)
	}
	if c.DangerouslyIgnoreRevocation && (c.DangerouslyFailOpen || c.MaxStale != 0 || c.OnRevocations != nil) {
		fault("DangerouslyIgnoreRevocation leaves no feed for MaxStale, OnRevocations and DangerouslyFailOpen to speak of")
	}
	return errors.Join(faults...)
}

// Close ends the background work and waits for it. Requests that still come are
// decided by what is known, until that is stale.
func (g *Guard) Close() {
	g.cancel()
	g.work.Wait()
	if g.c.Client == nil && g.client != nil {
		g.client.CloseIdleConnections()
	}
}

// FeedAge is the time since the revocation feed was last confirmed, for metrics:
// near MaxStale the guard is about to answer 503. ok is false where there is no
// feed, or it has not been read to its end yet.
func (g *Guard) FeedAge() (age time.Duration, ok bool) {
	feed := g.feed.Load()
	if feed == nil {
		return 0, false
	}
	select {
	case <-feed.Ready():
		return feed.Age(), true
	default:
		return 0, false
	}
}

// Handler lets requests through to h that carry a good token and satisfy every
// rule, and answers the others. Inside h, [Token] returns the token. Without
// rules, any good token passes.
func (g *Guard) Handler(h http.Handler, rules ...authz.Rule) http.Handler {
	mustBeRules(rules)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, err := g.Check(r, rules...)
		if err != nil {
			g.Refuse(w, r, err)
			return
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, t)))
	})
}

func mustBeRules(rules []authz.Rule) {
	for _, rule := range rules {
		if rule == nil {
			panic("guard: nil rule")
		}
	}
}

// HandlerFunc is [Guard.Handler] for a function.
func (g *Guard) HandlerFunc(h http.HandlerFunc, rules ...authz.Rule) http.Handler {
	return g.Handler(h, rules...)
}

type tokenKey struct{}

// Token returns the verified token of a request that came through
// [Guard.Handler] or [Guard.Stream], and nil for any other.
func Token(r *http.Request) *jwt.Token {
	t, _ := r.Context().Value(tokenKey{}).(*jwt.Token)
	return t
}
