package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
)

type serveCmd struct {
	dataFlags
	rotationFlags
	logFlags
	adminFlags
	traceFlags
	Addr               string         `default:"127.0.0.1:8080" env:"JOTSMITH_ADDR" placeholder:"HOST:PORT" help:"Where to listen (${default}). Beyond loopback only with TLS, or with --behind-proxy."`
	Issuer             string         `env:"JOTSMITH_ISSUER" placeholder:"URL" help:"The server's name in tokens, as its clients reach it; by default http://ADDR on loopback, else required."`
	Shared             string         `env:"JOTSMITH_SHARED" placeholder:"URL" help:"The Redis or Redis Cluster in which several nodes count failed log-ins and requests together and wake each other, redis://HOST or rediss://HOST with TLS; by default each counts for itself, as it does while that does not answer. A URL with a password belongs into the environment or the configuration file, not among the arguments."`
	API                []string       `name:"api" sep:" " env:"JOTSMITH_API" placeholder:"AUDIENCE" help:"An API that tokens are made for, registered where it is not yet; repeatable, and the first is the default. None, and none registered: the issuer itself."`
	Role               []roleFlag     `sep:" " env:"JOTSMITH_ROLE" placeholder:"NAME=SCOPE,SCOPE" help:"The permissions that a role gives, registered where it is not yet; repeatable."`
	Origin             []string       `sep:" " env:"JOTSMITH_ORIGIN" placeholder:"ORIGIN" help:"An origin whose pages may log people in, such as https://app.example.com; repeatable. The issuer's own may always."`
	AccessCookie       bool           `env:"JOTSMITH_ACCESS_COOKIE" help:"Log-ins with cookies get the access token in one too, for apps behind a proxy on the issuer's own host."`
	SensitiveClaim     []string       `sep:" " env:"JOTSMITH_SENSITIVE_CLAIM" placeholder:"NAME" help:"Warn of claims of this name in tokens that everybody can read, instead of those that look sensitive by default; repeatable."`
	StatusLists        bool           `env:"JOTSMITH_STATUS_LISTS" help:"Tokens name a Token Status List, for verifiers that cannot follow the revocation feed. Each token costs a write more and some 100 bytes."`
	AccessLife         span           `default:"15m" env:"JOTSMITH_ACCESS_LIFE" placeholder:"TIME" help:"Life of an access token (${default}), at most 24h."`
	SessionIdle        span           `default:"7d" env:"JOTSMITH_SESSION_IDLE" placeholder:"TIME" help:"A session ends when it was not refreshed for so long (${default}), at most 90d."`
	SessionMax         span           `default:"30d" env:"JOTSMITH_SESSION_MAX" placeholder:"TIME" help:"A session ends so long after the log-in (${default}), at most 365d."`
	RefreshGrace       span           `default:"30s" env:"JOTSMITH_REFRESH_GRACE" placeholder:"TIME" help:"For so long a refresh may be repeated, with the same answer (${default})."`
	SessionsPerAccount int            `default:"100" env:"JOTSMITH_SESSIONS_PER_ACCOUNT" placeholder:"N" help:"So many sessions of one account live at once (${default}), at most 1000; one more ends the one that was used longest ago."`
	TLSCert            string         `and:"tls" env:"JOTSMITH_TLS_CERT" placeholder:"PATH" help:"Certificate chain, PEM."`
	TLSKey             string         `and:"tls" env:"JOTSMITH_TLS_KEY" placeholder:"PATH" help:"The certificate's private key, PEM."`
	BehindProxy        bool           `env:"JOTSMITH_BEHIND_PROXY" help:"A proxy in front of this server does TLS."`
	TrustedProxy       []netip.Prefix `sep:" " env:"JOTSMITH_TRUSTED_PROXY" placeholder:"CIDR" help:"Addresses of that proxy, whose X-Forwarded-For is believed; repeatable. Loopback where ADDR is loopback."`
	Slow               span           `default:"1s" env:"JOTSMITH_SLOW" placeholder:"TIME" help:"A request that takes so long is logged as a warning, with where its time went (${default}); 0 is never."`
	Drain              string         `default:"auto" env:"JOTSMITH_DRAIN" placeholder:"TIME" help:"Time for which /readyz says 503 before the listeners close, so that load balancers send no more requests; by default 5s, and 0s on loopback."`
	RateExempt         []netip.Prefix `sep:" " env:"JOTSMITH_RATE_EXEMPT" placeholder:"CIDR" help:"Addresses whose requests are not counted, such as that of a gateway or a load test; repeatable. Wrong passwords are counted all the same."`
}

