package httpapi_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

type observed struct {
	began   int
	answers []httpapi.Answer
}

func (o *observed) Began()         { o.began++ }
func (o *observed) Limited(string) {}
func (o *observed) Answered(a httpapi.Answer) string {
	o.answers = append(o.answers, a)
	return "0af7651916cd43dd8448eb211c80319c"
}

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// A slow request is a warning with where its time went, and in the log with its
// trace. A traceparent is believed of a trusted proxy only. Who asked to wait is
// not slow.
func TestObserved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path, peer, parent string
		slow               bool
	}{
		"slow":     {"/slow", "192.0.2.1:1", "", true},
		"fast":     {"/fast", "192.0.2.1:1", "", false},
		"waiting":  {"/wait", "192.0.2.1:1", "", false},
		"by proxy": {"/fast", "10.0.0.7:1", traceparent, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mux := http.NewServeMux()
				spend := func(d time.Duration) httpapi.Handler {
					return func(c *httpapi.Call, r *http.Request) error {
						if r.URL.Path == "/wait" {
							c.Extend(time.Minute)
						}
						s := timing.Start(r.Context(), timing.Hash)
						time.Sleep(d)
						s.End()
						return c.NoContent()
					}
				}
				httpapi.Handle(mux, "GET /slow", httpapi.Quick, spend(2*time.Second))
				httpapi.Handle(mux, "GET /wait", httpapi.Quick, spend(2*time.Second))
				httpapi.Handle(mux, "GET /fast", httpapi.Quick, spend(time.Millisecond))
				var log bytes.Buffer
				var o observed
				h, err := httpapi.New(mux, httpapi.Config{
					Realm: "https://auth.example.com", Slow: time.Second, Observer: &o,
					Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Log: slog.New(slog.NewTextHandler(&log, nil)),
				})
				if err != nil {
					t.Fatal(err)
				}
				r := httptest.NewRequest("GET", c.path, nil)
				r.RemoteAddr = c.peer
				r.Header.Set("Traceparent", traceparent)
				h.ServeHTTP(httptest.NewRecorder(), r)
				line := log.String()
				if slow := strings.Contains(line, "level=WARN") && strings.Contains(line, "slow=true hash_ms=2000"); slow != c.slow {
					t.Error(line)
				}
				if !strings.Contains(line, "trace=0af7651916cd43dd8448eb211c80319c") {
					t.Error(line)
				}
				if o.began != 1 || len(o.answers) != 1 {
					t.Fatalf("%+v", o)
				}
				a := o.answers[0]
				if a.Pattern != "GET "+c.path || a.Status != 204 || a.Parent != c.parent || len(a.Spent.Stretches()) != 1 {
					t.Errorf("%+v", a)
				}
			})
		})
	}
}

// Unknown paths and methods are one series, whatever they are.
func TestDOS06Unrouted(t *testing.T) {
	t.Parallel()
	var o observed
	mux := http.NewServeMux()
	httpapi.Handle(mux, "GET /v1/things/{id}", 0, func(c *httpapi.Call, _ *http.Request) error { return c.NoContent() })
	h, err := httpapi.New(mux, httpapi.Config{Realm: "https://auth.example.com", Observer: &o})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"GET /v1/things/1", "GET /v1/things/2", "GET /nothing/3", "BREW /coffee", "POST /v1/things/4", "GET /nothing/4?kid=5"} {
		method, path, _ := strings.Cut(target, " ")
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
	}
	series := map[string]bool{}
	for _, a := range o.answers {
		series[a.Pattern] = true
	}
	if len(o.answers) != 6 || len(series) != 2 || !series[""] || !series["GET /v1/things/{id}"] {
		t.Errorf("series %v of %d answers", series, len(o.answers))
	}
}
