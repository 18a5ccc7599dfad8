package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAdminFlags(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags adminFlags
		want  string // part of the error; "" none
	}{
		"off":                 {adminFlags{}, ""},
		"loopback":            {adminFlags{AdminAddr: "127.0.0.1:9090", AdminPprof: true}, ""},
		"open":                {adminFlags{AdminAddr: "0.0.0.0:9090", DangerouslyOpenAdmin: true}, ""},
		"open by mistake":     {adminFlags{AdminAddr: ":9090"}, "--dangerously-open-admin"},
		"profiles for all":    {adminFlags{AdminAddr: ":9090", DangerouslyOpenAdmin: true, AdminPprof: true}, "--admin-pprof is for loopback"},
		"nothing to open":     {adminFlags{AdminAddr: "127.0.0.1:9090", DangerouslyOpenAdmin: true}, "no meaning"},
		"profiles of nothing": {adminFlags{AdminPprof: true}, "no meaning"},
		"no address":          {adminFlags{AdminAddr: "9090"}, "HOST:PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := errors.Join(c.flags.check()...)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestAdminListener(t *testing.T) {
	t.Parallel()
	n := newTestNode(t)
	get := func(local, profiles bool, target, host string) (int, string) {
		r := httptest.NewRequest("GET", target, nil)
		r.Host = host
		w := httptest.NewRecorder()
		n.operations(local, profiles).ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for name, c := range map[string]struct {
		local, profiles bool
		target, host    string
		status          int
		says            string
	}{
		"metrics":          {true, false, "/metrics", "127.0.0.1:9090", 200, "\njotsmith_ready{part=\"store\"} 1\n"},
		"hash slots":       {true, false, "/metrics", "[::1]:9090", 200, "jotsmith_hash_slots "},
		"live":             {true, false, "/livez", "localhost", 200, `"ok"`},
		"ready":            {true, false, "/readyz", "localhost", 200, `"store":"ok"`},
		"another name":     {true, false, "/metrics", "rebound.example", 421, "localhost"},
		"open":             {false, false, "/metrics", "10.0.0.7:9090", 200, "jotsmith_"},
		"profiles":         {true, true, "/debug/pprof/", "localhost", 200, "goroutine"},
		"a profile":        {true, true, "/debug/pprof/goroutine?debug=1", "localhost", 200, "goroutine profile"},
		"no profiles":      {true, false, "/debug/pprof/", "localhost", 404, ""},
		"no command line":  {true, true, "/debug/pprof/cmdline", "localhost", 404, ""},
		"no public routes": {true, true, "/v1/me", "localhost", 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := get(c.local, c.profiles, c.target, c.host)
			if status != c.status || !strings.Contains(body, c.says) {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	n.unready()
	if status, body := get(true, false, "/readyz", "localhost"); status != 503 || !strings.Contains(body, `"running":"store unavailable: the server is stopping"`) {
		t.Errorf("a node that stops: %d %s", status, body)
	}
	w := httptest.NewRecorder()
	(&running{node: n}).drained(w)
	if w.Header().Get("Connection") != "close" {
		t.Error("a node that stops keeps its connections")
	}
}

// Where the store hangs, everybody is told so in time, by one question that
// hangs; once it answers, so are they.
func TestFLT05ReadyWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h health
		var asked atomic.Int32
		hangs := make(chan struct{})
		check := func(context.Context) error {
			asked.Add(1)
			<-hangs
			return nil
		}
		for range 100 {
			go func() {
				began := time.Now()
				if err := h.ask(t.Context(), check); !errors.Is(err, errHangs) {
					t.Errorf("a store that hangs: %v", err)
				}
				if took := time.Since(began); took >= 2*time.Second {
					t.Errorf("told after %v", took)
				}
			}()
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("%d questions hang", n)
		}
		close(hangs)
		synctest.Wait()
		if err := h.ask(t.Context(), check); err != nil || asked.Load() != 2 {
			t.Errorf("once it answers: %v", err)
		}
	})
}

// Flags are checked at every reload.
func TestCheckingTraceFlagsStartsNothing(t *testing.T) {
	t.Parallel()
	f := traceFlags{Trace: "http://127.0.0.1:4318", TracePercent: 100}
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	all := make([]byte, 4<<20)
	if all = all[:runtime.Stack(all, true)]; strings.Contains(string(all), "batchSpanProcessor") {
		t.Error("a processor of spans goes on running")
	}
}

func TestTraceHeaders(t *testing.T) {
	t.Parallel()
	h, err := traceHeaders("authorization=Bearer%20abc, x-tenant = 7 ,")
	if err != nil || h["authorization"] != "Bearer abc" || h["x-tenant"] != "7" || len(h) != 2 {
		t.Errorf("%v, %v", h, err)
	}
	for _, bad := range []string{"secret", "=secret", "a=secret%0d%0ab: c", "a b=secret", "a=secret%zz"} {
		if _, err := traceHeaders(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
