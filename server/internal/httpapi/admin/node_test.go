package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	adminapi "github.com/jotsmith/jotsmith/server/internal/httpapi/admin"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/oauth"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/user"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/shared"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
	"github.com/jotsmith/jotsmith/wire"
)

const (
	issuer   = "https://auth.example.com"
	audience = issuer + "/v1/admin"
	tasks    = "https://tasks.example.com"
	password = "vier Kühe im Regen"
)

var operator = admin.Operator("root")

// A node is a whole server with its administration API, but for its listener.
// For each permission p there is a role only:p that gives it alone.
type node struct {
	t        testing.TB
	handler  http.Handler
	store    *sqlite.Store
	accounts *account.Service
	sessions *session.Service
	apps     *app.Service
	admin    *admin.Service
	feed     *feed.Feed
	catalog  *catalog.Live
	log      *bytes.Buffer // what the server logged
	another  person        // than those who ask
	made     atomic.Int64  // names
}

// permissions are those that any route demands.
func permissions() []string {
	var all []string
	for _, r := range adminapi.Table() {
		all = append(all, r.Permission)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func only(permission string) string { return "only:" + strings.TrimPrefix(permission, "jotsmith:") }

func open(t testing.TB) *node {
	t.Helper()
	n := &node{t: t}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	n.store, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "jotsmith.db")})
	must(err)
	t.Cleanup(func() { n.store.Close() })
	root, err := keyring.ParseRootKeys([]byte(keyring.NewRootKey()))
	must(err)
	registered, err := catalog.Open(t.Context(), catalog.Config{Store: n.store, Issuer: issuer})
	must(err)
	roles := []catalog.Role{{Name: "viewer", Permissions: []string{"tasks:read"}}}
	for _, p := range permissions() {
		roles = append(roles, catalog.Role{Name: only(p), Permissions: []string{p}})
	}
	must(registered.Seed(t.Context(), []catalog.API{{Audience: tasks}}, roles))
	ring, err := keyring.Open(t.Context(), keyring.Config{
		Store: n.store, Root: root, Algorithms: registered.Now().Algorithms(),
		AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: 7 * 24 * time.Hour,
	})
	must(err)
	n.accounts, err = account.New(account.Config{Store: n.store, Limiter: shared.NewMemory(0, nil), Hash: account.HashParams{Memory: 64, Time: 1, Threads: 1}})
	must(err)
	n.sessions, err = session.New(session.Config{Store: n.store, Ring: ring, Catalog: registered, Issuer: issuer})
	must(err)
	n.apps, err = app.New(app.Config{Store: n.store, Ring: ring, Catalog: registered, Issuer: issuer, Now: time.Now})
	must(err)
	publisher, err := feed.New(feed.Config{Store: n.store, Ring: ring, Issuer: issuer, Poll: 20 * time.Millisecond})
	must(err)
	n.admin, err = admin.New(admin.Config{Accounts: n.accounts, Sessions: n.sessions, Ring: ring, Catalog: registered, Apps: n.apps, Audit: n.store, Feed: publisher, Issuer: issuer})
	must(err)
	must(publisher.Look(t.Context()))
	n.feed, n.catalog = publisher, registered
	auth, err := httpapi.NewAuthenticator(httpapi.AuthConfig{
		Issuer: issuer, Catalog: registered, Keys: ring.Keys(keyring.Access), Opens: ring.Opens(), Revocations: publisher.Local(), Sessions: n.sessions, Apps: n.apps,
	})
	must(err)
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer: issuer, Audiences: []string{audience}, Keys: ring.Keys(keyring.Access), Revocations: publisher.Local(),
	})
	must(err)
	gate, err := adminapi.NewGate(adminapi.GateConfig{Verifier: verifier, Auth: auth, Catalog: registered, Audit: n.store})
	must(err)
	mux := http.NewServeMux()
	user.Routes(mux, user.Deps{Accounts: n.accounts, Sessions: n.sessions, Auth: auth})
	oauth.Routes(mux, oauth.Deps{
		Issuer: issuer, Ring: ring, Feed: publisher, Auth: auth, Catalog: registered, Sessions: n.sessions, Apps: n.apps, Ready: n.store.Check,
	})
	adminapi.Routes(mux, n.admin, gate)
	n.log = new(bytes.Buffer)
	n.handler, err = httpapi.New(mux, httpapi.Config{Realm: issuer, Log: slog.New(slog.NewTextHandler(n.log, nil))})
	must(err)
	return n
}

// name makes a name of its own.
func (n *node) name(begin string) string { return fmt.Sprintf("%s%d", begin, n.made.Add(1)) }

// A person has an account and is logged in at the administration API.
type person struct {
	id       account.ID
	username string
	tokens   wire.TokenResponse
}

// person makes one whose token is for what roles give, or for scope of it.
func (n *node) person(scope string, roles ...string) person {
	n.t.Helper()
	username := n.name("person")
	a, err := n.admin.CreateAccount(context.Background(), operator, account.NewAccount{Username: username, Password: password, Roles: roles})
	if err != nil {
		n.t.Fatal(err)
	}
	w := n.do("POST", "/v1/login", wire.LoginRequest{Username: username, Password: password, Audience: audience, Scope: scope}, "")
	return person{a.ID, username, read[wire.TokenResponse](n.t, w, 200)}
}

// lines are a body of JSON lines.
type lines string

// do sends a body, JSON where it is no text, through the handler.
func (n *node) do(method, target string, body any, token string) *httptest.ResponseRecorder {
	n.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case lines:
		reader = strings.NewReader(string(b))
	default:
		text, err := json.Marshal(b)
		if err != nil {
			n.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, target, reader)
	r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1234", 1+n.made.Load()%200)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if _, ok := body.(lines); ok {
		r.Header.Set("Content-Type", wire.MediaTypeLines)
	}
	if strings.HasPrefix(target, "/oauth/") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, r)
	return w
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

// refused checks that an answer is the refusal of that code.
func refused(t testing.TB, w *httptest.ResponseRecorder, code wire.Code) wire.Problem {
	t.Helper()
	p := read[wire.Problem](t, w, code.Status())
	if p.Code != code || p.ID == "" {
		t.Errorf("refused with %s, want %s", w.Body, code)
	}
	return p
}

// recorded counts the events in the outbox but for those that say that somebody
// was refused.
func (n *node) recorded() (count int) {
	n.t.Helper()
	all, _, err := n.store.Records(n.t.Context(), 0, 100_000)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, r := range all {
		if !bytes.Contains(r.What, []byte(`"act":"admin.refuse"`)) {
			count++
		}
	}
	return count
}
