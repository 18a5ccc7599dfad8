package e2e

import (
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// sized answers the number in an environment variable, by which campaigns are
// made longer.
func sized(t testing.TB, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

const racers = 64

// races lets 64 clients race for refresh tokens, some of them for each, all at
// once and on all nodes, for so many rounds. A round is one token. Now and then
// one of them presents an older token, or logs out. disturb is called before
// rounds begin.
func (c *cluster) races(t *testing.T, rounds int, disturb func(round int)) {
	clients := make([]*http.Client, racers)
	for i := range clients {
		clients[i] = newClient()
	}
	pool := make([]*tracked, racers/2)
	renew := func() {
		var starting sync.WaitGroup
		for i, s := range pool {
			if s == nil || s.isOver() || len(s.ops) > 1500 {
				if s != nil && !s.isOver() {
					c.end(clients[0], 0, s)
				}
				starting.Go(func() {
					for pool[i] = nil; pool[i] == nil && !t.Failed(); pool[i] = c.login(clients[i]) {
					}
				})
			}
		}
		starting.Wait()
	}
	for done := 0; done < rounds && !t.Failed(); {
		renew()
		disturb(done)
		chains := []int{1, 2, 4, 8, 16, 32}[rand.IntN(6)]
		var ready, over sync.WaitGroup
		ready.Add(1)
		order := rand.Perm(racers)
		for i := range racers {
			s := pool[i%chains]
			if s == nil {
				continue
			}
			who := order[i]
			token, g := s.token(0)
			var act func() outcome = func() outcome { return c.present(clients[who], who, s, token, g) }
			switch dice := rand.IntN(2000); {
			case dice < 2:
				old, at := s.token(2)
				act = func() outcome { return c.present(clients[who], who, s, old, at) }
			case dice < 8:
				old, at := s.token(1)
				act = func() outcome { return c.present(clients[who], who, s, old, at) }
			case dice < 10:
				act = func() outcome { return c.end(clients[who], who, s) }
			}
			over.Go(func() {
				ready.Wait()
				for act() == unknown && !t.Failed() {
					<-time.After(rand.N(40 * time.Millisecond)) // as a client does
				}
			})
		}
		ready.Done()
		over.Wait()
		done += chains
	}
}

// 64 clients race for the same refresh tokens on three nodes. Each token has one
// successor, whoever answers, and each session's history is that of one
// register.
func TestRFR01RacesAcrossNodes(t *testing.T) {
	t.Parallel()
	rounds := sized(t, "JOTSMITH_RACES", 500)
	began := time.Now()
	c := startCluster(t, 3)
	ready := time.Since(began)
	c.races(t, rounds, func(int) {})
	raced := time.Since(began)
	if n := c.counts[opRefresh][unknown]; n > 0 {
		t.Errorf("%d refreshes were not answered although nothing failed", n)
	}
	c.check(t)
	if len(c.by) != 3 {
		t.Errorf("not every node answered: %v", c.by)
	}
	t.Logf("%d rounds: %s; one chain each, every history linearizable (start %v, races %v, check %v)", rounds, c.summary(),
		ready.Round(time.Millisecond), (raced - ready).Round(time.Millisecond), (time.Since(began) - raced).Round(time.Millisecond))
}

// The same while nodes are killed in the middle of requests and are cut off from
// the store, or what they and it say to each other is held back.
func TestRFR02RacesWithKillsAndPartitions(t *testing.T) {
	t.Parallel()
	rounds := sized(t, "JOTSMITH_RACES", 500) / 5
	c := startCluster(t, 3)
	faults, busy := 0, make(chan struct{}, 1)
	var over sync.WaitGroup
	c.races(t, rounds, func(int) {
		select {
		case busy <- struct{}{}:
		default:
			return
		}
		i := rand.IntN(len(c.nodes))
		kind := faults % 3
		faults++
		over.Go(func() {
			defer func() { <-busy }()
			pass(30 * time.Millisecond) // in the middle of something
			switch kind {
			case 0:
				c.nodes[i].kill()
				c.startNode(t, i)
			case 1:
				c.nodes[i].link.part()
				pass(500 * time.Millisecond)
				c.nodes[i].link.join()
			case 2:
				free := c.nodes[i].link.stick()
				pass(time.Second)
				free()
			}
		})
	})
	over.Wait()
	c.check(t)
	if faults < 3 {
		t.Errorf("only %d faults", faults)
	}
	t.Logf("%d rounds, %d times a node was killed, cut off from the store or heard nothing of it for a while: %s; one chain each, every history linearizable", rounds, faults, c.summary())
}
