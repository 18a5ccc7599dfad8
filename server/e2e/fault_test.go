package e2e

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
)

// A load is clients that go on until they are told to stop, whatever becomes of
// the servers: they log in, refresh, repeat a refresh as if its answer had been
// lost, and log out.
type load struct {
	stop context.CancelFunc
	over sync.WaitGroup
}

// A worker's clients hold so many sessions each.
const held = 4

func (c *cluster) startLoad(t testing.TB, workers int) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel}
	for who := range workers {
		l.over.Go(func() {
			client := newClient()
			defer client.CloseIdleConnections()
			var mine []*tracked
			for failed := 0; ctx.Err() == nil; {
				if c.act(client, who, &mine) != unknown {
					failed = 0
					continue
				}
				failed = min(failed+1, 5)
				select { // as a client does
				case <-ctx.Done():
				case <-time.After(rand.N(20 * time.Millisecond << failed)):
				}
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

// end stops the clients, each after the answer to its last request.
func (l *load) end() {
	l.stop()
	l.over.Wait()
}

// answers counts what has been answered so far.
func (c *cluster) answers() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.counts {
		n += k[granted]
	}
	return n
}

// goesOn waits until the clients have had so many more answers.
func (c *cluster) goesOn(t testing.TB, more int) time.Duration {
	t.Helper()
	before := c.answers()
	return within(t, time.Minute, func() bool { return c.answers() >= before+more })
}

// pass lets the load run for a random time up to most.
func pass(most time.Duration) { <-time.After(rand.N(most)) }

// act makes one request of a client that holds sessions.
func (c *cluster) act(client *http.Client, who int, mine *[]*tracked) outcome {
	var living []*tracked
	for _, s := range *mine {
		if !s.isOver() {
			living = append(living, s)
		}
	}
	*mine = living
	if len(living) == 0 || len(living) < held && rand.IntN(20) == 0 {
		s := c.login(client)
		if s == nil {
			return unknown
		}
		*mine = append(living, s)
		return granted
	}
	s := living[rand.IntN(len(living))]
	switch dice := rand.IntN(1000); {
	case s.asked, dice < 5, len(s.ops) > 1500:
		return c.end(client, who, s)
	case dice < 30 && s.newest > 1:
		return c.refresh(client, who, s, 1)
	}
	return c.refresh(client, who, s, 0)
}

// What kills a node, the database or what the nodes share, and how often: in
// the middle of a load, and every answer stands.
func TestFLT01RFR06KillsOnThreeNodes(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3)
	nodes, databases := sized(t, "JOTSMITH_NODE_KILLS", 12), sized(t, "JOTSMITH_POSTGRES_KILLS", 3)
	l := c.startLoad(t, 16)
	for range nodes {
		pass(300 * time.Millisecond)
		i := rand.IntN(len(c.nodes))
		c.nodes[i].kill()
		pass(50 * time.Millisecond)
		c.startNode(t, i)
	}
	c.goesOn(t, 20)
	var longest time.Duration
	for range databases {
		pass(time.Second)
		c.db.Kill()
		pass(300 * time.Millisecond)
		c.db.Start(t)
		longest = max(longest, c.goesOn(t, 20))
	}
	l.end()
	c.check(t)
	if n := c.counts[opRefresh]; nodes >= 10 && (n[granted] == 0 || n[unknown] == 0) {
		t.Errorf("the load had none of something: %s", c.summary())
	}
	t.Logf("%d nodes and %d databases killed: %s; every answer stands; answers again at most %v after the database", nodes, databases, c.summary(), longest.Round(time.Millisecond))
}

// What the nodes share may be lost at any time, killed or standing still: no
// request fails because of it, and each node says so.
func TestFLT05RedisIsLost(t *testing.T) {
	t.Parallel()
	times := sized(t, "JOTSMITH_REDIS_KILLS", 3)
	c := startCluster(t, 3)
	l := c.startLoad(t, 16)
	c.goesOn(t, 100)
	var longest time.Duration
	for range times {
		c.redis.Kill()
		longest = max(longest, c.goesOn(t, 100))
		c.redis.Start(t)
		longest = max(longest, c.goesOn(t, 100))
		resume := c.redis.Pause(t)
		longest = max(longest, c.goesOn(t, 100))
		resume()
	}
	l.end()
	c.check(t)
	for _, k := range []opKind{opLogin, opRefresh, opEnd} {
		if n := c.counts[k][unknown]; n > 0 {
			t.Errorf("%d times %s was not answered because of Redis", n, k)
		}
	}
	for i, node := range c.nodes {
		node.stop(t)
		if !strings.Contains(node.stderr.String(), "shared state") {
			t.Errorf("node %d does not say that Redis was lost:\n%s", i, node.stderr)
		}
	}
	t.Logf("Redis killed and stopped %d times each: %s; a hundred answers took at most %v", times, c.summary(), longest.Round(time.Millisecond))
}

// The database stands still, as behind a disk that hangs: its nodes say that
// they are not ready, requests end in bounded time, and when it goes on all is
// as it was.
func TestFLT05PostgresHangs(t *testing.T) {
	t.Parallel()
	hang := 3 * time.Second
	if s := os.Getenv("JOTSMITH_HANG"); s != "" {
		var err error
		if hang, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	c := startCluster(t, 3)
	l := c.startLoad(t, 16)
	c.goesOn(t, 200)
	g, err := guard.New(t.Context(), guard.Config{Issuer: c.issuer, Audience: clusterAPI})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	holder := c.login(newClient())
	if holder == nil {
		t.Fatal("no log-in")
	}
	resume := c.db.Pause(t)
	paused := time.Now()
	// A node says so itself, while it can be asked.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	status, body, err := call(ctx, "GET", c.each()[0]+"/readyz", "", nil)
	cancel()
	unready := time.Since(paused)
	if err != nil || status != 503 || unready > 5*time.Second {
		t.Errorf("readyz answers %d after %v, while the database hangs: %v %s", status, unready, err, body)
	}
	// What needs no store does not wait for it.
	began := time.Now()
	if _, err := g.CheckToken(t.Context(), holder.access, nil); err != nil {
		t.Errorf("a guard refuses a good token, while the database hangs: %v", err)
	}
	for _, node := range c.each() {
		want(t, 200, "GET", node+"/.well-known/jwks.json", "", nil)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a token is verified and keys are answered after %v, while the database hangs", took)
	}
	<-time.After(hang - time.Since(paused))
	resume()
	again := c.goesOn(t, 100)
	l.end()
	c.check(t)
	t.Logf("hung for %v: not ready after %v, a hundred answers %v after it went on: %s; every answer stands", hang, unready.Round(time.Millisecond), again.Round(time.Millisecond), c.summary())
}

// The connection to the store ends after a commit and before the answer. Nobody
// but the store knows that it was done; the client asks again and gets what it
// would have got.
func TestRFR04CutAfterCommit(t *testing.T) {
	t.Parallel()
	cuts := sized(t, "JOTSMITH_CUTS", 60)
	c := startCluster(t, 3)
	l := c.startLoad(t, 16)
	c.goesOn(t, 100)
	for done := 0; done < cuts && !t.Failed(); done++ {
		k := c.nodes[rand.IntN(len(c.nodes))].link
		k.cuts.Store(1)
		within(t, 20*time.Second, func() bool { return k.cuts.Load() <= 0 })
		pass(20 * time.Millisecond)
	}
	l.end()
	c.check(t)
	lost := 0
	for _, node := range c.nodes {
		lost += int(node.link.lost.Load())
	}
	if lost < cuts || c.counts[opRefresh][unknown] == 0 {
		t.Errorf("%d answers to commits were lost, %s", lost, c.summary())
	}
	t.Logf("%d answers to commits lost: %s; each was asked for again, and every answer stands", lost, c.summary())
}
