package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/wire"
)

// Config is what the shell around the routes is made of.
type Config struct {
	Realm   string         // of challenges (RFC 9110 §11.5): the issuer
	Hosts   []string       // the only host names, without port, that are answered; none: any
	Proxies []netip.Prefix // peers whose X-Forwarded-For is believed
	Origins []string       // of pages that may call the routes for browsers, see guard.CORS
	Limiter Limiter        // counts requests; nil: nobody does
	Exempt  []netip.Prefix // addresses whose requests are not counted; their wrong passwords are
	Log     *slog.Logger   // one line a request
	Slow    time.Duration  // a request that takes so long is logged as a warning; 0: none is

	Observer Observer // nil: nobody observes
}

type shell struct {
	Config
	mux      *http.ServeMux
	browsers http.Handler // mux, for pages of other origins; nil: there are none
	https    bool
}

// New wraps a mux whose routes were registered with [Handle].
//
// A listener on loopback should name its Hosts, or any web page could reach it
// in its visitor's browser by a name of its own that resolves to 127.0.0.1 (DNS
// rebinding).
func New(mux *http.ServeMux, c Config) (http.Handler, error) {
	var faults []error
	if c.Realm == "" || strings.ContainsFunc(c.Realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		faults = append(faults, fmt.Errorf("realm %q: printable ASCII without quotes is required", c.Realm))
	}
	for i, p := range c.Proxies {
		if !p.IsValid() {
			faults = append(faults, fmt.Errorf("trusted proxy %d is no address range", i))
		}
	}
	for i, p := range c.Exempt {
		if !p.IsValid() {
			faults = append(faults, fmt.Errorf("exempt address %d is no address range", i))
		}
	}
	s := &shell{Config: c, mux: mux, https: strings.HasPrefix(c.Realm, "https://")}
	if len(c.Origins) > 0 {
		cors, err := guard.NewCORS(CORS(c.Origins))
		if err != nil {
			faults = append(faults, err)
		} else {
			s.browsers = cors.Handler(mux)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Observer == nil {
		s.Observer = nobody{}
	}
	return s, nil
}

// CORS is what pages of the given origins may do.
func CORS(origins []string) guard.CORS {
	return guard.CORS{
		Origins:        origins,
		Methods:        []string{http.MethodPatch, http.MethodDelete},
		ExposedHeaders: []string{"WWW-Authenticate", "Retry-After", "RateLimit", "RateLimit-Policy"},
		Credentials:    true, // cookies, where a log-in was asked for them
	}
}

// forBrowsers says whether pages of listed origins may call a path: what people
// do for themselves, and the token endpoint (RFC 9700 §2.1 has none at an
// authorization endpoint). What anybody may read says so itself.
func forBrowsers(path string) bool {
	switch path {
	case "/v1/login", "/v1/refresh", "/v1/refresh/end", "/v1/logout", "/v1/logout-all",
		"/v1/me", "/v1/me/password", "/v1/sessions", "/oauth/token":
		return true
	}
	return strings.HasPrefix(path, "/v1/sessions/")
}

const (
	bodyTime   = 10 * time.Second // to send a body
	answerTime = 30 * time.Second // from the request's headers to the answer's last byte
)

// Headers of every answer. Answers that may be cached say so themselves.
var (
	noStore  = []string{"no-store"}
	noCache  = []string{"no-cache"}
	closing  = []string{"close"}
	nosniff  = []string{"nosniff"}
	noOrigin = []string{"no-referrer"}
	noPage   = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	noFrame  = []string{"DENY"}
	alone    = []string{"same-origin"}
	nothing  = []string{"accelerometer=(), camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"}

	// RFC 6797 §6.1.2 leaves sub-domains to whoever owns them.
	onlyTLS = []string{"max-age=63072000"}
)

func (s *shell) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &Call{ResponseWriter: w, shell: s, Address: s.clientAddress(r)}
	start := time.Now()
	s.Observer.Began()
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler {
			c.log.stack = string(debug.Stack())
			c.refuse(fmt.Errorf("panic: %v", p))
		}
		took := time.Since(start)
		s.observe(c, r, start, took)
		if p == http.ErrAbortHandler {
			panic(p)
		}
		s.logCall(c, r, start, took)
	}()
	h := w.Header()
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = nosniff
	h["Referrer-Policy"] = noOrigin
	h["Content-Security-Policy"] = noPage
	h["X-Frame-Options"] = noFrame
	h["Cross-Origin-Opener-Policy"] = alone
	h["Cross-Origin-Resource-Policy"] = alone
	h["Permissions-Policy"] = nothing
	if s.https {
		h["Strict-Transport-Security"] = onlyTLS
	}

	// A writer that knows no deadlines, as in tests, has none to set.
	deadline := http.NewResponseController(w)
	_ = deadline.SetWriteDeadline(start.Add(answerTime))
	if r.ContentLength != 0 {
		_ = deadline.SetReadDeadline(start.Add(bodyTime))
	}
	if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
		// RFC 9112 §6.1: where a Content-Length came with it, the connection must
		// be closed, or what follows could be a request that a proxy has taken
		// for a body. net/http no longer tells whether one came.
		h["Connection"] = closing
	}
	if !s.answersFor(r.Host) {
		c.refuse(Refuse(wire.CodeMisdirectedRequest, "", fmt.Errorf("host %q", clip(r.Host))))
		return
	}
	if s.browsers == nil || !forBrowsers(r.URL.Path) {
		s.mux.ServeHTTP(c, r)
		return
	}
	if r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header["Access-Control-Request-Method"] != nil {
		c.route = "preflight" // which no route answers
	}
	s.browsers.ServeHTTP(c, r)
}

