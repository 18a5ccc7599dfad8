package metrics_test

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/jotsmith/jotsmith/server/internal/metrics"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// full has something to tell of everything.
func full() *metrics.Sources {
	h := timing.NewLatency()
	h.Observe(0.01)
	s, n := h.Snapshot(), int64(3)
	counts := func(names ...string) func() map[string]int64 {
		all := make(map[string]int64)
		for i, name := range names {
			all[name] = int64(i + 1)
		}
		return func() map[string]int64 { return all }
	}
	src := &metrics.Sources{
		Version: "v1", Traffic: new(metrics.Traffic),
		LogIns: counts("ok", "refused"), Refreshes: counts("rotate", "theft"), Tokens: counts("ES256"),
		Hashing: func() metrics.Hashing { return metrics.Hashing{Slots: 2, Busy: 1} },
		Feed:    func() metrics.Feed { return metrics.Feed{Position: 7, Facts: 5, Age: time.Second} },
		Keys: func() []metrics.Key {
			return []metrics.Key{{Purpose: "access", Algorithm: "ES256", State: "active", Age: time.Hour}, {Purpose: "access", Algorithm: "ES256", State: "retiring"}}
		},
		Store: func() metrics.Store {
			return metrics.Store{Transactions: &s, Batches: &s, Retries: &n, Uncertain: &n, Connections: &n, Busy: &n, MostConnections: &n, ConnectionWaits: &n}
		},
		Sweep:  func() metrics.Sweep { return metrics.Sweep{Deleted: counts("fact")(), Rows: counts("session")()} },
		Shared: func() bool { return true },
		Clock:  func() (time.Duration, bool) { return time.Millisecond, true },
		Ready:  func() map[string]bool { return map[string]bool{"store": true} },
	}
	src.Traffic.Began()
	src.Traffic.Answered("GET /v1/me", 200, time.Millisecond)
	src.Traffic.Limited("address")
	return src
}

func scrape(t testing.TB, s *metrics.Sources) string {
	w := httptest.NewRecorder()
	metrics.Handler(s).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestEveryFamilyIsTold(t *testing.T) {
	t.Parallel()
	body := scrape(t, full())
	for _, m := range metrics.List() {
		if !strings.Contains(body, "# TYPE "+m.Name+" "+m.Type+"\n") {
			t.Errorf("%s is not told, or is no %s", m.Name, m.Type)
		}
	}
	for _, line := range []string{
		`jotsmith_http_requests_total{class="2xx",method="GET",route="/v1/me"} 1`,
		`jotsmith_http_request_seconds_bucket{method="GET",route="/v1/me",le="0.001"} 1`,
		`jotsmith_thefts_total 2`,
		`jotsmith_keys{purpose="access",state="active"} 1`,
		`jotsmith_key_age_seconds{alg="ES256",purpose="access"} 3600`,
		`jotsmith_clock_offset_seconds 0.001`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	if !strings.Contains(body, "go_goroutines ") || !strings.Contains(body, "process_") {
		t.Error("nothing of the runtime or of the process")
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "jotsmith_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// What has nothing to tell is left out.
func TestNothingToTell(t *testing.T) {
	t.Parallel()
	body := scrape(t, &metrics.Sources{Traffic: new(metrics.Traffic)})
	for _, name := range []string{"jotsmith_shared_up", "jotsmith_clock_offset_seconds", "jotsmith_store_retries_total"} {
		if strings.Contains(body, name) {
			t.Errorf("%s of nobody", name)
		}
	}
}

// The page of operators and the program name the same metrics.
func TestDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	var told, made []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(jotsmith_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\|").FindAllStringSubmatch(string(page), -1) {
		told = append(told, fmt.Sprintf("%s %s %s", m[1], m[2], strings.Trim(strings.ReplaceAll(m[3], "`", ""), " ")))
	}
	for _, m := range metrics.List() {
		made = append(made, fmt.Sprintf("%s %s %s", m.Name, m.Type, strings.Join(m.Labels, ", ")))
	}
	slices.Sort(told)
	if !slices.Equal(told, made) {
		t.Errorf("docs/operate.md:\n%s\nthe program:\n%s", strings.Join(told, "\n"), strings.Join(made, "\n"))
	}
}

// However wild what clients send, the series are bounded: beyond the routes
// that there are, patterns are counted together.
func TestDOS06Series(t *testing.T) {
	t.Parallel()
	s := full()
	for i := range 10_000 {
		s.Traffic.Began()
		s.Traffic.Answered(fmt.Sprintf("GET /%d-%d", i, rand.Int()), rand.IntN(1200)-100, 0)
	}
	// A family of histograms has 18 lines for each route.
	if n := strings.Count(scrape(t, s), "\njotsmith_http_"); n > 501*(18+7) {
		t.Errorf("%d series", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	traffic := new(metrics.Traffic)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			traffic.Began()
			traffic.Answered("POST /v1/refresh", 200, time.Millisecond)
		}
	})
}
