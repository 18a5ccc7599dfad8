package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var jsonTypes = []string{"application/json"}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, configured string) *http.Client {
	t.Helper()
	c, err := Client(configured)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, url string
		ok        bool
	}{
		{"https", "https://auth.example.com/keys", true},
		{"https on a private address", "https://10.0.0.7:8443", true},
		{"http on loopback", "http://127.0.0.1:8080", true},
		{"http on IPv6 loopback", "http://[::1]:8080", true},
		{"http on localhost", "http://localhost:8080", true},
		{"http beyond loopback", "http://auth.example.com", false},
		{"http on a name that begins like loopback", "http://localhost.example.com", false},
		{"http on a name that begins like an address", "http://127.0.0.1.example.com", false},
		{"file", "file:///etc/passwd", false},
		{"gopher", "gopher://127.0.0.1", false},
		{"no scheme", "auth.example.com", false},
		{"opaque", "https:auth.example.com", false},
		{"no host", "https:///keys", false},
		{"user", "https://user:secret@auth.example.com", false},
		{"fragment", "https://auth.example.com/#x", false},
		{"empty", "", false},
		{"malformed", "https://%zz", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := CheckURL(c.url)
			if (err == nil) != c.ok {
				t.Errorf("%q: %v", c.url, err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes a password: %v", err)
			}
		})
	}
}