func (serveCmd) Help() string {
	return "Stops on SIGINT or SIGTERM: /readyz says so for the time of --drain, while everything is answered; then the listeners close, and what is under way is answered, for at most ten seconds. A second signal stops at once. SIGHUP reads the configuration again, and takes on what can change while it runs.\n\n" +
		"The first account is made before the server runs: 'jotsmith account create NAME'."
}

// Bounds on a session's life. Keys stay for as long as the longest of them.
const (
	maxSessionIdle = 90 * 24 * time.Hour
	maxSessionLife = 365 * 24 * time.Hour
)

// A roleFlag is NAME=SCOPE,SCOPE.
type roleFlag catalog.Role

func (r *roleFlag) UnmarshalText(text []byte) error {
	name, scopes, ok := strings.Cut(string(text), "=")
	if !ok || name == "" {
		return fmt.Errorf("malformed role %q: such as editor=tasks:read,tasks:write", text)
	}
	r.Name = name
	if scopes != "" {
		r.Permissions = strings.Split(scopes, ",")
	}
	return nil
}

// heapReserve is counted by the garbage collector and, since nobody writes to
// it, takes no memory. What a server keeps is a few megabytes, and the collector
// would run each time that as much again has been allocated: dozens of times a
// second under load, for a tenth of what the server can answer.
const heapReserve = 16 << 20

func (cmd *serveCmd) Run(ctx context.Context, c *console, line *commandLine) error {
	reserve := make([]byte, heapReserve)
	defer runtime.KeepAlive(reserve)
	ctx, stop := untilStopped(ctx)
	defer stop()
	hup, ignore := hangups()
	defer ignore()
	log, level, flush := cmd.newLog(c.err)
	defer flush()

	cert, err := cmd.check()
	if err != nil {
		return err
	}
	dir, err := placeDataDir(cmd.Store, cmd.Data)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.refuseDev(); err != nil {
		return err
	}
	listener, err := listen(ctx, cmd.Addr, "--addr")
	if err != nil {
		return err
	}
	defer listener.Close()
	config, err := cmd.node(dir, listener.Addr(), log)
	if err != nil {
		return err
	}
	if config.Tracer, err = cmd.traceFlags.open(log); err != nil {
		return err
	}
	grace, err := cmd.grace()
	if err != nil {
		return err
	}
	n, err := openNode(ctx, config)
	if err != nil {
		return err
	}
	defer n.Close()

	r := &running{line: line, node: n, addr: listener.Addr(), level: level}
	r.handler.Store(&n.handler)
	r.cert.Store(cert)
	s := newHTTPServer(r, log)
	s.TLSConfig = r.tls()
	all := newServers()
	admin, err := cmd.startAdmin(ctx, all, n)
	if err != nil {
		return err
	}
	if admin != nil {
		defer admin.Close()
	}
	all.start(s, listener)
	log.Info("ready", "addr", listener.Addr().String(), "issuer", config.Issuer, "version", readBuildInfo().Version, "pid", os.Getpid())
	go r.follow(ctx, c, hup)
	err = all.wait(ctx, func() { n.windDown(grace) })
	log.Info("stopped")
	return err
}

// grace is how long the listeners stay open once /readyz has said that they
// will close. On loopback there is no other node that a proxy could choose.
func (cmd *serveCmd) grace() (s span, err error) {
	switch {
	case cmd.Drain != "auto":
		err = s.UnmarshalText([]byte(cmd.Drain))
	case !onLoopback(cmd.Addr):
		s = span(5 * time.Second)
	}
	return s, err
}

