package traces_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/jotsmith/jotsmith/server/internal/timing"
	"github.com/jotsmith/jotsmith/server/internal/traces"
)

// A collector takes spans as OpenTelemetry's does.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
	auth  string
}

func newCollector(t *testing.T) *collector {
	c := new(collector)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.auth = r.Header.Get("Authorization")
		if r.Method != "POST" || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s %s", r.Method, r.URL, r.Header)
		}
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		raw, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		var data tracepb.TracesData
		if err := proto.Unmarshal(raw, &data); err != nil {
			t.Error(err)
		}
		for _, rs := range data.ResourceSpans {
			if !strings.Contains(rs.Resource.String(), "jotsmith") {
				t.Errorf("resource %v", rs.Resource)
			}
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func tracer(t *testing.T, c traces.Config) *traces.Tracer {
	t.Helper()
	tr, err := traces.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestOnTheWire(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	tr := tracer(t, traces.Config{Endpoint: c.URL, Percent: 100, Version: "v1", Headers: map[string]string{"authorization": "Bearer of-the-collector"}})
	began := time.Now().Add(-time.Second)
	id := tr.Answered(traces.Request{
		Pattern: "POST /v1/login", Status: 503, Code: "server_busy", Began: began, Took: time.Second,
		Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Spent:  []timing.Stretch{{Part: timing.Hash, Began: began.Add(time.Millisecond), Took: 40 * time.Millisecond}},
	})
	if id != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("trace %q", id)
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.spans) != 2 || c.auth != "Bearer of-the-collector" {
		t.Fatalf("%d spans, authorization %q", len(c.spans), c.auth)
	}
	child, span := c.spans[0], c.spans[1]
	if child.Name != "hash" || string(child.ParentSpanId) != string(span.SpanId) || child.EndTimeUnixNano-child.StartTimeUnixNano != 40e6 {
		t.Errorf("child %v", child)
	}
	if span.Name != "POST /v1/login" || span.Kind != tracepb.Span_SPAN_KIND_SERVER || span.Status.GetCode() != tracepb.Status_STATUS_CODE_ERROR ||
		span.EndTimeUnixNano-span.StartTimeUnixNano != 1e9 {
		t.Errorf("span %v", span)
	}
	said := map[string]string{}
	for _, a := range span.Attributes {
		said[a.Key] = a.Value.String()
	}
	if len(said) != 4 || !strings.Contains(said["http.route"], "/v1/login") || !strings.Contains(said["error.type"], "server_busy") {
		t.Errorf("attributes %v", said)
	}
}

func TestSampling(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		percent int
		parent  string
		traced  bool
	}{
		"all":                     {100, "", true},
		"none":                    {0, "", false},
		"the parent is traced":    {0, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
		"the parent is not":       {100, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", false},
		"a malformed traceparent": {0, "00-zz-b7ad6b7169203331-01", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collector := newCollector(t)
			tr := tracer(t, traces.Config{Endpoint: collector.URL, Percent: c.percent})
			id := tr.Answered(traces.Request{Pattern: "GET /v1/me", Status: 200, Parent: c.parent, Began: time.Now()})
			if err := tr.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if traced := id != ""; traced != c.traced || traced != (len(collector.spans) == 1) {
				t.Errorf("trace %q, %d spans", id, len(collector.spans))
			}
		})
	}
}

// A collector that is gone costs what it was not told, and nothing else.
func TestCollectorGone(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	c.Close()
	tr := tracer(t, traces.Config{Endpoint: c.URL, Percent: 100})
	began := time.Now()
	for range 10_000 {
		tr.Answered(traces.Request{Pattern: "GET /v1/me", Status: 200, Began: began})
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("10,000 requests were held up for %v", took)
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "localhost:4318", "grpc://localhost:4317", "http://u:p@localhost:4318", "http://localhost:4318?x=1"} {
		if _, err := traces.New(traces.Config{Endpoint: bad, Percent: 1}); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := traces.New(traces.Config{Endpoint: "http://localhost:4318", Percent: 101}); err == nil {
		t.Error("101 percent")
	}
}

func TestNobodyTraces(t *testing.T) {
	t.Parallel()
	var none *traces.Tracer
	if id := none.Answered(traces.Request{}); id != "" || none.Close(t.Context()) != nil {
		t.Error("a trace of nobody")
	}
}
