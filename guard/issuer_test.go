package guard_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/wire"
)

const audience = "https://tasks.example.com"

// testIssuer is as much of a token server as a guard needs.
type testIssuer struct {
	t   testing.TB
	url string

	requests atomic.Int32

	mu      sync.Mutex
	key     *jwk.PrivateKey // signs access tokens
	public  []jwk.Verifier  // of access tokens
	feedKey *jwk.PrivateKey // signs the feed
	facts   []revocation.Entry
	changed chan struct{}
	change  func(m *wire.Metadata)
	down    bool
}

func newIssuer(t testing.TB, url string) *testIssuer {
	i := &testIssuer{t: t, url: url, feedKey: generate(t), changed: make(chan struct{})}
	i.rotate()
	return i
}

func generate(t testing.TB) *jwk.PrivateKey {
	key, err := jwk.Generate(jwk.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rotate announces a new key and signs with it at once.
func (i *testIssuer) rotate() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key = generate(i.t)
	i.public = append(i.public, i.key.Public())
}

func (i *testIssuer) setDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
	close(i.changed)
	i.changed = make(chan struct{})
}

func (i *testIssuer) token(c jwt.Claims) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c.Audience == nil {
		c.Audience = []string{audience}
	}
	if c.Life == 0 {
		c.Life = time.Hour
	}
	c.Subject = "acc_anna"
	return issue(i.t, jwt.IssuerConfig{Issuer: i.url, Key: i.key}, c)
}

func issue(t testing.TB, ic jwt.IssuerConfig, c jwt.Claims) string {
	issuer, err := jwt.NewIssuer(ic)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := issuer.Issue(c)
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func (i *testIssuer) end(session string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.facts = append(i.facts, revocation.Entry{Fact: jwt.NewFact(jwt.SessionFact, i.url, session)})
	close(i.changed)
	i.changed = make(chan struct{})
}

func (i *testIssuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.requests.Add(1)
	i.mu.Lock()
	down, change := i.down, i.change
	i.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	switch r.URL.Path {
	case wire.PathMetadata:
		m := wire.Metadata{Issuer: i.url, JWKSURI: i.url + "/keys", RevocationsURI: i.url + "/feed", RevocationsJWKSURI: i.url + "/feed-keys"}
		if change != nil {
			change(&m)
		}
		writeJSON(w, m)
	case "/keys":
		i.mu.Lock()
		set, err := jwk.NewSet(i.public...)
		i.mu.Unlock()
		if err != nil {
			i.t.Error(err)
		}
		writeJSON(w, set)
	case "/feed-keys":
		set, err := jwk.NewSet(i.feedKey.Public())
		if err != nil {
			i.t.Error(err)
		}
		writeJSON(w, set)
	case "/feed":
		i.feed(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (i *testIssuer) feed(w http.ResponseWriter, r *http.Request) {
	at, err := revocation.ParseCursor(r.URL.Query().Get("after"))
	d := revocation.Document{Epoch: "e1", Snapshot: err != nil}
	i.mu.Lock()
	if err == nil {
		wait, _ := strconv.Atoi(r.URL.Query().Get("wait"))
		deadline := time.After(time.Duration(wait) * time.Second)
		for at.Position == uint64(len(i.facts)) && deadline != nil {
			changed := i.changed
			i.mu.Unlock()
			select {
			case <-changed:
			case <-deadline:
				deadline = nil
			case <-r.Context().Done():
				return
			}
			i.mu.Lock()
			if i.down {
				deadline = nil
			}
		}
		d.From = at.Position
	}
	d.To, d.Entries = uint64(len(i.facts)), i.facts[d.From:]
	down, key := i.down, i.feedKey
	i.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", revocation.MediaType)
	_, _ = w.Write([]byte(issue(i.t, jwt.IssuerConfig{Issuer: i.url, Key: key, Type: revocation.Type},
		jwt.Claims{Subject: i.url, Audience: []string{i.url}, Life: time.Minute, Custom: d.Custom()})))
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// inMemory carries requests to a handler without a network, so that tests of
// time can run on a clock of their own.
type inMemory struct{ h http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() { m.h.ServeHTTP(w, r); close(done) }()
	select {
	case <-done:
		return w.Result(), nil
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
