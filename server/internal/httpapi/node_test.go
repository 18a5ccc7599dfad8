package httpapi_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/forward"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/oauth"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/user"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/shared"
	"github.com/jotsmith/jotsmith/server/internal/status"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
	"github.com/jotsmith/jotsmith/wire"
)

const (
	issuer   = "https://auth.example.com"
	tasks    = "https://tasks.example.com"
	files    = "https://files.example.com"
	password = "vier Kühe im Regen"
)

var operator = admin.Operator("root")

// A node is a whole server but for its listener: real store, keys, sessions
// and feed.
type node struct {
	t        testing.TB
	handler  http.Handler
	store    *sqlite.Store
	ring     *keyring.Ring
	accounts *account.Service
	sessions *session.Service
	catalog  *catalog.Live
	apps     *app.Service
	admin    *admin.Service
	feed     *feed.Feed
	drain    context.CancelFunc
	log      *buffer
	notReady error
	sent     atomic.Int64 // requests
	unread   atomic.Int64 // for how many seconds the key ring has not been read

	mu  sync.Mutex
	now time.Time // the store's; zero: the real one
}

type options struct {
	httpapi.Config
	Slots int
	Hash  account.HashParams
	Quiet bool

	LogIns  account.Limiter // default shared.NewMemory
	Buckets int             // of the default, and of requests; 0 means shared.DefaultBuckets

	Status bool // tokens name status lists

	AccessCookie bool
	Issuer       string // of the routes; default issuer
}

// open starts a node with the accounts alice (editor), bob (viewer), carol
// (disabled) and ivy (introspector).
func open(t testing.TB, o options) *node {
	t.Helper()
	n := &node{t: t, log: &buffer{}}
	log := slog.New(slog.NewJSONHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if o.Quiet {
		log = slog.New(slog.DiscardHandler)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	n.store, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "jotsmith.db"), Now: n.clock, Log: log})
	must(err)
	t.Cleanup(func() { n.store.Close() })
	root, err := keyring.ParseRootKeys([]byte(keyring.NewRootKey()))
	must(err)
	n.catalog, err = catalog.Open(t.Context(), catalog.Config{Store: n.store, Issuer: issuer, Log: log})
	must(err)
	must(n.catalog.Seed(t.Context(),
		[]catalog.API{{Audience: tasks, Life: 15 * time.Minute}, {Audience: files}},
		[]catalog.Role{{Name: "editor", Permissions: []string{"tasks:read", "tasks:write"}}, {Name: "viewer", Permissions: []string{"tasks:read"}}}))
	n.ring, err = keyring.Open(t.Context(), keyring.Config{
		Store: n.store, Root: root, Algorithms: n.catalog.Now().Algorithms(),
		AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: 7 * 24 * time.Hour, Log: log,
		Now: func() time.Time { return time.Now().Add(time.Duration(n.unread.Load()) * time.Second) },
	})
	must(err)
	if o.Hash == (account.HashParams{}) {
		o.Hash = account.HashParams{Memory: 64, Time: 1, Threads: 1}
	}
	if o.LogIns == nil {
		o.LogIns = shared.NewMemory(o.Buckets, nil)
	}
	n.accounts, err = account.New(account.Config{Store: n.store, Limiter: o.LogIns, Hash: o.Hash, Slots: o.Slots, Log: log})
	must(err)
	var lists *status.Lists
	if o.Status {
		lists, err = status.New(status.Config{
			Store: n.store, Ring: n.ring, Issuer: issuer, URI: issuer + oauth.PathStatus, Now: n.clock,
			Algorithm: func() jwk.Algorithm { return jwk.ES256 },
		})
		must(err)
	}
	n.sessions, err = session.New(session.Config{Store: n.store, Ring: n.ring, Catalog: n.catalog, Issuer: issuer, Log: log, Status: lists})
	must(err)
	n.apps, err = app.New(app.Config{Store: n.store, Ring: n.ring, Catalog: n.catalog, Issuer: issuer, Now: n.clock, Log: log, Status: lists})
	must(err)
	publisher, err := feed.New(feed.Config{Store: n.store, Ring: n.ring, Issuer: issuer, Poll: 20 * time.Millisecond, Log: log})
	must(err)
	n.admin, err = admin.New(admin.Config{Accounts: n.accounts, Sessions: n.sessions, Ring: n.ring, Catalog: n.catalog, Apps: n.apps, Audit: n.store, Feed: publisher, Issuer: issuer})
	must(err)
	must(publisher.Look(t.Context()))
	n.feed = publisher
	running, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { defer close(stopped); publisher.Run(running) }()
	t.Cleanup(func() { stop(); <-stopped })
	auth, err := httpapi.NewAuthenticator(httpapi.AuthConfig{
		Issuer: issuer, Catalog: n.catalog, Apps: n.apps, Keys: n.ring.Keys(keyring.Access), Opens: n.ring.Opens(),
		Revocations: publisher.Local(), Sessions: n.sessions, Now: n.clock,
	})
	must(err)
	var draining context.Context
	draining, n.drain = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	user.Routes(mux, user.Deps{
		Accounts: n.accounts, Sessions: n.sessions, Auth: auth,
		Issuer: cmp.Or(o.Issuer, issuer), Origins: o.Config.Origins, AccessCookie: o.AccessCookie,
	})
	oauth.Routes(mux, oauth.Deps{
		Issuer: issuer, Ring: n.ring, Feed: publisher, Auth: auth, Catalog: n.catalog, Sessions: n.sessions, Apps: n.apps, Status: lists, Draining: draining,
		Ready: func(ctx context.Context) error {
			if n.notReady != nil {
				return n.notReady
			}
			return n.store.Check(ctx)
		},
	})
	forward.Routes(mux, forward.Deps{Issuer: issuer, Catalog: n.catalog, Auth: auth, Origins: []string{"https://app.example.com"}})
	httpapi.Handle(mux, "GET /panic", httpapi.Quick, func(*httpapi.Call, *http.Request) error { panic("out of cheese") })
	httpapi.Handle(mux, "GET /forbidden", httpapi.Quick, func(*httpapi.Call, *http.Request) error {
		return httpapi.Refuse(wire.CodeForbidden, "", nil)
	})
	o.Config.Realm, o.Config.Log = cmp.Or(o.Issuer, issuer), log
	o.Config.Limiter = shared.NewMemory(o.Buckets, func() time.Time { return time.Time{} }) // nothing comes back
	n.handler, err = httpapi.New(mux, o.Config)
	must(err)
	for username, roles := range map[string][]string{"alice": {"editor"}, "bob": {"viewer"}, "carol": {"editor"}, "ivy": {"introspector"}} {
		_, err := n.admin.CreateAccount(t.Context(), operator, account.NewAccount{Username: username, Password: password, Roles: roles})
		must(err)
	}
	_, err = n.admin.DisableAccount(t.Context(), operator, n.id("carol"))
	must(err)
	return n
}

