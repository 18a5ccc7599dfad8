package shared

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

// A Redis Cluster loses a primary under load. No question fails or waits long;
// the names that it kept each node counts for itself, those of the others all
// count together meanwhile; nodes go on waking each other; and the replica that
// takes over is found. JOTSMITH_REDIS_PRIMARIES says how often each way; once by
// default.
func TestFLT05RedisPrimaryIsLost(t *testing.T) {
	t.Parallel()
	rounds := 1
	if s := os.Getenv("JOTSMITH_REDIS_PRIMARIES"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	for name, lose := range map[string]func(*testing.T, *realtest.Redis) (back func()){
		"killed": func(t *testing.T, r *realtest.Redis) func() { r.Kill(); return func() { r.Start(t) } },
		"hung":   func(t *testing.T, r *realtest.Redis) func() { return r.Pause(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			stop := p.load(t)
			var longest time.Duration
			for range rounds {
				longest = max(longest, p.lose(t, lose))
			}
			asked, slowest := stop()
			t.Logf("%d times a primary was %s: shared again at most %v after it; %d questions answered, in at most %v",
				rounds, name, longest.Round(time.Millisecond), asked, slowest.Round(time.Millisecond))
			if asked < 100 || slowest > 5*p.a.patience {
				t.Errorf("%d questions, the slowest took %v", asked, slowest)
			}
		})
	}
}

// A pair of nodes shares a cluster.
type pair struct {
	cluster []*realtest.Redis
	a, b    *Redis
	text    log // a's
	n       int
}

func newPair(t *testing.T) *pair {
	p := &pair{cluster: realtest.StartRedisCluster(t, 1)}
	url := p.cluster[0].URL() + "?addr=" + p.cluster[1].Addr() + "&addr=" + p.cluster[2].Addr()
	for _, r := range []**Redis{&p.a, &p.b} {
		var err error
		*r, err = OpenRedis(RedisConfig{URL: url, Secret: secret, Log: slog.New(slog.NewTextHandler(&p.text, nil)), patience: 500 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*r).Close() })
		wantUp(t, *r, true)
	}
	return p
}

// load asks both nodes for whatever they are asked for, until it is stopped.
func (p *pair) load(t *testing.T) (stop func() (asked int, slowest time.Duration)) {
	var all sync.WaitGroup
	var asked, slowest atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	for worker := range 4 {
		r := []*Redis{p.a, p.b}[worker%2]
		limiter := r.Limiter("load")
		uses, err := r.Replays(1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprint("load", worker, i)
				begun := time.Now()
				_, wait, err := limiter.Take(t.Context(), name, 1, time.Minute)
				err2 := limiter.Give(t.Context(), name, time.Minute)
				err3 := uses.Use(t.Context(), [32]byte{byte(worker), byte(i), byte(i >> 8), byte(i >> 16)}, begun, begun.Add(time.Minute))
				if wait != 0 || errors.Join(err, err2, err3) != nil {
					t.Errorf("%s: wait %v, %v, %v, %v", name, wait, err, err2, err3)
				}
				asked.Add(3)
				slowest.Store(max(slowest.Load(), int64(time.Since(begun))))
				<-time.After(2 * time.Millisecond)
			}
		})
	}
	return func() (int, time.Duration) {
		cancel()
		all.Wait()
		return int(asked.Load()), time.Duration(slowest.Load())
	}
}

// names answers one that a primary keeps, and one that another does.
func (p *pair) names(t *testing.T, primary *realtest.Redis) (its, other string) {
	t.Helper()
	for ; its == "" || other == ""; p.n++ {
		name := fmt.Sprint("name", p.n)
		if strings.HasPrefix(primary.Ask(t, "GET "+p.a.place("k", name).key), "MOVED") {
			other = name
		} else {
			its = name
		}
	}
	return its, other
}

// together says whether a token that one node takes is taken for the other.
func (p *pair) together(t *testing.T, name string) bool {
	t.Helper()
	a, b := p.a.Limiter("k"), p.b.Limiter("k")
	if _, wait, err := a.Take(t.Context(), name, 1, time.Hour); wait != 0 || err != nil {
		t.Errorf("%s: wait %v, %v", name, wait, err)
	}
	_, wait, _ := b.Take(t.Context(), name, 1, time.Hour)
	if _, again, _ := a.Take(t.Context(), name, 1, time.Hour); again == 0 {
		t.Errorf("a node forgot that it had counted %s", name)
	}
	return wait > 0
}

// lose loses a primary, and answers how long it took until all was shared again.
func (p *pair) lose(t *testing.T, lose func(*testing.T, *realtest.Redis) (back func())) time.Duration {
	var victim *realtest.Redis
	for _, r := range p.cluster {
		if r.Primary(t) {
			victim = r
		}
	}
	its, other := p.names(t, victim)
	its2, other2 := p.names(t, victim)
	its3, _ := p.names(t, victim)
	for _, name := range []string{its, other} {
		if !p.together(t, name) {
			t.Errorf("%s is not counted together", name)
		}
	}
	replica := p.replica(t, victim)
	back := lose(t, victim)
	begun := time.Now()
	if p.together(t, its2) {
		t.Errorf("%s is counted together, by whoever is lost", its2)
	}
	if !p.together(t, other2) {
		t.Errorf("%s is not counted together while another primary is lost", other2)
	}
	if s := p.a.Status(); s.Up || s.Err == nil {
		t.Errorf("status %+v", s)
	}
	hears(t, p.a, p.b)
	hears(t, p.b, p.a)
	replica.Until(t, "ROLE", "master")
	wantUp(t, p.a, true)
	wantUp(t, p.b, true)
	took := time.Since(begun)
	if !p.together(t, its3) {
		t.Errorf("%s is not counted together by the replica that took over", its3)
	}
	if text := p.text.String(); !strings.Contains(text, "part of the shared state does not answer") || strings.Count(text, "not answer;") != strings.Count(text, "answers again") {
		t.Errorf("the log:\n%s", text)
	}
	back()
	victim.Until(t, "INFO replication", "master_link_status:up") // the next to take over
	return took
}

// replica is the one of a primary.
func (p *pair) replica(t *testing.T, primary *realtest.Redis) *realtest.Redis {
	t.Helper()
	for _, r := range p.cluster {
		if role := strings.Split(r.Ask(t, "ROLE"), "\n"); role[0] == "slave" && role[2] == strconv.Itoa(primary.Port) {
			return r
		}
	}
	t.Fatal("a primary without a replica")
	return nil
}
