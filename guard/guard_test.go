package guard_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/wire"
)

func call(h http.Handler, token string) (status int, challenge string) {
	r := httptest.NewRequest("GET", "/", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Header().Get("WWW-Authenticate")
}

func ok(w http.ResponseWriter, r *http.Request) {}

func within(t *testing.T, limit time.Duration, what string, done func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		runtime.Gosched()
	}
	return time.Since(began)
}

// TestConnected follows a real issuer over real HTTP: from the first call
// through a rotation, a revocation and the issuer's restart.
func TestConnected(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(nil)
	address := s.Listener.Addr().String()
	issuer := newIssuer(t, "http://"+address)
	s.Config.Handler = issuer
	s.Start()
	defer func() { s.Close() }()

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var documents atomic.Int32
	g, err := guard.New(ctx, guard.Config{Issuer: issuer.url, Audience: audience, Log: quiet(),
		OnRevocations: func(*revocation.Document) { documents.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	api := g.HandlerFunc(ok)
	expect := func(when, token string, want int) {
		t.Helper()
		if got, _ := call(api, token); got != want {
			t.Errorf("%s: %d, want %d", when, got, want)
		}
	}

	first, second := issuer.token(jwt.Claims{SessionID: "first"}), issuer.token(jwt.Claims{SessionID: "second"})
	expect("a token", first, 200)
	expect("a warm token", first, 200)
	if _, challenge := call(api, ""); challenge != `Bearer realm="`+audience+`"` {
		t.Errorf("challenge %q", challenge)
	}

	issuer.end("first")
	took := within(t, time.Second, "the revoked token is refused", func() bool { status, _ := call(api, first); return status == 401 })
	t.Logf("refused %v after the revocation", took)
	expect("another session", second, 200)
	if documents.Load() < 2 {
		t.Errorf("OnRevocations saw %d documents", documents.Load())
	}

	issuer.rotate()
	third := issuer.token(jwt.Claims{SessionID: "third"})
	expect("JWK-04 a token of the new key", third, 200)
	expect("JWK-04 a token of the old key", second, 200)

	s.CloseClientConnections()
	s.Listener.Close()
	issuer.setDown(true) // answers of the old process are over
	expect("while the issuer is down", third, 200)
	expect("while the issuer is down, revoked", first, 401)
	issuer.setDown(false)
	issuer.end("second")
	var l net.Listener
	within(t, 10*time.Second, "the port is free again", func() bool { l, err = net.Listen("tcp", address); return err == nil })
	again := &http.Server{Handler: issuer}
	go func() { _ = again.Serve(l) }()
	defer again.Close()
	within(t, 10*time.Second, "the guard follows the restarted issuer", func() bool { status, _ := call(api, second); return status == 401 })
	expect("after the restart", third, 200)
}

// connected builds a guard whose issuer is in memory and whose clock is the
// test's, and waits for it.
func connected(t *testing.T, c guard.Config) (*testIssuer, *guard.Guard) {
	t.Helper()
	issuer := newIssuer(t, issuerName)
	c.Issuer, c.Audience, c.Log, c.Client = issuerName, audience, quiet(), &http.Client{Transport: inMemory{issuer}}
	g, err := guard.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return issuer, g
}

// TestFeedCutOff: the guard goes on for MaxStale, then says 503, never 401.
func TestFeedCutOff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config guard.Config
		after  int
	}{
		{"closed", guard.Config{}, 503},
		{"closed sooner", guard.Config{MaxStale: 20 * time.Second}, 503},
		{"open", guard.Config{DangerouslyFailOpen: true}, 200},
		{"without revocation", guard.Config{DangerouslyIgnoreRevocation: true}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				issuer, g := connected(t, c.config)
				defer g.Close()
				api := g.HandlerFunc(ok)
				token := issuer.token(jwt.Claims{SessionID: "s1"})
				ended := issuer.token(jwt.Claims{SessionID: "s2"})
				expect := func(when, token string, want int) {
					t.Helper()
					synctest.Wait()
					if got, _ := call(api, token); got != want {
						t.Errorf("%s: %d, want %d", when, got, want)
					}
				}
				refused := 401
				if c.config.DangerouslyIgnoreRevocation {
					refused = 200
				}
				expect("connected", token, 200)
				issuer.end("s2")
				expect("the moment the session ended", ended, refused)
				time.Sleep(5 * time.Minute)
				expect("connected for long", token, 200)
				stale := max(c.config.MaxStale, 20*time.Second)
				if c.config.MaxStale == 0 {
					stale = time.Minute
				}
				if age, ok := g.FeedAge(); ok == c.config.DangerouslyIgnoreRevocation || age > 30*time.Second {
					t.Errorf("connected: the feed's age is %v, %v", age, ok)
				}
				issuer.setDown(true)
				expect("cut off", token, 200)
				time.Sleep(stale - 26*time.Second)
				if stale > 26*time.Second {
					expect("cut off for a while", token, 200)
				}
				time.Sleep(28 * time.Second)
				expect("cut off for too long", token, c.after)
				expect("cut off for too long, revoked", ended, refused)
				if age, ok := g.FeedAge(); ok == c.config.DangerouslyIgnoreRevocation || ok && age < stale {
					t.Errorf("cut off: the feed's age is %v, %v", age, ok)
				}
				issuer.setDown(false)
				time.Sleep(5 * time.Second)
				expect("healed", token, 200)
			})
		})
	}
}