// Extend gives an answer longer than usual. The time to read counts too: when it
// is over, net/http takes the client for gone and ends the request's context.
func (c *Call) Extend(by time.Duration) {
	c.waits = c.waits || by > 0
	deadline := http.NewResponseController(c.ResponseWriter)
	end := time.Now().Add(answerTime + by)
	_ = deadline.SetWriteDeadline(end)
	_ = deadline.SetReadDeadline(end)
}

func (s *shell) answersFor(host string) bool {
	if len(s.Hosts) == 0 {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	for _, h := range s.Hosts {
		if strings.EqualFold(host, h) {
			return true
		}
	}
	return false
}

// clientAddress is the peer's, or what trusted proxies say that it is: of
// X-Forwarded-For, read from the right, the first that is none of them. Every
// other header about where a request came from is ignored.
func (s *shell) clientAddress(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := plain(peer.Addr())
	if !s.trusts(client) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(client); i-- {
		hop, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		client = hop
	}
	return client
}

func (s *shell) trusts(a netip.Addr) bool { return contains(s.Proxies, a) }

func parseHop(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return plain(a), true
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return plain(a.Addr()), true
	}
	return netip.Addr{}, false
}

func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// logCall writes the request's one line. It holds no path, query or header but
// the user agent: people put tokens into them.
func (s *shell) logCall(c *Call, r *http.Request, start time.Time, took time.Duration) {
	ctx := r.Context()
	level := slog.LevelInfo
	switch {
	case c.status == http.StatusServiceUnavailable && ctx.Err() != nil:
		// The client has gone, and nobody reads that.
	case c.status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case c.status >= 500:
		level = slog.LevelError
	}
	spent, slow := s.slow(c, took)
	if slow {
		level = max(level, slog.LevelWarn)
	}
	if !s.Log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("method", method(r.Method)),
		slog.String("route", c.route),
		slog.Int("status", c.status),
		slog.Float64("ms", milliseconds(took)))
	if slow {
		attrs = append(append(attrs, slog.Bool("slow", true)), spent...)
	}
	if c.Address.IsValid() {
		attrs = append(attrs, slog.String("address", c.Address.String()))
	}
	for _, a := range [...]struct{ name, value string }{
		{"agent", device(r)},
		{"sub", c.log.subject}, {"sid", c.log.session},
		{"code", c.log.code}, {"id", c.log.id}, {"reason", c.log.reason},
		{"trace", c.log.trace}, {"stack", c.log.stack},
	} {
		if a.value != "" {
			attrs = append(attrs, slog.String(a.name, a.value))
		}
	}
	// A Logger would look up who called it, whom no line names.
	line := slog.NewRecord(start.Add(took), level, "request", 0)
	line.AddAttrs(attrs...)
	_ = s.Log.Handler().Handle(ctx, line)
}

// method keeps the log free of words that clients invent.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "other"
}

// clip bounds what a stranger can make the log hold.
func clip(s string) string {
	const most = 500
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
