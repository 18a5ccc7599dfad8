package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	loadgen "github.com/jotsmith/jotsmith/server/internal/load"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/wire"
)

// TestFLT09Soak asks a server for half of what it can answer, for JOTSMITH_SOAK (by
// default 2 s, as an exercise; make endure says 20m) in each store, and wants
// every answer to be right and memory, descriptors and goroutines to stay
// within 5 % of what they are after a quarter of that time.
func TestFLT09Soak(t *testing.T) {
	long, stores := 2*time.Second, []string{"SQLite"}
	if d, err := time.ParseDuration(os.Getenv("JOTSMITH_SOAK")); err == nil {
		long, stores = d, []string{"SQLite", "PostgreSQL"}
	}
	for _, store := range stores {
		t.Run(store, func(t *testing.T) { soak(t, store, long) })
	}
}

// soakMix is a day in which six hundred requests come to each log-in: what ends
// is few, since the facts about it stand for as long as a soak takes.
var soakMix = map[string]int{"login": 1, "refresh": 100, "me": 150, "sessions": 10, "introspect": 200, "client": 75, "revoke": 1, "jwks": 50}

func soak(t *testing.T, store string, long time.Duration) {
	const password = "correct horse battery"
	addr, admin, data := freeAddr(t), freeAddr(t), filepath.Join(t.TempDir(), "data")
	var at []string
	if store == "PostgreSQL" {
		at = []string{"--store", realtest.StartPostgres(t).NewDatabase(t)}
	}
	mustRun(t, password+"\n", append([]string{"account", "create", "ada", "--role", "admin", "--password-stdin", "--data", data}, at...)...)
	if !strings.Contains(mustRun(t, "", "serve", "--help"), "--admin-addr") {
		admin = ""
	} else {
		at = append(at, "--admin-addr", admin)
	}
	p := startServe(t, addr, data, append([]string{"--rate-exempt", "127.0.0.0/8"}, at...)...)
	issuer := "http://" + addr

	target, err := loadgen.NewTarget(loadgen.TargetConfig{
		Base: issuer, Accounts: 4, Connections: connections,
		Administer: func(ctx context.Context, method, path string, in, out any) error {
			boss := tokens(t, want(t, 200, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: password, Audience: issuer + wire.PathAdmin}))
			status, body, err := call(ctx, method, issuer+path, boss.AccessToken, in)
			if err == nil && status >= 300 {
				err = fmt.Errorf("%d: %s", status, body)
			}
			if err == nil && out != nil {
				err = json.Unmarshal(body, out)
			}
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	ops, err := target.Ops(soakMix)
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Follow(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	full, err := loadgen.Run(t.Context(), loadgen.Config{Ops: ops, Connections: connections, Duration: max(long/40, time.Second/2)})
	if err != nil || full.All.Failed > 0 {
		t.Fatal(err, full.All.Errors)
	}
	var samples []soakSample
	report, err := loadgen.Run(t.Context(), loadgen.Config{
		Ops: ops, Connections: connections, Duration: long, Rate: full.All.PerSecond / 2,
		Watch: func(r loadgen.Report) { samples = append(samples, sampleOf(t, p, admin, r.Elapsed)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if report.All.Failed > 0 || report.All.Count == 0 {
		t.Errorf("%d of %d failed: %v", report.All.Failed, report.All.Count+report.All.Failed, report.All.Errors)
	}
	polls := target.Polls()
	if _, err := target.CleanUp(t.Context()); err != nil {
		t.Error(err)
	}
	if polls == 0 {
		t.Error("no follower was answered")
	}
	early, late := between(samples, long/4, long*5/8), between(samples, long*5/8, long)
	t.Logf("%s, %v at %.0f operations a second of %.0f: %d answered, p99 %v, %.0f followers' polls; memory %.1f then %.1f MB, descriptors %.1f then %.1f, goroutines %.1f then %.1f",
		store, long, full.All.PerSecond/2, full.All.PerSecond, report.All.Count, report.All.Times.Quantile(0.99).Round(time.Millisecond), float64(polls),
		early.memory, late.memory, early.descriptors, late.descriptors, early.goroutines, late.goroutines)
	if long < time.Minute {
		return // too few samples to tell a trend from chance
	}
	for what, pair := range map[string][2]float64{
		"memory": {early.memory, late.memory}, "descriptors": {early.descriptors, late.descriptors}, "goroutines": {early.goroutines, late.goroutines},
	} {
		// A handful comes and goes with connections.
		if pair[1] > 1.05*pair[0]+2 {
			t.Errorf("%s grows: %.1f in the second quarter and after, %.1f at the end", what, pair[0], pair[1])
		}
	}
}

// A soakSample is what the server holds at a time.
type soakSample struct {
	at                              time.Duration
	memory, descriptors, goroutines float64
}

// goroutines are told by the metrics. A server that has none tells its threads.
var goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)$`)

func sampleOf(t *testing.T, p *proc, admin string, at time.Duration) soakSample {
	u, err := loadgen.ReadUsage(p.cmd.Process.Pid)
	if err != nil {
		t.Error(err)
	}
	sample := soakSample{at, float64(u.Resident) / (1 << 20), float64(u.Descriptors), float64(u.Threads)}
	if admin == "" {
		return sample
	}
	status, body, err := call(t.Context(), "GET", "http://"+admin+"/metrics", "", nil)
	found := goroutines.FindSubmatch(body)
	if err != nil || status != http.StatusOK || found == nil {
		t.Errorf("the metrics do not tell the goroutines: %d, %v", status, err)
		return sample
	}
	n, _ := strconv.Atoi(string(found[1]))
	sample.goroutines = float64(n)
	return sample
}

// between is the mean of the samples of a time.
func between(samples []soakSample, from, to time.Duration) (mean soakSample) {
	n := 0.0
	for _, s := range samples {
		if s.at >= from && s.at < to {
			n++
			mean.memory, mean.descriptors, mean.goroutines = mean.memory+s.memory, mean.descriptors+s.descriptors, mean.goroutines+s.goroutines
		}
	}
	if n > 0 {
		mean.memory, mean.descriptors, mean.goroutines = mean.memory/n, mean.descriptors/n, mean.goroutines/n
	}
	return mean
}
