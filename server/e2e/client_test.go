package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/client"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/wire"
)

// clientHouse is a server whose access tokens live for two seconds, and an API
// behind a guard.
type clientHouse struct {
	issuer, data string
	api          *httptest.Server
	app          wire.AppWithSecret
}

const clientAPI = "https://tasks.example"

func startClientHouse(t *testing.T) *clientHouse {
	t.Helper()
	addr := freeAddr(t)
	h := &clientHouse{issuer: "http://" + addr, data: filepath.Join(t.TempDir(), "data")}
	mustRun(t, "", "api", "create", clientAPI, "--permission", "tasks:read", "--default", "--data", h.data)
	mustRun(t, "", "role", "create", "reader", "--permission", "tasks:read", "--data", h.data)
	mustRun(t, "correct horse battery\n", "account", "create", "ada", "--role", "reader", "--password-stdin", "--data", h.data)
	if err := json.Unmarshal([]byte(mustRun(t, "", "app", "create", "Nightly", "--role", "reader", "--json", "--data", h.data)), &h.app); err != nil {
		t.Fatal(err)
	}
	startServe(t, addr, h.data, "--access-life", "2s", "--rate-exempt", "127.0.0.0/8")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	g, err := guard.New(ctx, guard.Config{Issuer: h.issuer, Audience: clientAPI, Leeway: -1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	h.api = httptest.NewServer(g.HandlerFunc(func(http.ResponseWriter, *http.Request) {}, authz.Scope("tasks:read")))
	t.Cleanup(h.api.Close)
	return h
}

func (h *clientHouse) client(t *testing.T, change ...func(*client.Config)) *client.Client {
	t.Helper()
	c := client.Config{Issuer: h.issuer, Audience: clientAPI, Origins: []string{h.api.URL}}
	for _, f := range change {
		f(&c)
	}
	made, err := client.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (h *clientHouse) login(t *testing.T, c *client.Client) {
	t.Helper()
	if _, err := c.Login(t.Context(), "ada", "correct horse battery"); err != nil {
		t.Fatal(err)
	}
}

// get answers what the API answers to a client's request.
func (h *clientHouse) get(t *testing.T, c *client.Client) int {
	t.Helper()
	resp, err := c.HTTP().Get(h.api.URL)
	if err != nil {
		t.Error(err)
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestClient(t *testing.T) {
	t.Parallel()
	h := startClientHouse(t)

	t.Run("many at once in three programs outlive their tokens", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "logins.json")
		file := func(c *client.Config) { c.Store = client.NewFile(path, h.issuer) }
		h.login(t, h.client(t, file))
		end := time.Now().Add(4 * time.Second)
		var all sync.WaitGroup
		var calls atomic.Int64
		used := new(sync.Map)
		for range 3 {
			c := h.client(t, file)
			for range 8 {
				all.Go(func() {
					for time.Now().Before(end) && !t.Failed() {
						if status := h.get(t, c); status != 200 {
							t.Errorf("after %d calls: %d", calls.Load(), status)
						}
						if token, err := c.Token(t.Context()); err == nil {
							used.Store(token.AccessToken, true)
						}
						calls.Add(1)
					}
				})
			}
		}
		all.Wait()
		n := 0
		used.Range(func(any, any) bool { n++; return true })
		t.Logf("%d calls with %d tokens", calls.Load(), n)
		if n < 2 || n > 8 {
			t.Errorf("%d tokens of 2 s each in 4 s", n)
		}
	})
	t.Run("an answer that is lost on its way", func(t *testing.T) {
		t.Parallel()
		lossy := &losesRefreshes{}
		c := h.client(t, func(c *client.Config) { c.Transport = lossy })
		h.login(t, c)
		within(t, 10*time.Second, func() bool { return h.get(t, c) == 200 && lossy.lost.Load() == 2 })
	})
	t.Run("a token that was revoked is renewed at the first 401", func(t *testing.T) {
		t.Parallel()
		c := h.client(t)
		h.login(t, c)
		token, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.PostForm(h.issuer+"/oauth/revoke", map[string][]string{"token": {token.AccessToken}})
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		within(t, 5*time.Second, func() bool {
			now, err := c.Token(t.Context())
			return err == nil && now.AccessToken != token.AccessToken && h.get(t, c) == 200
		})
	})
	t.Run("a clock that was set by two hours", func(t *testing.T) {
		t.Parallel()
		for _, by := range []time.Duration{-2 * time.Hour, 2 * time.Hour} {
			store := client.NewFile(filepath.Join(t.TempDir(), "logins.json"), h.issuer)
			h.login(t, h.client(t, func(c *client.Config) { c.Store = store }))
			err := store.Update(t.Context(), func(s *client.State) error {
				s.IssuedAt, s.ExpiresAt = s.IssuedAt.Add(by), s.ExpiresAt.Add(by)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if status := h.get(t, h.client(t, func(c *client.Config) { c.Store = store })); status != 200 {
				t.Errorf("by %v: %d", by, status)
			}
		}
	})
	t.Run("log-out", func(t *testing.T) {
		t.Parallel()
		c, other := h.client(t), h.client(t)
		h.login(t, c)
		h.login(t, other)
		me, err := c.Me(t.Context())
		if err != nil || me.Username != "ada" {
			t.Fatalf("%+v, %v", me, err)
		}
		token, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := other.EndSession(t.Context(), token.SessionID); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, func() bool {
			_, err := c.HTTP().Get(h.api.URL)
			return errors.Is(err, client.ErrSignedOut)
		})
		if err := other.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Sessions(t.Context()); !errors.Is(err, client.ErrSignedOut) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a service", func(t *testing.T) {
		t.Parallel()
		c := h.client(t, func(c *client.Config) { c.ClientID, c.ClientSecret = h.app.App.ID, h.app.Secret })
		first, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, func() bool {
			next, err := c.Token(t.Context())
			return h.get(t, c) == 200 && err == nil && next.AccessToken != first.AccessToken
		})
		if err := c.Logout(t.Context()); err != nil {
			t.Error(err)
		}
		wrong := h.client(t, func(c *client.Config) { c.ClientID, c.ClientSecret = h.app.App.ID, "jsa_wrong" })
		_, err = wrong.Token(t.Context())
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != wire.CodeInvalidClient || strings.Contains(err.Error(), "jsa_wrong") {
			t.Errorf("%v", err)
		}
	})
}

// losesRefreshes cuts the connection off once the server has answered a refresh,
// twice.
type losesRefreshes struct{ lost atomic.Int32 }

func (l *losesRefreshes) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, "/v1/refresh") && l.lost.Load() < 2 {
		l.lost.Add(1)
		resp.Body.Close()
		return nil, errors.New("connection cut")
	}
	return resp, err
}
