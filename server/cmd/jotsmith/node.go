package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/forward"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/oauth"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/user"
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
	Dir     *dataDir // locked; the node does not close it
	Store   string   // URL of a database; "" is the file in Dir
	Shared  string   // URL of a Redis; "" means that this node counts for itself
	RootKey rootKeySource

	RootKeyMade func(path string) // told where a root key was made; may be nil

	Issuer       string
	Offline      bool           // for an operator's acts: signs nothing, registers nothing
	APIs         []catalog.API  // registered where they are not yet; none: the issuer, where there is no other
	Roles        []catalog.Role // registered where they are not yet
	AccessLife   time.Duration  // of access tokens for APIs that have no life of their own
	SessionIdle  time.Duration
	SessionMax   time.Duration
	RefreshGrace time.Duration // negative means none
	PerAccount   int           // living sessions of one account
	Keys         rotation

	Loopback       bool           // listens on loopback only, so that it answers local names only
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	RateExempt     []netip.Prefix // whose requests are not counted

	Origins      []string // of pages that may call the routes for browsers, beside the issuer's own
	AccessCookie bool     // log-ins with cookies get the access token in one too
	StatusLists  bool     // tokens name a status list
	Sensitive    []string // names of claims that are warned of in clear; none: those that look sensitive by default

	DangerouslyAcceptClock bool
	Log                    *slog.Logger
	Slow                   time.Duration  // requests that take so long are logged as warnings; 0: none are
	Tracer                 *traces.Tracer // nil: nothing is traced; the node closes it
}