// check refuses what can be refused before anything is touched, and loads the
// certificate where there is one.
func (cmd *serveCmd) check() (*tls.Certificate, error) {
	local := onLoopback(cmd.Addr)
	faults := []error{checkAddr(cmd.Addr, "--addr"), checkStore(cmd.Store), checkShared(cmd.Shared)}
	switch {
	case cmd.TLSCert != "" && cmd.BehindProxy:
		faults = append(faults, errors.New("--behind-proxy says that a proxy does TLS, --tls-cert that this server does: choose one"))
	case len(cmd.TrustedProxy) > 0 && !cmd.BehindProxy:
		faults = append(faults, errors.New("--trusted-proxy has no meaning without --behind-proxy"))
	}
	within := func(flag string, s, least, most span) {
		if s < least || s > most {
			faults = append(faults, fmt.Errorf("%s %v is outside %v to %v", flag, s, least, most))
		}
	}
	within("--access-life", cmd.AccessLife, span(time.Second), span(catalog.MaxLife))
	within("--session-idle", cmd.SessionIdle, span(time.Minute), span(maxSessionIdle))
	within("--session-max", cmd.SessionMax, min(cmd.SessionIdle, span(maxSessionLife)), span(maxSessionLife))
	if n := cmd.SessionsPerAccount; n < 1 || n > 1000 {
		faults = append(faults, fmt.Errorf("--sessions-per-account %d is outside 1 to 1000", n))
	}
	within("--refresh-grace", cmd.RefreshGrace, 0, span(10*time.Minute))
	faults = append(faults, cmd.rotationFlags.check()...)
	faults = append(faults, cmd.adminFlags.check()...)
	faults = append(faults, cmd.traceFlags.check())
	if grace, err := cmd.grace(); err != nil {
		faults = append(faults, wrap(err, "--drain"))
	} else {
		within("--drain", grace, 0, span(5*time.Minute))
	}
	if cmd.Issuer != "" {
		faults = append(faults, checkIssuer(cmd.Issuer))
	}
	faults = append(faults, checkOrigins(cmd.Origin))
	if errors.Join(faults...) == nil { // so that the life of tokens is told once
		apis, roles := cmd.catalog()
		_, err := catalog.New("https://not.known.yet", apis, roles)
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, usageError{err}
	}
	switch {
	case !local && cmd.TLSCert == "" && !cmd.BehindProxy:
		return nil, hint(fmt.Errorf("listening on %s without TLS would show passwords and tokens to the network", cmd.Addr),
			"use --tls-cert and --tls-key, or --behind-proxy where a proxy does TLS, or listen on 127.0.0.1")
	case !local && cmd.Issuer == "":
		return nil, hint(errors.New("--issuer is required beyond loopback: it stands in every token"),
			"such as --issuer https://auth.example.com")
	case !local && cmd.BehindProxy && len(cmd.TrustedProxy) == 0:
		return nil, hint(errors.New("--behind-proxy needs --trusted-proxy here, or all clients would look like one and be throttled as one"),
			"such as --trusted-proxy 10.0.0.7/32, the address that the proxy connects from")
	case cmd.TLSCert == "":
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(cmd.TLSCert, cmd.TLSKey)
	if err != nil {
		return nil, hint(fmt.Errorf("loading the certificate: %w", err), "both files are PEM; the chain begins with the server's own certificate")
	}
	return &cert, nil
}

// node says what the flags mean, once the listener has its address.
func (cmd *serveCmd) node(dir *dataDir, addr net.Addr, log *slog.Logger) (nodeConfig, error) {
	root, err := parseRootKeySource(cmd.RootKey, cmd.Data)
	if err != nil {
		return nodeConfig{}, err
	}
	config := nodeConfig{
		fixedConfig: fixedConfig{
			Dir:     dir,
			Store:   cmd.Store,
			Shared:  cmd.Shared,
			RootKey: root,
			RootKeyMade: func(path string) {
				log.Warn("made a root key; keep a copy of it, apart from backups of the data", "file", path)
			},
			Issuer:                 cmd.Issuer,
			AccessLife:             time.Duration(cmd.AccessLife),
			SessionIdle:            time.Duration(cmd.SessionIdle),
			StatusLists:            cmd.StatusLists,
			Sensitive:              cmd.SensitiveClaim,
			Keys:                   cmd.rotation(),
			Loopback:               onLoopback(cmd.Addr),
			DangerouslyAcceptClock: cmd.DangerouslyAcceptClock,
			Log:                    log,
		},
		liveConfig: cmd.live(),
	}
	if config.Issuer == "" {
		scheme := "http"
		if cmd.TLSCert != "" {
			scheme = "https"
		}
		config.Issuer = defaultIssuer(scheme, cmd.Addr, addr)
	}
	return config, nil
}

// live says what those flags mean that a reload may change.
func (cmd *serveCmd) live() liveConfig {
	c := liveConfig{
		SessionMax:     time.Duration(cmd.SessionMax),
		RefreshGrace:   time.Duration(cmd.RefreshGrace),
		PerAccount:     cmd.SessionsPerAccount,
		TrustedProxies: cmd.TrustedProxy,
		RateExempt:     cmd.RateExempt,
		Slow:           time.Duration(cmd.Slow),
		Origins:        cmd.Origin,
		AccessCookie:   cmd.AccessCookie,
	}
	c.APIs, c.Roles = cmd.catalog()
	if c.RefreshGrace == 0 {
		c.RefreshGrace = -1
	}
	if cmd.BehindProxy && len(c.TrustedProxies) == 0 {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return c
}

// catalog says which APIs and roles the flags name.
func (cmd *serveCmd) catalog() (apis []catalog.API, roles []catalog.Role) {
	for _, a := range cmd.API {
		apis = append(apis, catalog.API{Audience: a})
	}
	for _, r := range cmd.Role {
		roles = append(roles, catalog.Role(r))
	}
	return apis, roles
}

// checkIssuer follows RFC 8414 §2: https, no query, no fragment. Plain http is
// for loopback alone.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#"):
		return fmt.Errorf("issuer %q must be a URL without query and fragment, such as https://auth.example.com", issuer)
	case u.Scheme == "https", u.Scheme == "http" && isLoopbackHost(u.Hostname()):
		return nil
	}
	return fmt.Errorf("issuer %q must begin with https://", issuer)
}

