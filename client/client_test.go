package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/client"
	"github.com/jotsmith/jotsmith/wire"
)

func token(t *testing.T, c *client.Client) string {
	t.Helper()
	got, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got.AccessToken
}

func get(t *testing.T, c *client.Client) int {
	t.Helper()
	resp, err := c.HTTP().Get(api + "/tasks")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestConfigIsCheckedWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]client.Config{
		"nothing":              {},
		"http beyond here":     {Issuer: "http://auth.example.com"},
		"a password in it":     {Issuer: "https://u:p@auth.example.com"},
		"a query":              {Issuer: "https://auth.example.com?a=b"},
		"an origin's path":     {Issuer: issuer, Origins: []string{"https://api.example.com/tasks"}},
		"an http origin":       {Issuer: issuer, Origins: []string{"http://api.example.com"}},
		"an id alone":          {Issuer: issuer, ClientID: "app"},
		"a secret alone":       {Issuer: issuer, ClientSecret: "app secret"},
		"no scheme":            {Issuer: "auth.example.com"},
		"loopback's lookalike": {Issuer: "http://localhost.example.com"},
	} {
		if _, err := client.New(c); err == nil || strings.Contains(err.Error(), "app secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := client.New(client.Config{Origins: []string{"x"}, ClientID: "app"})
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all faults: %v", err)
	}
	for _, loopback := range []string{"http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:2/auth/"} {
		if _, err := client.New(client.Config{Issuer: loopback}); err != nil {
			t.Error(err)
		}
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		life int
		wait time.Duration
		want string
	}{
		{"new", 900, 0, "access-1"},
		{"long before the end", 900, 869 * time.Second, "access-1"},
		{"half a minute before the end", 900, 870 * time.Second, "access-2"},
		{"after the end", 900, time.Hour, "access-2"},
		{"of a few seconds", 4, 2 * time.Second, "access-1"},
		{"of a few seconds, before the end", 4, 3 * time.Second, "access-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.life = c.life
				in := w.in()
				time.Sleep(c.wait)
				if got := token(t, in); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		})
	}
}

// A hundred callers at once renew once, and one of them who goes away takes
// nobody along.
func TestOneRenewalForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.in()
		time.Sleep(time.Hour)
		w.delay = time.Second
		gone, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() { _, err := c.Token(gone); first <- err }()
		synctest.Wait()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got := token(t, c); got != "access-2" {
					t.Error(got)
				}
			})
		}
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("whoever went away: %v", err)
		}
		all.Wait()
		if n := w.count("/v1/refresh"); n != 1 {
			t.Errorf("%d renewals", n)
		}
	})
}

func TestInvalidTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	t.Run("and the request sent again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			c := w.in()
			time.Sleep(time.Minute)
			w.good = nil // revoked
			resp, err := c.HTTP().Post(api+"/tasks", "text/plain", strings.NewReader("a task"))
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			if strings.Join(w.bodies, "|") != "a task|a task" || w.count("/v1/refresh") != 1 {
				t.Errorf("%q, %d renewals", w.bodies, w.count("/v1/refresh"))
			}
		})
	})
	t.Run("by many at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			c := w.in()
			time.Sleep(time.Minute)
			w.good = nil
			w.delay = time.Second
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if status := get(t, c); status != 200 {
						t.Error(status)
					}
				})
			}
			all.Wait()
			if n := w.count("/v1/refresh"); n != 1 {
				t.Errorf("%d renewals", n)
			}
		})
	})
	t.Run("and never in a loop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			c := w.in()
			w.redirect = ""
			for range 50 { // an API that takes no token of ours
				w.set(func() { w.good = nil })
				if status := get(t, c); status != 401 {
					t.Error(status)
				}
				time.Sleep(100 * time.Millisecond)
			}
			if n := w.count("/v1/refresh"); n > 1 {
				t.Errorf("%d renewals in 5 seconds", n)
			}
		})
	})
	t.Run("however the 401 is spelled", func(t *testing.T) {
		for challenge, renewed := range map[string]bool{
			`Bearer error="invalid_token"`: true, `bearer realm="x", error=invalid_token`: true, `Basic realm="x", Bearer error="invalid_token", scope="a"`: true,
			`Bearer realm="x"`: false, `Bearer error="insufficient_scope"`: false, `DPoP error="invalid_token"`: false, `Basic realm="x"`: false, "": false,
		} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				c := w.in()
				time.Sleep(time.Minute)
				w.good, w.challenge = nil, challenge
				if status := get(t, c); (status == 200) != renewed || (w.count("/v1/refresh") == 1) != renewed {
					t.Errorf("%s: %d", challenge, status)
				}
			})
		}
	})
	t.Run("and not where the body is spent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			c := w.in()
			time.Sleep(time.Minute)
			w.good = nil
			resp, err := c.HTTP().Post(api+"/tasks", "text/plain", io.MultiReader(strings.NewReader("a task")))
			if err != nil || resp.StatusCode != 401 || len(w.bodies) != 1 {
				t.Errorf("%v %v %q", resp, err, w.bodies)
			}
			if status := get(t, c); status != 200 {
				t.Errorf("the next request: %d", status)
			}
		})
	})
	t.Run("and not for another 401", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			c := w.in()
			time.Sleep(time.Minute)
			w.fail = []func() answer{func() answer { return problem(wire.CodeInvalidCredentials) }}
			err := c.ChangePassword(t.Context(), "wrong", "new-password")
			if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != wire.CodeInvalidCredentials || e.ID != "log-id" {
				t.Errorf("%v", err)
			}
			if n := w.count("/v1/refresh"); n != 0 {
				t.Errorf("%d renewals", n)
			}
		})
	})
}

func TestSessionThatHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := new(client.Memory)
		c := w.in(func(c *client.Config) { c.Store = store })
		time.Sleep(time.Hour)
		w.ended = true
		for range 3 {
			if _, err := c.Token(t.Context()); !errors.Is(err, client.ErrSignedOut) {
				t.Errorf("%v", err)
			}
			if _, err := c.HTTP().Get(api); !errors.Is(err, client.ErrSignedOut) {
				t.Errorf("%v", err)
			}
		}
		if n := w.count("/v1/refresh"); n != 1 {
			t.Errorf("asked %d times with a token that is known to be bad", n)
		}
		if _, err := c.Login(t.Context(), "anna", "secret-password"); err != nil {
			t.Fatal(err)
		}
		if w.device[1] != "device-1" {
			t.Errorf("device token %q of an earlier log-in was not sent", w.device[1])
		}
		if got := token(t, c); got != "access-2" {
			t.Error(got)
		}
	})
}

func TestServerInTrouble(t *testing.T) {
	t.Parallel()
	busy := func(after string) func() answer {
		return func() answer {
			a := problem(wire.CodeServerBusy)
			a.header = http.Header{"Retry-After": {after}}
			return a
		}
	}
	cut := func() answer { return answer{err: errCut} }
	limited := func() answer {
		a := problem(wire.CodeRateLimited)
		a.header = http.Header{"Retry-After": {"2"}}
		return a
	}
	behind := func() answer {
		a := problem(wire.CodeStoreBehind)
		a.header = http.Header{"Retry-After": {"1"}}
		return a
	}
	for _, c := range []struct {
		name  string
		fail  []func() answer
		want  string // the token, or "" for an error
		asked int
		limit time.Duration
	}{
		{"busy once", []func() answer{busy("2")}, "access-2", 2, 3 * time.Second},
		{"busy for long", []func() answer{busy("1"), busy("1"), busy("1")}, "", 3, 4 * time.Second},
		{"busy for an hour", []func() answer{busy("3600")}, "", 1, 0},
		{"rate limited", []func() answer{limited}, "access-2", 2, 3 * time.Second},
		{"cut off", []func() answer{cut}, "access-2", 2, time.Second},
		{"gone", []func() answer{cut, cut, cut}, "", 3, 2 * time.Second},
		{"its store is behind", []func() answer{behind}, "", 1, 0},
		{"not itself", []func() answer{func() answer { return answer{status: 200, body: "hello"} }}, "", 1, 0},
		{"an answer without tokens", []func() answer{func() answer { return answer{status: 200, body: wire.TokenResponse{}} }}, "", 1, 0},
		{"an answer that never ends", []func() answer{func() answer { return answer{status: 200, body: json.RawMessage(strings.Repeat(" ", 17<<20) + "{}")} }}, "", 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				in := w.in()
				time.Sleep(time.Hour)
				w.fail = c.fail
				began := time.Now()
				got, err := in.Token(t.Context())
				if got.AccessToken != c.want || (err == nil) != (c.want != "") || errors.Is(err, client.ErrSignedOut) {
					t.Errorf("%q, %v", got.AccessToken, err)
				}
				if n := w.count("/v1/refresh"); n != c.asked || time.Since(began) > c.limit {
					t.Errorf("asked %d times in %v", n, time.Since(began))
				}
				if got := token(t, in); got != "access-2" {
					t.Errorf("afterwards: %s", got)
				}
			})
		})
	}
	t.Run("while the token is still good", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			in := w.in()
			time.Sleep(880 * time.Second)
			for range 9 {
				w.fail = append(w.fail, cut)
			}
			for range 20 {
				if got := token(t, in); got != "access-1" {
					t.Error(got)
				}
			}
			if n := w.count("/v1/refresh"); n != 3 {
				t.Errorf("asked %d times", n)
			}
		})
	})
	t.Run("a log-in with too many tries before it is not tried again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.fail = []func() answer{limited}
			_, err := w.client().Login(t.Context(), "anna", "secret-password")
			if e, ok := errors.AsType[*client.Error](err); !ok || e.RetryAfter != 2*time.Second || w.count("/v1/login") != 1 {
				t.Errorf("%v", err)
			}
		})
	})
	t.Run("it never answers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			in := w.in()
			time.Sleep(time.Hour)
			w.delay = 24 * time.Hour
			began := time.Now()
			if _, err := in.Token(context.Background()); err == nil || time.Since(began) > time.Minute {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	})
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for _, to := range []string{
		"https://evil.example/", "http://api.example.com/", "https://api.example.com:8443/", "https://api.example.com.evil.example/", "https://x.api.example.com/",
	} {
		w := newWorld(t)
		c := w.in()
		if resp, err := c.HTTP().Get(to); err == nil {
			t.Errorf("%s: %d", to, resp.StatusCode)
		}
		w.redirect = to
		req, err := http.NewRequest("GET", api+"/tasks", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.HTTP().Do(req); err != nil {
			t.Errorf("redirect to %s: %v", to, err)
		}
		if req.Header.Get("Authorization") != "" {
			t.Error("the caller's request holds the token")
		}
		if last := w.seen[len(w.seen)-1]; strings.Contains(last, "access") {
			t.Errorf("redirect to %s: sent %s", to, last)
		}
	}
	w := newWorld(t)
	c := w.in()
	for _, to := range []string{"https://API.example.com/", "https://api.example.com:443/"} {
		if _, err := c.HTTP().Get(to); err != nil || !strings.HasSuffix(w.seen[len(w.seen)-1], "access-1") {
			t.Errorf("%s: %v, sent %s", to, err, w.seen[len(w.seen)-1])
		}
	}
}

