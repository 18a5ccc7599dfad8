package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/metrics"
	"github.com/jotsmith/jotsmith/server/internal/mint"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/shared"
	"github.com/jotsmith/jotsmith/server/internal/status"
	"github.com/jotsmith/jotsmith/server/internal/traces"
)

// A nodeConfig is all that a token server depends on. Zero times mean the
// defaults of the packages that they are for.
type nodeConfig struct {
	fixedConfig
	liveConfig
}

// A fixedConfig stays as it is for as long as the node runs.
type fixedConfig struct {
	Dir     *dataDir // locked; the node does not close it
	Store   string   // URL of a database; "" is the file in Dir
	Shared  string   // URL of a Redis; "" means that this node counts for itself
	RootKey rootKeySource

	RootKeyMade func(path string) // told where a root key was made; may be nil

	Issuer      string
	Offline     bool          // for an operator's acts: signs nothing, registers nothing
	AccessLife  time.Duration // of access tokens for APIs that have no life of their own
	SessionIdle time.Duration
	StatusLists bool     // tokens name a status list
	Sensitive   []string // names of claims that are warned of in clear; none: those that look sensitive by default
	Keys        rotation
	Loopback    bool // listens on loopback only, so that it answers local names only

	DangerouslyAcceptClock bool
	Log                    *slog.Logger
	Tracer                 *traces.Tracer // nil: nothing is traced; the node closes it
}

// A liveConfig is what can change while the node runs.
type liveConfig struct {
	APIs         []catalog.API  // registered where they are not yet; none: the issuer, where there is no other
	Roles        []catalog.Role // registered where they are not yet
	SessionMax   time.Duration
	RefreshGrace time.Duration // negative means none
	PerAccount   int           // living sessions of one account

	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	RateExempt     []netip.Prefix // whose requests are not counted
	Slow           time.Duration  // requests that take so long are logged as warnings; 0: none are

	Origins      []string // of pages that may call the routes for browsers, beside the issuer's own
	AccessCookie bool     // log-ins with cookies get the access token in one too
}

// A node is one running token server: the domain packages around one store.
// Routes and listeners are added by who runs it. What a reload makes anew stands
// here, and all else in base, which nodes before and after a reload share.
type node struct {
	*base
	live     liveConfig
	sessions *session.Service
	admin    *admin.Service
	handler  http.Handler
}

// A base is what a node opens once.
type base struct {
	config   fixedConfig
	store    store
	ring     *keyring.Ring
	catalog  *catalog.Live
	apps     *app.Service
	accounts *account.Service
	feed     *feed.Feed
	status   *status.Lists   // of all nodes, also where this one's tokens name none
	tries    account.Limiter // how often anybody tries a password
	rates    httpapi.Limiter // how often anybody asks for anything
	shared   *shared.Redis   // nil where nothing is shared
	news     chan struct{}   // there are revocations that other nodes do not know of

	background
	swept     sweeper
	health    health
	refreshes *session.Counts
	minted    *mint.Counts
	traffic   *metrics.Traffic

	stopping context.Context
	unready  context.CancelFunc // ends readiness
	draining context.Context
	drain    context.CancelFunc // ends long-polls
	closes   []func() error     // in the order of opening
}

func newNode(c nodeConfig) *node {
	n := &node{live: c.liveConfig, base: &base{
		config: c.fixedConfig, news: make(chan struct{}, 1), swept: newSweeper(),
		refreshes: new(session.Counts), minted: new(mint.Counts), traffic: new(metrics.Traffic),
	}}
	n.stopping, n.unready = context.WithCancel(context.Background())
	n.draining, n.drain = context.WithCancel(context.Background())
	if c.Tracer != nil {
		n.closes = append(n.closes, n.closeTraces)
	}
	return n
}

// openNode opens everything and starts what runs in the background. What fails
// leaves nothing open.
func openNode(ctx context.Context, c nodeConfig) (_ *node, err error) {
	n := newNode(c)
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	if err = n.openDomain(ctx); err != nil {
		return nil, err
	}
	// Before the first request, so that no revoked token is taken.
	if err = n.feed.Look(ctx); err != nil {
		return nil, fmt.Errorf("reading the revocations: %w", err)
	}
	if err = n.openRoutes(n.ready); err != nil {
		return nil, err
	}
	n.startBackground()
	return n, nil
}

// openDomain opens the database and makes the services around it, without
// routes and without background work.
func (n *node) openDomain(ctx context.Context) (err error) {
	if err = n.openStore(ctx); err != nil {
		return err
	}
	if err = n.register(ctx); err != nil {
		return err
	}
	return n.openServices()
}

// now is the store's time.
func (n *node) now() time.Time {
	t, err := n.store.Now()
	if err != nil {
		return time.Now()
	}
	return t
}

// Close stops the background work and closes the store.
func (n *node) Close() {
	n.unready()
	n.drain()
	n.background.stop()
	for _, f := range slices.Backward(n.closes) {
		if err := f(); err != nil {
			n.config.Log.Error("closing", "err", err)
		}
	}
}