// TestNewTellsWhatIsMissing: the error names what was tried and what to do.
func TestNewTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		break_  func(i *testIssuer)
		waits   bool // until the context ends
		message []string
	}{
		{"nobody answers", func(i *testIssuer) { i.down = true }, true, []string{"metadata", "502", issuerName, "NewLazy"}},
		{"metadata of another issuer", func(i *testIssuer) { i.change = func(m *wire.Metadata) { m.Issuer += "/" } }, false, []string{"another issuer", issuerName + "/"}},
		{"no feed", func(i *testIssuer) { i.change = func(m *wire.Metadata) { m.RevocationsURI = "" } }, false, []string{"no revocation feed", "DangerouslyIgnoreRevocation"}},
		{"no keys", func(i *testIssuer) { i.change = func(m *wire.Metadata) { m.JWKSURI += "x" } }, true, []string{"keys", "404"}},
		{"keys over plain http", func(i *testIssuer) { i.change = func(m *wire.Metadata) { m.JWKSURI = "http://auth.example.com/keys" } }, false, []string{"keys", "https"}},
		{"no keys of the feed", func(i *testIssuer) { i.change = func(m *wire.Metadata) { m.RevocationsJWKSURI += "x" } }, true, []string{"keys of the revocation feed", "404"}},
		{"a feed signed by another key", func(i *testIssuer) {
			i.feedKey = i.key
			i.change = func(m *wire.Metadata) { m.RevocationsJWKSURI = i.url + "/keys" }
			i.rotateFeed()
		}, true,
			[]string{"revocations", "unknown key"}},
		{"no feed where it is said to be", func(i *testIssuer) { i.change = func(m *wire.Metadata) { m.RevocationsURI += "x" } }, true, []string{"revocations", "404"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				issuer := newIssuer(t, issuerName)
				c.break_(issuer)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				began := time.Now()
				g, err := guard.New(ctx, guard.Config{Issuer: issuerName, Audience: audience, Log: quiet(), Client: &http.Client{Transport: inMemory{issuer}}})
				if err == nil || g != nil {
					t.Fatalf("got %v, %v", g, err)
				}
				if errors.Is(err, context.DeadlineExceeded) != c.waits || (time.Since(began) >= 10*time.Second) != c.waits {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				for _, want := range c.message {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q is not in: %v", want, err)
					}
				}
			})
		})
	}
}

func (i *testIssuer) rotateFeed() { i.feedKey = generate(i.t) }

func TestNewLazy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer(t, issuerName)
		issuer.down = true
		g, err := guard.NewLazy(guard.Config{Issuer: issuerName, Audience: audience, Log: quiet(), Client: &http.Client{Transport: inMemory{issuer}}})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		api, token := g.HandlerFunc(ok), issuer.token(jwt.Claims{})
		for range 3 {
			if status, _ := call(api, token); status != 503 {
				t.Errorf("not connected: %d", status)
			}
			if status, _ := call(api, ""); status != 401 {
				t.Errorf("not connected, no token: %d", status)
			}
			time.Sleep(20 * time.Second)
		}
		issuer.setDown(false)
		time.Sleep(6 * time.Second)
		if status, _ := call(api, token); status != 200 {
			t.Errorf("connected: %d", status)
		}
	})
}

// A fault in what the issuer says refuses every token, and ends when it is put
// right.
func TestNewLazyRecovers(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]func(m *wire.Metadata){
		"another issuer": func(m *wire.Metadata) { m.Issuer += "/" },
		"no feed":        func(m *wire.Metadata) { m.RevocationsURI = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				issuer := newIssuer(t, issuerName)
				issuer.change = wrong
				g, err := guard.NewLazy(guard.Config{Issuer: issuerName, Audience: audience, Log: quiet(), Client: &http.Client{Transport: inMemory{issuer}}})
				if err != nil {
					t.Fatal(err)
				}
				defer g.Close()
				api, token := g.HandlerFunc(ok), issuer.token(jwt.Claims{})
				time.Sleep(time.Minute)
				if status, _ := call(api, token); status != 503 {
					t.Errorf("wrong metadata: %d", status)
				}
				if _, ok := g.FeedAge(); ok {
					t.Error("a feed has an age that was never read")
				}
				issuer.mu.Lock()
				issuer.change = nil
				issuer.mu.Unlock()
				time.Sleep(6 * time.Second)
				if status, _ := call(api, token); status != 200 {
					t.Errorf("put right: %d", status)
				}
			})
		})
	}
}