func TestIsPublic(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.255.255.254": false, "::1": false, "::ffff:127.0.0.1": false,
		"10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "::ffff:10.1.2.3": false, "fd00::1": false,
		"169.254.169.254": false, "::ffff:169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "fd00:ec2::254": false,
		"100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false, "255.255.255.255": false, "224.0.0.1": false, "ff02::1": false,
		"::ffff:100.64.0.1": false, "::ffff:0.1.2.3": false, "198.18.0.1": false, "192.0.0.1": false, "240.0.0.1": false,
		"::127.0.0.1": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false, "2001:0:7f00:1::": false, "fec0::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: public %v, want %v", addr, got, want)
		}
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	bomb := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		zeros := make([]byte, 1<<20)
		for range 4 {
			_, _ = z.Write(zeros)
		}
		_ = z.Close()
		return b.Bytes()
	}()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		switch r.URL.Path {
		case "/ok":
			w.Header().Set("ETag", `"v1"`)
			if r.Header.Get("If-None-Match") == `"v1"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write([]byte(`{}`))
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/metadata-service":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "/mapped":
			http.Redirect(w, r, "http://[::ffff:127.0.0.1]:1/", http.StatusFound)
		case "/html":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(`{}`))
		case "/500":
			w.WriteHeader(500)
		case "/304":
			w.WriteHeader(304)
		case "/large":
			_, _ = w.Write(make([]byte, 1001))
		case "/exact":
			_, _ = w.Write(make([]byte, 1000))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		case "/slow": // one byte, then nothing: the body never ends
			_, _ = w.Write([]byte(`{`))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/silent":
			<-r.Context().Done()
		}
	})
	c := client(t, s.URL)
	for _, tc := range []struct{ name, path, wantErr string }{
		{"a document", "/ok", ""},
		{"exactly the limit", "/exact", ""},
		{"redirect within the origin", "/moved", ""},
		{"redirect loop", "/loop", "redirects"},
		{"JWK-03 redirect to another origin", "/away", "another origin"},
		{"JWK-03 redirect to a file", "/file", "another origin"},
		{"JWK-03 redirect to a cloud's metadata service", "/metadata-service", "another origin"},
		{"JWK-03 redirect to a mapped loopback address", "/mapped", "another origin"},
		{"JWK-01 wrong content type", "/html", "text/html"},
		{"JWK-03 status 500", "/500", "500"},
		{"304 that was not asked for", "/304", "304"},
		{"over the limit", "/large", "larger than 1000"},
		{"JWK-03 gzip bomb", "/bomb", "larger than 1000"},
		{"JWK-03 slow body", "/slow", "deadline"},
		{"JWK-03 silent server", "/silent", "deadline"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			timeout := 10 * time.Second
			if tc.wantErr == "deadline" {
				timeout = 200 * time.Millisecond
			}
			r, err := Get(context.Background(), c, Request{URL: s.URL + tc.path, Types: jsonTypes, MaxSize: 1000, Timeout: timeout})
			if (r == nil) == (err == nil) {
				t.Fatalf("got %v and %v: want an answer or an error", r, err)
			}
			if (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("got %v, want %q", err, tc.wantErr)
			}
			if elsewhere.Load() != 0 {
				t.Error("the other origin was called")
			}
		})
	}
}

func TestGetNotModified(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(304) })
	r, err := Get(context.Background(), client(t, s.URL), Request{URL: s.URL, Types: jsonTypes, ETag: `"v1"`, MaxSize: 1, Timeout: time.Minute})
	if err != nil || !r.NotModified {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestStatusErrorIsTyped(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(404)
	})
	_, err := Get(context.Background(), client(t, s.URL), Request{URL: s.URL, Types: jsonTypes, MaxSize: 1, Timeout: time.Minute})
	if se, ok := errors.AsType[*StatusError](err); !ok || se.Status != 404 || se.RetryAfter != 7*time.Second {
		t.Errorf("got %v", err)
	}
}

type slow time.Duration

func (d slow) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(time.Duration(d)):
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		return w.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// The request's time limit holds, also where the user's client has a shorter one.
func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for took, ok := range map[time.Duration]bool{25 * time.Second: true, time.Hour: false} {
			c := &http.Client{Transport: slow(took), Timeout: 5 * time.Second}
			began := time.Now()
			_, err := Get(context.Background(), c, Request{URL: "https://auth.example.com", Types: jsonTypes, MaxSize: 1, Timeout: 45 * time.Second})
			if (err == nil) != ok || time.Since(began) != min(took, 45*time.Second) {
				t.Errorf("an answer after %v: %v after %v", took, err, time.Since(began))
			}
		}
	})
}

// TestJWK03PrivateAddress dials a real loopback listener: refused for a client
// whose configured origin is another, whatever name leads there.
func TestJWK03PrivateAddress(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	t.Cleanup(s.Close)
	port := s.Listener.Addr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Port()
	c := client(t, "https://auth.example.com")
	for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "localhost"} {
		url := "https://" + host + ":" + netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()[len("0.0.0.0:"):]
		_, err := Get(context.Background(), c, Request{URL: url, Types: jsonTypes, MaxSize: 1000, Timeout: 5 * time.Second})
		if err == nil || !strings.Contains(err.Error(), "not a public address") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if hits.Load() != 0 {
		t.Error("a private address was reached")
	}
}

// TestJWK03Rebinding: the check sees the address that is dialled, not the one a
// look-up answered before, and plain http never leaves the machine.
func TestJWK03Rebinding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		check   func(string) error
		address string
		ok      bool
	}{
		{"public name now answers the metadata service", publicOnly, "169.254.169.254:443", false},
		{"public name now answers mapped loopback", publicOnly, "[::ffff:127.0.0.1]:443", false},
		{"public", publicOnly, "8.8.8.8:443", true},
		{"localhost answers loopback", loopbackOnly, "127.0.0.1:80", true},
		{"localhost answers mapped loopback", loopbackOnly, "[::ffff:127.0.0.1]:80", true},
		{"localhost answers a neighbour", loopbackOnly, "10.0.0.7:80", false},
		{"not an address", publicOnly, "example.com:443", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.check(c.address); (err == nil) != c.ok {
				t.Errorf("%s: %v", c.address, err)
			}
		})
	}
}

func publicOnly(a string) error   { return onlyPublic("tcp", a, nil) }
func loopbackOnly(a string) error { return onlyLoopback("tcp", a, nil) }