// id is the account id of a user name.
func (n *node) id(username string) account.ID {
	n.t.Helper()
	a, err := n.accounts.Find(context.Background(), username)
	if err != nil {
		n.t.Fatal(err)
	}
	return a.ID
}

func (n *node) clock() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.now.IsZero() {
		return time.Now()
	}
	return n.now
}

// advance sets the store's clock.
func (n *node) advance(by time.Duration) {
	now := n.clock().Add(by)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = now
}

// A request changes before it is sent.
type edit func(*http.Request)

func header(name, value string) edit {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func bearer(token string) edit { return header("Authorization", "Bearer "+token) }

func from(address string) edit { return func(r *http.Request) { r.RemoteAddr = address } }

// do sends a body, JSON where it is no string, through the handler.
func (n *node) do(method, target string, body any, edits ...edit) *httptest.ResponseRecorder {
	n.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			n.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, target, reader)
	r.RemoteAddr = "192.0.2.1:1234"
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, e := range edits {
		e(r)
	}
	w := httptest.NewRecorder()
	n.sent.Add(1)
	n.handler.ServeHTTP(w, r)
	return w
}

func (n *node) login(username string) wire.TokenResponse {
	n.t.Helper()
	return read[wire.TokenResponse](n.t, n.do("POST", "/v1/login", wire.LoginRequest{Username: username, Password: password}), 200)
}

// read checks the status and decodes the body.
func read[T any](t testing.TB, w *httptest.ResponseRecorder, status int) T {
	t.Helper()
	var v T
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return v
}

// refused checks an answer against the contract that every refusal keeps.
func refused(t testing.TB, w *httptest.ResponseRecorder, code wire.Code) wire.Problem {
	t.Helper()
	p := read[wire.Problem](t, w, code.Status())
	h := w.Header()
	switch {
	case p.Code != code:
		t.Errorf("code %q, want %q", p.Code, code)
	case p.Status != code.Status() || p.ID == "" || p.Title == "" || !strings.HasSuffix(p.Type, "#"+string(code)):
		t.Errorf("incomplete problem: %s", w.Body)
	case h.Get("Cache-Control") != "no-store":
		t.Errorf("Cache-Control %q", h.Get("Cache-Control"))
	}
	challenged := strings.HasPrefix(h.Get("WWW-Authenticate"), `Bearer realm="`+issuer+`"`)
	if must := p.Status == 401 || p.Status == 403; must && !challenged {
		t.Errorf("%d with WWW-Authenticate %q", p.Status, h.Get("WWW-Authenticate"))
	}
	if must := p.Status == 429 || p.Status == 503; must != (h.Get("Retry-After") != "") {
		t.Errorf("%d with Retry-After %q", p.Status, h.Get("Retry-After"))
	}
	return p
}

// records is all of the audit log as text.
func (n *node) records() string {
	n.t.Helper()
	all, _, err := n.store.Records(n.t.Context(), 0, 10_000)
	if err != nil {
		n.t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range all {
		b.Write(r.What)
		b.Write(r.Who)
		b.WriteByte('\n')
	}
	return b.String()
}

// A buffer is a log that may be written by many.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// last is the newest line of the log about a request.
func (b *buffer) last(t testing.TB) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		var line map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &line); err != nil {
			t.Fatal(err)
		}
		if line["msg"] == "request" {
			return line
		}
	}
	t.Fatal("no request is logged")
	return nil
}

type (
	request  = http.Request
	recorder = httptest.ResponseRecorder
)
