package jwks

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

const url = "https://auth.example.com/keys"

func generate(t testing.TB) *jwk.PrivateKey {
	t.Helper()
	key, err := jwk.Generate(jwk.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func document(t testing.TB, keys ...*jwk.PrivateKey) string {
	t.Helper()
	var public []jwk.Verifier
	for _, k := range keys {
		public = append(public, k.Public())
	}
	set, err := jwk.NewSet(public...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// endpoint answers like an issuer, without a network.
type endpoint struct {
	mu      sync.Mutex
	fetches int
	asked   []string // If-None-Match of each
	status  int
	body    string
	header  http.Header
	delay   time.Duration
	err     error
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	e.fetches++
	e.asked = append(e.asked, r.Header.Get("If-None-Match"))
	status, body, header, delay, err := e.status, e.body, e.header.Clone(), e.delay, e.err
	e.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/jwk-set+json")
	if etag := header.Get("ETag"); etag != "" && r.Header.Get("If-None-Match") == etag {
		status, body = http.StatusNotModified, ""
	}
	return &http.Response{StatusCode: max(status, 200), Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func (e *endpoint) set(change func(e *endpoint)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e)
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fetches
}

func (e *endpoint) remote(t testing.TB, c Config) *Remote {
	t.Helper()
	c.URL, c.Client, c.Log = url, &http.Client{Transport: e}, slog.New(slog.DiscardHandler)
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func knows(r *Remote, key *jwk.PrivateKey) error {
	k, err := r.Key(context.Background(), key.KeyID())
	if err == nil && !r.Trusts(k) {
		return errors.New("the key is known but not trusted")
	}
	return err
}

func TestRemote(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := generate(t), generate(t)
		e := &endpoint{body: document(t, a), header: http.Header{"Cache-Control": {"public, max-age=600"}, "Etag": {`"1"`}}}
		r := e.remote(t, Config{})
		defer r.Close()
		for range 100 {
			if err := knows(r, a); err != nil {
				t.Fatal(err)
			}
		}
		if e.count() != 1 {
			t.Errorf("%d fetches for one key", e.count())
		}
		held, _ := r.Key(context.Background(), a.KeyID())

		// In the background, and only when the answer is no longer fresh.
		time.Sleep(479 * time.Second)
		if e.count() != 1 {
			t.Errorf("%d fetches before max-age", e.count())
		}
		time.Sleep(121 * time.Second)
		synctest.Wait()
		if e.count() != 2 || e.asked[1] != `"1"` {
			t.Errorf("%d fetches after max-age, If-None-Match %q", e.count(), e.asked)
		}
		if k, _ := r.Key(context.Background(), a.KeyID()); k != held || !r.Trusts(held) {
			t.Error("304: the key lost its identity")
		}
		// A new key beside the old one leaves the old one what it was.
		e.set(func(e *endpoint) { e.body, e.header = document(t, b, a), nil })
		if err := r.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if k, _ := r.Key(context.Background(), a.KeyID()); k != held || !r.Trusts(held) {
			t.Error("200: the key lost its identity")
		}
		if err := knows(r, b); err != nil {
			t.Error(err)
		}
		// Another key under the same id is another key.
		impostor, err := jwk.ParsePrivate(withKeyID(t, generate(t), a.KeyID()))
		if err != nil {
			t.Fatal(err)
		}
		e.set(func(e *endpoint) { e.body = document(t, impostor) })
		if err := r.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if r.Trusts(held) {
			t.Error("the key that was replaced is still trusted")
		}
	})
}

func withKeyID(t *testing.T, key *jwk.PrivateKey, kid string) []byte {
	t.Helper()
	text, err := key.MarshalPrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(text, []byte(key.KeyID()), []byte(kid), 1)
}

// TestJWK01 lists what a document may not hold, or what is skipped in it.
func TestJWK01(t *testing.T) {
	t.Parallel()
	good := generate(t)
	whole := document(t, good)
	jwkText := strings.TrimSuffix(strings.TrimPrefix(whole, `{"keys":[`), `]}`)
	private, err := generate(t).MarshalPrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	with := func(other string) string { return `{"keys":[` + jwkText + `,` + other + `]}` }
	many := make([]string, 10_000)
	for i := range many {
		many[i] = strings.Replace(jwkText, good.KeyID(), fmt.Sprintf("k%d", i), 1)
	}
	for _, c := range []struct {
		name, body string
		good       bool
	}{
		{"a set", whole, true},
		{"an unknown kty is skipped", with(`{"kty":"PQ","kid":"x"}`), true},
		{"an unknown crv is skipped", with(`{"kty":"EC","crv":"P-999","x":"AA","y":"AA","kid":"x"}`), true},
		{"a key for encryption is skipped", with(strings.Replace(strings.Replace(jwkText, good.KeyID(), "x", 1), `"sig"`, `"enc"`, 1)), true},
		{"a private member", with(string(private)), false},
		{"an oct key", with(`{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U","alg":"HS256","kid":"x"}`), false},
		{"a duplicate kid", with(jwkText), false},
		{"10,000 keys", `{"keys":[` + strings.Join(many, ",") + `]}`, false},
		{"101 keys", `{"keys":[` + strings.Join(many[:101], ",") + `]}`, false},
		{"100 MB", `{"keys":[` + strings.Repeat(" ", 100<<20) + `]}`, false},
		{"no keys", `{"keys":[]}`, false},
		{"no key that can be used", `{"keys":[{"kty":"PQ"}]}`, false},
		{"not JSON", `hello`, false},
		{"empty", ``, false},
		{"duplicate members", `{"keys":[],"keys":[` + jwkText + `]}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := (&endpoint{body: c.body}).remote(t, Config{})
			err := r.Refresh(context.Background())
			if (err == nil) != c.good {
				t.Errorf("refresh: %v", err)
			}
			if err := knows(r, good); (err == nil) != c.good || !c.good && !errors.Is(err, jwt.ErrKeysUnavailable) {
				t.Errorf("key: %v", err)
			}
		})
	}
}

// TestJWK02UnknownKeyStorm: strangers who invent key ids cause one fetch per
// cool-down and disturb nobody else.
func TestJWK02UnknownKeyStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := generate(t), generate(t)
		e := &endpoint{body: document(t, a), delay: 100 * time.Millisecond, header: http.Header{"Cache-Control": {"max-age=3600"}}}
		r := e.remote(t, Config{})
		defer r.Close()
		if err := r.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		storm := func() {
			t.Helper()
			var callers sync.WaitGroup
			for i := range 10_000 {
				callers.Go(func() {
					if _, err := r.Key(context.Background(), fmt.Sprintf("junk%d", i)); !errors.Is(err, jwk.ErrUnknownKey) {
						t.Errorf("got %v", err)
					}
				})
			}
			if err := knows(r, a); err != nil {
				t.Errorf("a known key waited for strangers: %v", err)
			}
			callers.Wait()
		}
		before := e.count()
		storm()
		storm()
		if n := e.count() - before; n != 1 {
			t.Errorf("%d fetches within one cool-down", n)
		}
		if len(r.missing) > maxMissing {
			t.Errorf("%d ids remembered", len(r.missing))
		}
		// A new key is found by the next fetch, whoever causes it.
		e.set(func(e *endpoint) { e.body = document(t, a, b) })
		time.Sleep(11 * time.Second)
		before = e.count()
		if err := knows(r, b); err != nil {
			t.Errorf("the new key: %v", err)
		}
		storm()
		if n := e.count() - before; n != 1 {
			t.Errorf("%d fetches within the next cool-down", n)
		}
	})
}

func TestNegativeCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, late := generate(t), generate(t)
		e := &endpoint{body: document(t, a), header: http.Header{"Cache-Control": {"max-age=3600"}}}
		r := e.remote(t, Config{CoolDown: time.Second})
		defer r.Close()
		if err := knows(r, a); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		for range 20 { // 20 cool-downs
			if err := knows(r, late); !errors.Is(err, jwk.ErrUnknownKey) {
				t.Errorf("got %v", err)
			}
			time.Sleep(2 * time.Second)
		}
		if e.count() != 2 {
			t.Errorf("%d fetches for one id that leads nowhere", e.count())
		}
		e.set(func(e *endpoint) { e.body = document(t, a, late) })
		time.Sleep(missingFor)
		if err := knows(r, late); err != nil {
			t.Errorf("an id is forgotten to be missing: %v", err)
		}
		// Where keys have changed, an id that led nowhere may lead somewhere.
		later, last := generate(t), generate(t)
		time.Sleep(2 * time.Second)
		if err := knows(r, last); !errors.Is(err, jwk.ErrUnknownKey) {
			t.Errorf("got %v", err)
		}
		e.set(func(e *endpoint) { e.body = document(t, a, late, later) })
		time.Sleep(2 * time.Second)
		if err := knows(r, later); err != nil {
			t.Errorf("the next key: %v", err)
		}
		e.set(func(e *endpoint) { e.body = document(t, a, late, later, last) })
		time.Sleep(2 * time.Second)
		if err := knows(r, last); err != nil {
			t.Errorf("an id from before the keys changed: %v", err)
		}
	})
}

// A cool-down that never ends leaves the renewal of what is known as it is.
func TestEndlessCoolDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := generate(t)
		e := &endpoint{body: document(t, a)}
		r := e.remote(t, Config{CoolDown: math.MaxInt64})
		defer r.Close()
		if err := knows(r, a); err != nil {
			t.Fatal(err)
		}
		e.set(func(e *endpoint) { e.status = 500 })
		time.Sleep(time.Hour)
		if n := e.count(); n < 50 || n > 100 {
			t.Errorf("%d fetches", n)
		}
		if err := knows(r, a); err != nil {
			t.Error(err)
		}
	})
}

// TestJWK03LastGood: whatever goes wrong, the last good set stays until it is
// stale, then nothing is trusted, then it recovers.
func TestJWK03LastGood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(e *endpoint)
	}{
		{"status 500", func(e *endpoint) { e.status = 500 }},
		{"status 404", func(e *endpoint) { e.status = 404 }},
		{"connection refused", func(e *endpoint) { e.err = errors.New("connection refused") }},
		{"never answers", func(e *endpoint) { e.delay = 24 * time.Hour }},
		{"empty keys", func(e *endpoint) { e.body = `{"keys":[]}` }},
		{"not JSON", func(e *endpoint) { e.body = `<html>` }},
		{"a redirect to another origin", func(e *endpoint) { e.status, e.header = 302, http.Header{"Location": {"https://169.254.169.254/keys"}} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := generate(t)
				e := &endpoint{body: document(t, a)}
				r := e.remote(t, Config{MaxStale: time.Hour})
				defer r.Close()
				if err := knows(r, a); err != nil {
					t.Fatal(err)
				}
				held, _ := r.Key(context.Background(), a.KeyID())
				good := e.body
				time.Sleep(time.Minute)
				e.set(c.change)
				began := e.count()
				time.Sleep(58 * time.Minute)
				if err := knows(r, a); err != nil || !r.Trusts(held) {
					t.Errorf("within MaxStale: %v", err)
				}
				if n := e.count() - began; n < 10 || n > 120 {
					t.Errorf("%d tries in an hour", n)
				}
				time.Sleep(2 * time.Minute)
				if err := knows(r, a); !errors.Is(err, jwt.ErrKeysUnavailable) || r.Trusts(held) {
					t.Errorf("beyond MaxStale: %v, trusted: %v", err, r.Trusts(held))
				}
				e.set(func(e *endpoint) { e.status, e.err, e.delay, e.body, e.header = 0, nil, 0, good, nil })
				time.Sleep(2 * time.Minute)
				if err := knows(r, a); err != nil || !r.Trusts(held) {
					t.Errorf("recovered: %v", err)
				}
			})
		})
	}
}

// TestUnknownKeyWhileStale: a set past its age cannot say that a key does not
// exist; one that is fresh can.
func TestUnknownKeyWhileStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := generate(t)
		e := &endpoint{body: document(t, a), header: http.Header{"Cache-Control": {"max-age=600"}}}
		r := e.remote(t, Config{})
		defer r.Close()
		if err := knows(r, a); err != nil {
			t.Fatal(err)
		}
		e.set(func(e *endpoint) { e.status = 500 })
		time.Sleep(5 * time.Minute)
		if err := knows(r, generate(t)); !errors.Is(err, jwk.ErrUnknownKey) {
			t.Errorf("fresh: %v", err)
		}
		time.Sleep(10 * time.Minute)
		if err := knows(r, generate(t)); !errors.Is(err, jwt.ErrKeysUnavailable) {
			t.Errorf("past its age: %v", err)
		}
	})
}

// TestJWK04Rotation: three verifiers with staggered caches see a planned
// rotation without one failure, and a removed key is refused within max-age.
func TestJWK04Rotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old, next := generate(t), generate(t)
		e := &endpoint{body: document(t, old), header: http.Header{"Cache-Control": {"max-age=300"}}}
		var remotes []*Remote
		for range 3 {
			r := e.remote(t, Config{})
			defer r.Close()
			if err := knows(r, old); err != nil {
				t.Fatal(err)
			}
			remotes = append(remotes, r)
			time.Sleep(97 * time.Second)
		}
		use := func(key *jwk.PrivateKey, d time.Duration) {
			t.Helper()
			for range int(d / time.Second) {
				for i, r := range remotes {
					if err := knows(r, key); err != nil {
						t.Fatalf("verifier %d: %v", i, err)
					}
				}
				time.Sleep(time.Second)
			}
		}
		use(old, 10*time.Minute)
		e.set(func(e *endpoint) { e.body = document(t, old, next) }) // announced
		use(old, 5*time.Minute)
		before := e.count()
		use(next, time.Minute) // active
		if n := e.count() - before; n > 6 {
			t.Errorf("the new key caused %d fetches", n)
		}
		use(old, 15*time.Minute) // retiring: its tokens still live
		e.set(func(e *endpoint) { e.body = document(t, next) })
		time.Sleep(5*time.Minute + time.Second)
		for i, r := range remotes {
			if err := knows(r, old); !errors.Is(err, jwk.ErrUnknownKey) {
				t.Errorf("verifier %d, removed key: %v", i, err)
			}
		}
	})
}

// TestCallerGivesUp: one impatient caller does not spoil the fetch for others.
func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := generate(t)
		e := &endpoint{body: document(t, a), delay: 5 * time.Second}
		r := e.remote(t, Config{})
		defer r.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		patient := make(chan error)
		go func() { patient <- func() error { time.Sleep(500 * time.Millisecond); return knows(r, a) }() }()
		if _, err := r.Key(ctx, a.KeyID()); !errors.Is(err, jwt.ErrKeysUnavailable) {
			t.Errorf("impatient: %v", err)
		}
		if err := <-patient; err != nil || e.count() != 1 {
			t.Errorf("patient: %v, %d fetches", err, e.count())
		}
	})
}

// TestClose: nothing is left running, not even a fetch that hangs.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := generate(t)
		e := &endpoint{body: document(t, a)}
		r := e.remote(t, Config{})
		if err := knows(r, a); err != nil {
			t.Fatal(err)
		}
		e.set(func(e *endpoint) { e.delay = time.Hour })
		go func() { _ = r.Refresh(context.Background()) }()
		synctest.Wait()
		began := time.Now()
		r.Close()
		if time.Since(began) > 0 {
			t.Errorf("closing took %v", time.Since(began))
		}
		if err := knows(r, a); err != nil {
			t.Errorf("keys already held: %v", err)
		}
		if err := r.Refresh(context.Background()); err == nil {
			t.Error("a closed remote fetched")
		}
		n := e.count()
		time.Sleep(2 * time.Hour)
		if e.count() != n {
			t.Error("a closed remote fetched by itself")
		}
	})
}

func TestAge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, control, age string
		want               time.Duration
	}{
		{"nothing said", "", "", defaultAge},
		{"max-age", "public, max-age=900", "", 15 * time.Minute},
		{"upper case, quoted", `Max-Age="900"`, "", 15 * time.Minute},
		{"held by a cache on the way", "max-age=900", "300", 10 * time.Minute},
		{"too long", "max-age=31536000", "", maxAge},
		{"too short", "max-age=1", "", minAge},
		{"older than fresh", "max-age=900", "5000", minAge},
		{"no-cache", "no-cache, max-age=900", "", minAge},
		{"no-store", "no-store", "", minAge},
		{"not a number", "max-age=-1", "x", defaultAge},
		{"overflow", "max-age=99999999999999999999", "", defaultAge},
	} {
		if got := age(http.Header{"Cache-Control": {c.control}, "Age": {c.age}}); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := New(Config{URL: "http://auth.example.com/keys", MaxStale: time.Second, CoolDown: time.Millisecond})
	for _, want := range []string{"URL", "MaxStale", "CoolDown"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if _, err := Discover(t.Context(), "https://auth.example.com", Config{URL: url}); err == nil {
		t.Error("Discover took a URL")
	}
}

// TestOverHTTP: discovery and a real, compressed answer; a bomb is refused.
func TestOverHTTP(t *testing.T) {
	t.Parallel()
	a := generate(t)
	var base string
	bomb := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/keys" {
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, base, base+"/keys")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, document(t, a))
		if bomb {
			_, _ = z.Write(make([]byte, 2*maxSize))
		}
		_ = z.Close()
	}))
	t.Cleanup(s.Close)
	base = s.URL
	r, err := Discover(t.Context(), base, Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := knows(r, a); err != nil {
		t.Error(err)
	}
	bomb = true
	if err := r.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("JWK-03 gzip bomb: %v", err)
	}
	if err := knows(r, a); err != nil {
		t.Error(err)
	}
}

func BenchmarkTrusts(b *testing.B) {
	a := generate(b)
	r := (&endpoint{body: document(b, a)}).remote(b, Config{})
	key, err := r.Key(b.Context(), a.KeyID())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !r.Trusts(key) {
				b.Error("not trusted")
			}
		}
	})
}

// An issuer that names no algorithm for its RSA keys gets the one that was
// configured, and none else.
func TestRSAAlgorithm(t *testing.T) {
	t.Parallel()
	key, err := jwk.Generate(jwk.RS256)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Replace(document(t, key), `"alg":"RS256",`, "", 1)
	for _, c := range []struct {
		alg jwk.Algorithm
		ok  bool
	}{{"", false}, {jwk.RS256, true}, {jwk.PS256, true}} {
		t.Run(string(c.alg), func(t *testing.T) {
			t.Parallel()
			e := &endpoint{body: body}
			r := e.remote(t, Config{RSAAlgorithm: c.alg})
			got, err := r.Key(t.Context(), key.KeyID())
			if (err == nil) != c.ok || c.ok && got.Algorithm() != c.alg {
				t.Fatalf("%v, %v", got, err)
			}
			if !c.ok && !strings.Contains(err.Error(), "RSAAlgorithm") {
				t.Errorf("the error does not say what to do: %v", err)
			}
		})
	}
	for _, alg := range []jwk.Algorithm{"none", jwk.HS256, jwk.ES256, "RSA-OAEP"} {
		if _, err := New(Config{URL: url, RSAAlgorithm: alg}); err == nil || !strings.Contains(err.Error(), "RSAAlgorithm") {
			t.Errorf("%q: %v", alg, err)
		}
	}
}