// checkOrigins reports what no browser would send, and what would let in more
// than one site together with its cookies.
func checkOrigins(origins []string) error {
	if len(origins) == 0 {
		return nil
	}
	_, err := guard.NewCORS(httpapi.CORS(origins))
	return wrap(err, "--origin")
}

// defaultIssuer names a loopback server by the address it was asked to listen
// on, with the port it got.
func defaultIssuer(scheme, asked string, got net.Addr) string {
	host, _, _ := net.SplitHostPort(asked)
	_, port, _ := net.SplitHostPort(got.String())
	return scheme + "://" + net.JoinHostPort(host, port)
}

// onLoopback says whether addr can be reached from this machine alone.
func onLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func checkAddr(addr, flag string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("%s %q must be HOST:PORT, such as 127.0.0.1:8080", flag, addr)
	}
	return nil
}

// listen opens a TCP listener; flag is the one that names another address.
func listen(ctx context.Context, addr, flag string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, hint(fmt.Errorf("%s is in use by another program", addr), "stop that program, or choose another port with %s; port 0 takes a free one", flag)
	case errors.Is(err, syscall.EACCES):
		return nil, hint(fmt.Errorf("%s may not be listened on by this user", addr), "choose a port above 1023 with %s", flag)
	}
	return l, wrap(err, "listening")
}

// untilStopped ends its context at the first SIGINT or SIGTERM. From then on
// signals do what they do by default, so that a second one stops at once.
func untilStopped(ctx context.Context, more ...os.Signal) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, append(more, os.Interrupt, syscall.SIGTERM)...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
