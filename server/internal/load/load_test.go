package load

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// takes is an operation that takes so long.
func takes(d time.Duration) Op {
	return Op{Name: "sleep", Weight: 1, Do: func(ctx context.Context, _ int) error {
		rest(ctx, time.Now().Add(d))
		return ctx.Err()
	}}
}

func TestClosedLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seen := 0
		r, err := Run(t.Context(), Config{
			Ops: []Op{takes(10 * time.Millisecond)}, Connections: 4, Duration: 10 * time.Second,
			Watch: func(Report) { seen++ },
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.All.Count < 3990 || r.All.Count > 4010 || r.All.Failed != 0 || r.All.Times.Max() != 10*time.Millisecond || r.Late != 0 {
			t.Errorf("%d operations, %d failed, the longest took %v", r.All.Count, r.All.Failed, r.All.Times.Max())
		}
		if seen < 9 {
			t.Errorf("it was told %d times in ten seconds how it stands", seen)
		}
	})
}

// TestRateMeasuresWhatWaits says that a server which stands still for a second
// is slow for all whom it kept waiting, not for one request alone.
func TestRateMeasuresWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		stall := Op{Name: "stall", Weight: 1, Do: func(context.Context, int) error {
			if at := time.Since(began); at >= 2*time.Second && at < 3*time.Second {
				time.Sleep(3*time.Second - at)
			}
			time.Sleep(time.Millisecond)
			return nil
		}}
		r, err := Run(t.Context(), Config{Ops: []Op{stall}, Connections: 1, Duration: 10 * time.Second, Rate: 100})
		if err != nil {
			t.Fatal(err)
		}
		if r.All.Count != 1000 || r.Late != 0 {
			t.Errorf("%d operations, %d late, want 1000", r.All.Count, r.Late)
		}
		// A tenth of all came while it stood still, so a twentieth waited for
		// half a second.
		if p := r.All.Times.Quantile(0.95); p < 450*time.Millisecond || p > 650*time.Millisecond {
			t.Errorf("a twentieth waited for %v or more, want half a second", p)
		}
	})
}

func TestRateThatIsTooMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(t.Context(), Config{Ops: []Op{takes(100 * time.Millisecond)}, Connections: 2, Duration: 10 * time.Second, Rate: 100})
		if err != nil {
			t.Fatal(err)
		}
		if n := r.All.Count; n < 198 || n > 202 || n+r.Late < 998 || n+r.Late > 1000 {
			t.Errorf("%d operations, %d late, want about 200 and 800", r.All.Count, r.Late)
		}
	})
}

func TestCountAndWeights(t *testing.T) {
	t.Parallel()
	var before, after atomic.Int64
	often, seldom := takes(0), takes(0)
	often.Name, often.Weight = "often", 9
	often.Before = func(context.Context, int) error { before.Add(1); return nil }
	often.After = func(context.Context, int) { after.Add(1) }
	r, err := Run(t.Context(), Config{Ops: []Op{often, seldom}, Connections: 8, Count: 5000})
	if err != nil {
		t.Fatal(err)
	}
	n := r.Ops[0].Count
	if r.All.Count != 5000 || n < 4300 || n > 4700 || before.Load() != n || after.Load() != n {
		t.Errorf("%d of %d, %d before, %d after; want nine tenths of 5000", n, r.All.Count, before.Load(), after.Load())
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turn := 0
		mixed := Op{Name: "mixed", Weight: 1, Do: func(context.Context, int) error {
			turn++
			switch turn % 4 {
			case 0:
				return &Refusal{429, "rate_limited"}
			case 1:
				return &noAnswer{"connection refused", errors.New("dial")}
			}
			return nil
		}}
		r, err := Run(t.Context(), Config{Ops: []Op{mixed}, Connections: 1, Count: 400})
		if err != nil {
			t.Fatal(err)
		}
		o := r.Ops[0]
		if o.Count != 200 || o.Failed != 200 || len(o.Errors) != 2 || o.Errors[0] != (Errors{"429 rate_limited", 100}) || o.Errors[1].Code != "connection refused" {
			t.Errorf("%+v", o)
		}
		if r.Elapsed < 100*pause {
			t.Errorf("400 operations, 100 without an answer, in %v: it does not wait where nobody is there", r.Elapsed)
		}
	})
}

// TestErrorsAreBounded says that errors of many kinds take no more memory.
func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	tally := newTally("x")
	for i := range 1000 {
		tally.failed(&Refusal{i, ""})
	}
	if len(tally.errors) != maxCodes+1 || tally.errors["others"] != 1000-maxCodes {
		t.Errorf("%d kinds, %d others", len(tally.errors), tally.errors["others"])
	}
}

func TestCutShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, err := Run(ctx, Config{Ops: []Op{takes(2 * time.Second)}, Connections: 1, Duration: time.Hour})
		if err != nil || r.All.Count != 3 || r.All.Failed != 0 || r.Elapsed != 6*time.Second {
			t.Errorf("%d answered, %d failed, in %v, %v; want three, the last one waited for", r.All.Count, r.All.Failed, r.Elapsed, err)
		}
		r, err = Run(ctx, Config{Ops: []Op{takes(time.Hour)}, Connections: 1, Duration: time.Minute})
		if err != nil || r.All.Count+r.All.Failed != 0 {
			t.Errorf("%d answered, %d failed, %v; want none of either", r.All.Count, r.All.Failed, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := Run(ctx, Config{Ops: []Op{takes(time.Hour)}, Connections: 1, Duration: time.Minute})
		if err != nil || r.Elapsed != time.Second+lingers || r.All.Failed != 0 {
			t.Errorf("an answer that does not come: %v, %d failed, %v", r.Elapsed, r.All.Failed, err)
		}
	})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	good := Config{Ops: []Op{takes(0)}, Connections: 1, Duration: time.Second}
	for name, c := range map[string]struct {
		change func(*Config)
		fault  string
	}{
		"good":               {func(*Config) {}, ""},
		"nothing to do":      {func(c *Config) { c.Ops = nil }, "operations"},
		"weight":             {func(c *Config) { c.Ops = []Op{{Name: "x", Weight: 1001}} }, "weight of x: 1 to 1000"},
		"no connection":      {func(c *Config) { c.Connections = 0 }, "connections: 1 to 512"},
		"many connections":   {func(c *Config) { c.Connections = 513 }, "connections: 1 to 512"},
		"no end":             {func(c *Config) { c.Duration = 0 }, "duration"},
		"no end but a count": {func(c *Config) { c.Duration, c.Count = 0, 1 }, ""},
		"long":               {func(c *Config) { c.Duration = 25 * time.Hour }, "duration: more than 0, at most 24h"},
		"fast":               {func(c *Config) { c.Rate = 1e9 }, "rate: 0 to 100000"},
		"backwards":          {func(c *Config) { c.Rate = -1 }, "rate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := good
			c.change(&config)
			err := config.Validate()
			if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%v, want %q", err, c.fault)
			}
		})
	}
	for name, c := range map[string]TargetConfig{
		"no accounts": {Connections: 1}, "many accounts": {Accounts: 1001, Connections: 1}, "crowded": {Accounts: 1, Connections: 51},
	} {
		if _, err := NewTarget(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