// TestClose: a guard leaves nothing running, whatever it was doing. A bubble
// whose goroutines remain fails its test.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]bool{"connected": false, "connecting": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				issuer := newIssuer(t, issuerName)
				issuer.down = down
				g, err := guard.NewLazy(guard.Config{Issuer: issuerName, Audience: audience, Log: quiet(), Client: &http.Client{Transport: inMemory{issuer}}})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				g.Close()
				g.Close()
				before := issuer.requests.Load()
				time.Sleep(3 * time.Hour)
				if n := issuer.requests.Load() - before; n != 0 {
					t.Errorf("%d requests after Close", n)
				}
			})
		})
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	verifier := jotsmithtest.New(t).Verifier("")
	for _, c := range []struct {
		name   string
		config guard.Config
		want   []string
	}{
		{"nothing", guard.Config{}, []string{"Issuer", "Audience"}},
		{"plain http", guard.Config{Issuer: "http://auth.example.com", Audience: audience}, []string{"https"}},
		{"an audience that would break the challenge", guard.Config{Issuer: issuerName, Audience: "a\"\r\nx"}, []string{"Audience"}},
		{"all at once", guard.Config{Issuer: "x", Audience: "a b", MaxStale: time.Second, Leeway: time.Hour}, []string{"Issuer", "Audience", "MaxStale", "Leeway"}},
		{"a verifier and an issuer", guard.Config{Issuer: issuerName, Verifier: verifier}, []string{"Verifier decides"}},
		{"a verifier and a danger", guard.Config{DangerouslyFailOpen: true, Verifier: verifier}, []string{"Verifier decides"}},
		{"no feed, but fail open", guard.Config{Issuer: issuerName, Audience: audience, DangerouslyIgnoreRevocation: true, DangerouslyFailOpen: true}, []string{"DangerouslyIgnoreRevocation"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g, err := guard.NewLazy(c.config)
			if g != nil || err == nil {
				t.Fatalf("got %v, %v", g, err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	var seen []guard.Observation
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier(""), Log: quiet(), Observe: func(r *http.Request, o guard.Observation) { seen = append(seen, o) }})
	if err != nil {
		t.Fatal(err)
	}
	api := g.HandlerFunc(ok)
	token := issuer.Token(jwt.Claims{})
	for _, sent := range []string{token, token, "hello", ""} {
		call(api, sent)
	}
	call(g.HandlerFunc(ok, brokenRule{}), token)
	if len(seen) != 5 {
		t.Fatalf("%d observations", len(seen))
	}
	for i, want := range []struct{ token, err, warm, took bool }{
		{true, false, false, true}, {true, false, true, true}, {false, true, false, true}, {false, true, false, false}, {true, true, true, true},
	} {
		o := seen[i]
		if (o.Token != nil) != want.token || (o.Err != nil) != want.err || o.Warm != want.warm || (o.Took > 0) != want.took {
			t.Errorf("observation %d: %+v", i, o)
		}
	}
}

func TestTokenOfAnUnguardedRequest(t *testing.T) {
	t.Parallel()
	if tok := guard.Token(httptest.NewRequest("GET", "/", nil)); tok != nil {
		t.Errorf("got %v", tok)
	}
}

// TestConcurrently uses one guard from many goroutines while sessions end.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	issuer := newIssuer(t, issuerName)
	g, err := guard.New(t.Context(), guard.Config{Issuer: issuerName, Audience: audience, Log: quiet(), Client: &http.Client{Transport: inMemory{issuer}}})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	api := g.HandlerFunc(ok)
	lives := issuer.token(jwt.Claims{SessionID: "lives"})
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 300 {
				if status, _ := call(api, lives); status != 200 {
					t.Errorf("a good token: %d", status)
					return
				}
			}
		})
	}
	for _, session := range []string{"a", "b", "c"} {
		token := issuer.token(jwt.Claims{SessionID: session})
		call(api, token)
		issuer.end(session)
		within(t, time.Second, "refused", func() bool { status, _ := call(api, token); return status == 401 })
	}
	work.Wait()
}
