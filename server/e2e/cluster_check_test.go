package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/wire"
)

// check ends a campaign: it compares every request that was answered with the
// store. Nothing may be lost: what was answered is there, on every node and in
// the feed. Nothing may be doubled: each session is one chain whose whole
// history one order of its requests explains, and there are no more sessions
// than log-ins.
func (c *cluster) check(t testing.TB) {
	t.Helper()
	c.healthy(t)
	client := newClient()

	// The newest token that was answered works, and its answer is the last.
	var ended []*tracked
	for _, s := range c.sessions {
		if !s.isOver() {
			if c.refresh(client, 99, s, 0) == unknown {
				t.Errorf("no answer for session %s after the faults are over:\n%s", s.id, s.story())
			}
		}
		if s.isOver() {
			ended = append(ended, s)
		}
	}

	type row struct {
		ID         string
		Generation int64
		Ended      bool
	}
	found := map[string]row{}
	for _, r := range query[row](t, c, `SELECT id, generation, ended_at > 0 FROM session`) {
		found[r.ID] = r
	}
	now := time.Since(c.began)
	for _, s := range c.sessions {
		r, ok := found[s.id]
		if !ok {
			t.Errorf("session %s was answered and is not in the store:\n%s", s.id, s.story())
			continue
		}
		s.add(op{kind: opRead, got: uint32(r.Generation), ended: r.Ended, call: now, ret: now, client: 98})
	}
	if extra := len(found) - len(c.sessions); extra > c.counts[opLogin][unknown] {
		t.Errorf("%d sessions more than answered log-ins, of which %d were not answered", extra, c.counts[opLogin][unknown])
	}

	// Every history is explained by one register.
	var checking sync.WaitGroup
	next := make(chan *tracked)
	for range 2 {
		checking.Go(func() {
			for s := range next {
				if got := s.linear(1, c.grace); got != porcupine.Ok {
					t.Errorf("the history of session %s is %v:\n%s", s.id, got, s.story())
				}
			}
		})
	}
	for _, s := range c.sessions {
		next <- s
	}
	close(next)
	checking.Wait()

	c.checkEnded(t, client, ended)
	c.checkFeed(t, ended)
	c.checkAudit(t, ended)
}

// checkEnded sees that what has ended stays ended, on every node and for a
// guard that follows the feed.
func (c *cluster) checkEnded(t testing.TB, client *http.Client, ended []*tracked) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	g, err := guard.New(ctx, guard.Config{Issuer: c.issuer, Audience: clusterAPI})
	if err != nil {
		t.Errorf("a guard: %v", err)
		return
	}
	defer g.Close()
	for i, s := range ended {
		if c.refresh(client, 99, s, 0) != refused {
			t.Errorf("session %s has ended, and is refreshed:\n%s", s.id, s.story())
		}
		if token, err := g.CheckToken(ctx, s.access, nil); err == nil {
			t.Errorf("a guard takes a token of session %s, which has ended, until %v:\n%s", s.id, token.ExpiresAt(), s.story())
		} else if code, _ := guard.Code(err); code != wire.CodeTokenRevoked && code != wire.CodeTokenExpired {
			t.Errorf("a guard refuses a token of session %s, which has ended, with %v", s.id, err)
		}
		if i < len(ended)-20 {
			continue
		}
		for _, node := range c.each() {
			status, _, err := call(ctx, "GET", node+"/v1/me", s.access, nil)
			if err != nil || status != 401 {
				t.Errorf("node %s answers a token of session %s, which has ended, with %d, %v", node, s.id, status, err)
			}
		}
	}
}

// checkFeed sees that each session that has ended is one fact, and that no
// position of the feed is missing.
func (c *cluster) checkFeed(t testing.TB, ended []*tracked) {
	t.Helper()
	type fact struct {
		Value string
		N     int64
	}
	facts := map[string]int64{}
	for _, f := range query[fact](t, c, `SELECT value, count(*) FROM fact WHERE kind = 1 GROUP BY value`) {
		facts[f.Value] = f.N
	}
	for _, s := range ended {
		if facts[s.id] != 1 {
			t.Errorf("session %s has ended and has %d facts in the feed:\n%s", s.id, facts[s.id], s.story())
		}
	}
	type stand struct{ Head, Positions, Last int64 }
	got := query[stand](t, c, `SELECT (SELECT n FROM feed_head), count(DISTINCT position), coalesce(max(position), 0) FROM fact`)[0]
	if got.Head != got.Positions || got.Head != got.Last {
		t.Errorf("the feed stands at %d and has %d positions up to %d", got.Head, got.Positions, got.Last)
	}
}

// checkAudit sees that each session is on record with one beginning, and with
// one end where it has ended, and that the chain of the record is whole.
func (c *cluster) checkAudit(t testing.TB, ended []*tracked) {
	t.Helper()
	within(t, 20*time.Second, func() bool {
		return query[struct{ N int64 }](t, c, `SELECT count(*) FROM audit_outbox`)[0].N == 0
	})
	type event struct{ What []byte }
	begun, over := map[string]int{}, map[string]int{}
	for _, e := range query[event](t, c, `SELECT what FROM audit_log`) {
		var what struct {
			Act     string            `json:"act"`
			Targets map[string]string `json:"targets"`
		}
		if err := json.Unmarshal(e.What, &what); err != nil {
			t.Error(err)
		}
		switch what.Act {
		case "session.start":
			begun[what.Targets["session"]]++
		case "session.end", "session.theft":
			over[what.Targets["session"]]++
		}
	}
	for _, s := range c.sessions {
		if n := begun[s.id]; n != 1 {
			t.Errorf("session %s began %d times by the record:\n%s", s.id, n, s.story())
		}
	}
	for _, s := range ended {
		if n := over[s.id]; n != 1 {
			t.Errorf("session %s ended %d times by the record:\n%s", s.id, n, s.story())
		}
	}
	if c.file != "" {
		c.nodes[0].stop(t)
		mustRun(t, "", "audit", "verify", "--data", filepath.Dir(c.file))
		return
	}
	mustRun(t, "", "audit", "verify", "--store", c.store, "--data", filepath.Join(c.dir, "operator"))
}

// summary counts what the clients saw.
func (c *cluster) summary() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for i, name := range []string{"log-ins", "refreshes", "ends"} {
		n := c.counts[i]
		fmt.Fprintf(&b, "%s %d answered, %d refused, %d without answer; ", name, n[granted], n[refused], n[unknown])
	}
	return b.String() + fmt.Sprintf("%d sessions", len(c.sessions))
}