// A node is one running token server: the domain packages around one store.
// Routes and listeners are added by who runs it.
type node struct {
	config   nodeConfig
	store    store
	ring     *keyring.Ring
	catalog  *catalog.Live
	apps     *app.Service
	sessions *session.Service
	accounts *account.Service
	feed     *feed.Feed
	status   *status.Lists   // of all nodes, also where this one's tokens name none
	tries    account.Limiter // how often anybody tries a password
	rates    httpapi.Limiter // how often anybody asks for anything
	shared   *shared.Redis   // nil where nothing is shared
	news     chan struct{}   // there are revocations that other nodes do not know of
	admin    *admin.Service
	handler  http.Handler

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

// How long keys are kept that sign no more, beyond the life of what they
// signed: the largest leeway of a verifier, the max-age of a key set, and time
// to spare.
const keyMargin = 10*time.Minute + oauth.MaxAge + 5*time.Minute

// feedLife is the life of a feed document.
const feedLife = time.Minute

func newNode(c nodeConfig) *node {
	n := &node{config: c, news: make(chan struct{}, 1), swept: newSweeper(), refreshes: new(session.Counts), minted: new(mint.Counts), traffic: new(metrics.Traffic)}
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

// openStore opens the database and the keys in it.
func (n *node) openStore(ctx context.Context) error {
	c := n.config
	root, err := n.openData(ctx)
	if err != nil {
		return err
	}
	if err := n.openShared(root); err != nil {
		return err
	}
	issuer := c.Issuer
	if c.Offline {
		issuer = "" // as when the server ran last
	}
	n.catalog, err = catalog.Open(ctx, catalog.Config{Store: n.store, Issuer: issuer, Life: c.AccessLife, Log: c.Log})
	if err != nil {
		return err
	}
	if c.Offline {
		n.config.Issuer = cmp.Or(n.catalog.Issuer(), offlineIssuer)
	}
	algorithms := n.catalog.Now().Algorithms()
	if len(algorithms) == 0 {
		algorithms = []jwk.Algorithm{jwk.ES256}
	}
	margin := cmp.Or(c.Keys.margin, keyMargin)
	n.ring, err = keyring.Open(ctx, keyring.Config{
		Store:         n.store,
		Root:          root,
		Algorithms:    algorithms,
		Lead:          c.Keys.lead,
		Every:         c.Keys.every,
		Poll:          c.Keys.poll,
		AccessRetire:  catalog.MaxLife + margin, // lives may be raised while this runs
		FeedRetire:    feedLife + margin,
		RefreshRetire: maxSessionIdle, // whatever it was or will be
		Log:           c.Log,
	})
	if errors.Is(err, keyring.ErrRootKey) {
		return hint(err, "name the root key that belongs to this data with --root-key; nothing was changed")
	}
	if err != nil {
		return err
	}
	n.closes = append(n.closes, n.chainAudit)
	if c.DangerouslyAcceptClock {
		return n.store.Record(ctx, audit.Event{Act: "store.accept_clock", Outcome: audit.OK, Actor: operator().Actor})
	}
	return nil
}

// openData opens the database and answers the root keys. A file that does not
// open is not made, and a database elsewhere is asked before a root key is made
// for it.
func (n *node) openData(ctx context.Context) (root keyring.RootKeys, err error) {
	c := n.config
	open := func() error {
		if n.store, err = openStore(ctx, c.Store, c.Dir, c.DangerouslyAcceptClock, c.Log, n.published); err == nil {
			n.closes = append(n.closes, n.store.Close)
		}
		return err
	}
	var first bool
	if c.Store != "" {
		if err := open(); err != nil {
			return root, err
		}
		if first, err = fresh(ctx, n.store); err != nil {
			return root, err
		}
	} else {
		_, err := os.Stat(c.Dir.database())
		first = errors.Is(err, fs.ErrNotExist)
	}
	root, made, err := c.RootKey.read(first)
	if err != nil {
		return root, err
	}
	if made && c.RootKeyMade != nil {
		c.RootKeyMade(c.RootKey.file)
	}
	if c.Store == "" {
		err = open()
	}
	return root, err
}

// offlineIssuer stands where the server never ran.
const offlineIssuer = "urn:jotsmith:offline"

// register registers what the configuration names and is not registered yet.
func (n *node) register(ctx context.Context) error {
	c := n.config
	if c.Offline {
		return nil
	}
	apis := c.APIs
	if _, err := n.catalog.Now().API(""); err != nil && len(apis) == 0 {
		apis = []catalog.API{{Audience: c.Issuer}}
	}
	err := n.catalog.Seed(ctx, apis, c.Roles)
	switch {
	case errors.Is(err, catalog.ErrInvalid), errors.Is(err, catalog.ErrBuiltIn):
		return usageError{err}
	case err != nil:
		return err
	}
	return n.ring.Want(ctx, n.catalog.Now().Algorithms()...)
}

func (n *node) openServices() (err error) {
	c := n.config
	n.accounts, err = account.New(account.Config{
		Store:   n.store,
		Limiter: n.tries,
		Log:     c.Log,
	})
	if err != nil {
		return err
	}
	n.status, err = status.New(status.Config{
		Store: n.store, Ring: n.ring, Issuer: c.Issuer, URI: strings.TrimSuffix(c.Issuer, "/") + oauth.PathStatus,
		Algorithm: n.listAlgorithm, Now: n.now,
	})
	if err != nil {
		return err
	}
	n.apps, err = app.New(app.Config{Store: n.store, Ring: n.ring, Catalog: n.catalog, Issuer: c.Issuer, Now: n.now, Log: c.Log, Status: n.named(), Sensitive: c.Sensitive, Minted: n.minted})
	if err != nil {
		return err
	}
	n.feed, err = feed.New(feed.Config{Store: n.store, Ring: n.ring, Issuer: c.Issuer, Log: c.Log})
	if err != nil {
		return err
	}
	return n.openSessions()
}

// named are the lists that tokens name, nil for none.
func (n *node) named() *status.Lists {
	if !n.config.StatusLists {
		return nil
	}
	return n.status
}

// listAlgorithm is what status lists are signed with: as the tokens of the
// default API are, whose verifiers know it.
func (n *node) listAlgorithm() jwk.Algorithm {
	api, err := n.catalog.Now().API("")
	if err != nil {
		return jwk.ES256
	}
	return api.Algorithm
}

// openSessions makes what a reload makes anew.
func (n *node) openSessions() (err error) {
	c := n.config
	n.sessions, err = session.New(session.Config{
		Store:      n.store,
		Ring:       n.ring,
		Catalog:    n.catalog,
		Issuer:     c.Issuer,
		Idle:       c.SessionIdle,
		Absolute:   c.SessionMax,
		Grace:      c.RefreshGrace,
		PerAccount: c.PerAccount,
		Log:        c.Log,
		Sensitive:  c.Sensitive,
		Counts:     n.refreshes,
		Minted:     n.minted,
		Status:     n.named(),
	})
	if err != nil {
		return usageError{err}
	}
	n.admin, err = admin.New(admin.Config{Accounts: n.accounts, Sessions: n.sessions, Ring: n.ring, Catalog: n.catalog, Apps: n.apps, Audit: n.store, Feed: n.feed, Issuer: c.Issuer})
	return err
}

func (n *node) openRoutes(ready func(context.Context) error) error {
	c := n.config
	auth, err := httpapi.NewAuthenticator(httpapi.AuthConfig{
		Issuer:      c.Issuer,
		Catalog:     n.catalog,
		Keys:        n.ring.Keys(keyring.Access),
		Opens:       n.ring.Opens(),
		Revocations: n.feed.Local(),
		Sessions:    n.sessions,
		Apps:        n.apps,
		Now:         n.now,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	user.Routes(mux, user.Deps{
		Accounts:     n.accounts,
		Sessions:     n.sessions,
		Auth:         auth,
		Issuer:       c.Issuer,
		Origins:      c.Origins,
		AccessCookie: c.AccessCookie,
	})
	oauth.Routes(mux, oauth.Deps{
		Issuer:   c.Issuer,
		Ring:     n.ring,
		Feed:     n.feed,
		Status:   n.status,
		Auth:     auth,
		Catalog:  n.catalog,
		Sessions: n.sessions,
		Apps:     n.apps,
		Ready:    ready,
		Draining: n.draining,
	})
	forward.Routes(mux, forward.Deps{Issuer: c.Issuer, Catalog: n.catalog, Auth: auth, Origins: c.Origins})
	if err := n.routeAdmin(mux, auth); err != nil {
		return err
	}
	n.handler, err = httpapi.New(mux, httpapi.Config{
		Realm:   c.Issuer,
		Hosts:   n.hosts(),
		Proxies: c.TrustedProxies,
		Origins: c.Origins,
		Limiter: n.rates,
		Exempt:  c.RateExempt,
		Log:     c.Log,
		Slow:    c.Slow,

		Observer: observer{n.traffic, c.Tracer},
	})
	return err
}

// hosts are the names that a loopback server answers to.
func (n *node) hosts() []string {
	if !n.config.Loopback {
		return nil
	}
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if u, err := url.Parse(n.config.Issuer); err == nil {
		hosts = append(hosts, u.Hostname())
	}
	return hosts
}

// now is the store's time.
func (n *node) now() time.Time {
	t, err := n.store.Now()
	if err != nil {
		return time.Now()
	}
	return t
}

// chainAudit puts what was recorded last into the chain. What stays behind, as
// where the process is killed, is chained at the next start.
func (n *node) chainAudit() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return audit.Chain(ctx, n.store)
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