func TestService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		service := func(c *client.Config) { c.ClientID, c.ClientSecret = "app", "app secret" }
		c := w.client(service)
		if status := get(t, c); status != 200 {
			t.Error(status)
		}
		time.Sleep(time.Hour)
		if got := token(t, c); got != "access-2" {
			t.Error(got)
		}
		if _, err := c.Login(t.Context(), "anna", "x"); err == nil {
			t.Error("a service logged in as a person")
		}
		if err := c.Logout(t.Context()); err != nil || w.count("/oauth/revoke") != 1 {
			t.Errorf("%v", err)
		}
		wrong := w.client(service, func(c *client.Config) { c.ClientSecret = "wrong" })
		_, err := wrong.Token(t.Context())
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != wire.CodeInvalidClient || strings.Contains(err.Error(), "app+secret") {
			t.Errorf("%v", err)
		}
	})
}

func TestLogout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.in()
	if err := c.Logout(t.Context()); err != nil || w.count("/v1/logout") != 1 {
		t.Error(err)
	}
	if _, err := c.Token(t.Context()); !errors.Is(err, client.ErrSignedOut) {
		t.Error(err)
	}
	if err := c.Logout(t.Context()); err != nil || w.count("/v1/logout") != 1 {
		t.Errorf("again: %v", err)
	}
	c = w.in()
	w.fail = []func() answer{func() answer { return answer{err: errCut} }}
	if err := c.Logout(t.Context()); err == nil {
		t.Error("a session that goes on is not told of")
	}
	if _, err := c.Token(t.Context()); !errors.Is(err, client.ErrSignedOut) {
		t.Errorf("not forgotten: %v", err)
	}
	c = w.in()
	w.fail = []func() answer{func() answer { return problem(wire.CodeTokenInvalid) }}
	if err := c.Logout(t.Context()); err != nil || w.count("/oauth/revoke") != 1 {
		t.Errorf("with an access token of a key that is gone: %v", err)
	}
}

// Nothing that is printed, logged or an error holds a token or a password.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.in()
	got, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("x", "token", got, "pointer", &got, "state", client.State{AccessToken: "access-1", RefreshToken: "refresh-1"}, "list", []client.Token{got})
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb+"\n", got, &got, client.State{AccessToken: "access-1", RefreshToken: "refresh-1", DeviceToken: "device-1"})
	}
	if _, err := json.Marshal(got); err == nil {
		t.Error("a token is marshalled")
	}
	for _, f := range []func() answer{
		func() answer { return problem(wire.CodeInternal) },
		func() answer { return answer{err: errCut} },
		func() answer { return answer{status: 200, body: []string{"access-1 refresh-1 secret-password"}} },
		func() answer {
			return answer{status: 302, header: http.Header{"Location": {"https://evil.example/?secret-password"}}}
		},
		func() answer { return answer{status: 418, body: "secret-password"} },
	} {
		w.fail = []func() answer{f, f, f}
		_, err := c.Login(t.Context(), "anna", "secret-password")
		fmt.Fprintln(&log, err)
		w.fail = []func() answer{f, f, f}
		_, err = c.Me(t.Context())
		fmt.Fprintln(&log, err)
	}
	w.fail = nil
	for _, secret := range []string{"access-", "refresh-", "device-", "secret-password"} {
		if at := strings.Index(log.String(), secret); at >= 0 {
			t.Errorf("%s: %s", secret, log.String()[max(0, at-60):min(at+30, log.Len())])
		}
	}
}

func TestMe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.in()
	me, err := c.Me(t.Context())
	if err != nil || me.Username != "anna" {
		t.Errorf("%v %v", me, err)
	}
	_, err = c.Sessions(t.Context())
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != 404 || e.Code != wire.CodeNotFound {
		t.Errorf("%v", err)
	}
}
