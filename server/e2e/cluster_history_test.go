package e2e

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/jotsmith/jotsmith/wire"
)

type (
	opKind  uint8
	outcome uint8
)

const (
	opLogin opKind = iota
	opRefresh
	opEnd
	opRead // of the store itself
	kinds
)

const (
	granted outcome = iota
	refused         // for what was presented
	unknown         // no answer, or one that says that nobody knows
	outcomes
)

func (k opKind) String() string  { return [...]string{"login", "refresh", "end", "read"}[k] }
func (o outcome) String() string { return [...]string{"granted", "refused", "unknown"}[o] }

// An op is one request of one session and what came of it. Times are since the
// cluster's start.
type op struct {
	kind      opKind
	outcome   outcome
	ended     bool   // as opRead found it
	presented uint32 // generation
	got       uint32 // generation of the answer
	status    int
	node      string
	client    int
	call, ret time.Duration
}

func (o op) String() string {
	s := fmt.Sprintf("%10v–", o.call.Round(10*time.Microsecond))
	if o.ret < math.MaxInt64 {
		s += fmt.Sprint(o.ret.Round(10 * time.Microsecond))
	}
	s = fmt.Sprintf("%-22s client %2d %-6s %s", s, o.client, o.node, o.kind)
	switch o.kind {
	case opRefresh:
		s += fmt.Sprintf("(%d)", o.presented)
	case opRead:
		return s + fmt.Sprintf(" → %d, ended %v", o.got, o.ended)
	}
	s += fmt.Sprintf(" → %v %d", o.outcome, o.status)
	if o.kind == opRefresh && o.outcome == granted {
		s += fmt.Sprintf(", %d", o.got)
	}
	return s
}

// A tracked session is one whose every request is remembered.
type tracked struct {
	id string

	mu     sync.Mutex
	ops    []op
	chain  map[uint32]string // refresh tokens by generation
	newest uint32
	access string // token, the last that was answered
	asked  bool   // to end
	over   bool   // refused, or its end was answered
}

func newTracked(t testing.TB, body []byte) *tracked {
	first := tokens(t, body)
	g := generation(t, first.RefreshToken)
	return &tracked{id: first.SessionID, chain: map[uint32]string{g: first.RefreshToken}, newest: g, access: first.AccessToken}
}

// generation reads which one of its chain a refresh token is: version 1, key 4,
// handle 16, generation 4, MAC 32 bytes, and 6 characters of checksum.
func generation(t testing.TB, token string) uint32 {
	raw, err := base64.RawURLEncoding.DecodeString(token[len("jsr_") : len(token)-6])
	if err != nil || len(raw) != 57 {
		t.Errorf("not a refresh token: %d bytes, %v", len(raw), err)
		return 0
	}
	return binary.BigEndian.Uint32(raw[21:])
}

// token answers the newest token, or one so many generations before it.
func (s *tracked) token(before uint32) (token string, g uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g = s.newest - min(before, s.newest-1)
	for s.chain[g] == "" {
		g++ // its answer was lost
	}
	return s.chain[g], g
}

func (s *tracked) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

func (s *tracked) add(o op) {
	s.mu.Lock()
	s.ops = append(s.ops, o)
	s.mu.Unlock()
}

// ask makes one request and says what came of it.
func (c *cluster) ask(client *http.Client, o op, method, path, bearer string, body any) (op, []byte) {
	o.call = time.Since(c.began)
	status, answer, header, err := exchange(client, method, c.issuer+path, bearer, body)
	o.ret = time.Since(c.began)
	o.status, o.node = status, header.Get("X-Node")
	switch {
	case err != nil || status == 502 || status == 503 || status == 504:
		o.outcome = unknown
		o.ret = math.MaxInt64
	case status == 200 || status == 204:
		o.outcome = granted
	default:
		o.outcome = refused
		if status != 401 {
			c.t.Errorf("%v: %s", o, answer)
		}
	}
	if bytes.Contains(answer, []byte(`"store_behind"`)) && !c.behind.Swap(true) {
		c.t.Errorf("the store is behind its own tokens: %v", o)
	}
	return o, answer
}

func exchange(client *http.Client, method, url, bearer string, body any) (int, []byte, http.Header, error) {
	b := []byte("")
	if body != nil {
		b, _ = json.Marshal(body)
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(b))
	if err != nil {
		return 0, nil, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	// Each asks from an address of their own, so that nobody is throttled for
	// what was taken and never given back because its node was killed.
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", rand.IntN(256), rand.IntN(256)))
	req.GetBody = nil // what was sent is not sent again
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		return 0, nil, resp.Header, err
	}
	return resp.StatusCode, answer.Bytes(), resp.Header, nil
}

func (c *cluster) count(o op) {
	c.mu.Lock()
	c.counts[o.kind][o.outcome]++
	if o.outcome == granted {
		c.by[o.node]++
	}
	c.mu.Unlock()
}

// refresh presents the newest refresh token of s, or one so many generations
// before it.
func (c *cluster) refresh(client *http.Client, who int, s *tracked, before uint32) outcome {
	token, g := s.token(before)
	return c.present(client, who, s, token, g)
}

func (c *cluster) present(client *http.Client, who int, s *tracked, token string, g uint32) outcome {
	o, body := c.ask(client, op{kind: opRefresh, client: who, presented: g}, "POST", "/v1/refresh", "", wire.RefreshRequest{RefreshToken: token})
	c.count(o)
	if o.outcome == granted {
		var next wire.TokenResponse
		if err := json.Unmarshal(body, &next); err != nil || next.SessionID != s.id {
			c.t.Errorf("a refresh of session %s is answered %s", s.id, next.SessionID)
			return o.outcome
		}
		o.got = generation(c.t, next.RefreshToken)
		s.mu.Lock()
		if s.chain[o.got] == "" {
			s.chain[o.got] = next.RefreshToken
			delete(s.chain, o.got-8)
		} else if s.chain[o.got] != next.RefreshToken {
			c.t.Errorf("session %s has two tokens of generation %d", s.id, o.got)
		}
		if o.got > s.newest {
			s.newest, s.access = o.got, next.AccessToken
		}
		s.mu.Unlock()
	}
	s.add(o)
	if o.outcome == refused {
		s.mu.Lock()
		s.over = true
		s.mu.Unlock()
	}
	return o.outcome
}

// end logs s out, or takes it off the list of its holder's sessions.
func (c *cluster) end(client *http.Client, who int, s *tracked) outcome {
	s.mu.Lock()
	s.asked = true
	access := s.access
	s.mu.Unlock()
	way, path := "POST", "/v1/logout"
	if rand.IntN(2) == 0 {
		way, path = "DELETE", "/v1/sessions/"+s.id
	}
	o, _ := c.ask(client, op{kind: opEnd, client: who}, way, path, access, nil)
	c.count(o)
	s.add(o)
	if o.outcome != unknown {
		s.mu.Lock()
		s.over = true
		s.mu.Unlock()
	}
	return o.outcome
}

// A register is one session as docs/architecture.md has it: what a refresh is
// answered follows from it alone.
type register struct {
	generation, forgiven uint32
	ended                bool
	from, to             time.Duration // when it was rotated last
}

// forgivenessGap is how many generations lie between two lost answers that are
// forgiven, and slack how far two clocks may be apart.
const (
	forgivenessGap = 16
	slack          = time.Second
)

// model says which histories of one session are right: those that some order
// explains in which each request takes effect at one moment between its call
// and its answer. What was not answered may have taken effect at any later
// moment, or never.
func model(first uint32, grace time.Duration) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{register{generation: first, to: math.MaxInt64}} },
		Step: func(state, input, _ any) (next []any) {
			r, o := state.(register), input.(op)
			if o.outcome == unknown {
				next = append(next, r)
			}
			may := func(is outcome, r register) {
				if o.outcome == is || o.outcome == unknown {
					next = append(next, r)
				}
			}
			over := r
			over.ended = true
			switch o.kind {
			case opRead:
				if o.got == r.generation && o.ended == r.ended {
					next = append(next, r)
				}
			case opEnd:
				may(granted, over)
				if r.ended {
					may(refused, r)
				}
			case opRefresh:
				switch {
				case r.ended:
					may(refused, r)
				case o.presented == r.generation:
					if o.outcome == unknown || o.got == r.generation+1 {
						may(granted, register{r.generation + 1, r.forgiven, false, o.call, o.ret})
					}
				case o.presented == r.generation-1:
					right := o.outcome == unknown || o.got == r.generation
					if o.call-r.to <= grace+slack && right {
						may(granted, r)
					}
					if o.ret-r.from >= grace-slack {
						forgiven := r
						forgiven.forgiven = r.generation
						if r.forgiven != 0 && r.forgiven != r.generation && r.generation-r.forgiven < forgivenessGap {
							may(refused, over)
						} else if right {
							may(granted, forgiven)
						}
					}
				case o.presented < r.generation:
					may(refused, over)
				}
			}
			return next
		},
	}
	return m.ToModel()
}

// linear checks one session's history.
func (s *tracked) linear(first uint32, grace time.Duration) porcupine.CheckResult {
	var history []porcupine.Operation
	for _, o := range telling(s.ops, grace-slack) {
		history = append(history, porcupine.Operation{ClientId: o.client, Input: o, Call: int64(o.call), Return: int64(o.ret)})
	}
	return porcupine.CheckOperationsTimeout(model(first, grace), history, 20*time.Second)
}

// telling leaves out what is explained wherever the rest is, so that nobody
// searches all orders of dozens of equal answers.
//
// Of those that were given the same successor within the grace, two tell all:
// the one that was answered first, since it may as well be the one that rotated,
// and the one that was asked last, before which nothing else can have happened
// to the session. The others fit between the two.
//
// Of those without an answer, the first three tell all: one token can rotate
// its session, be forgiven and end it. Of log-outs it is the first.
//
// Of those that can have been refused for no other reason than that the session
// had ended, the one that was answered first tells all.
func telling(ops []op, grace time.Duration) (kept []op) {
	type pair struct{ presented, got uint32 }
	type group struct{ asked, answered, latest int }
	groups := map[pair]group{}
	lost := map[pair]int{}
	ops = slices.SortedFunc(slices.Values(ops), func(a, b op) int { return cmp.Compare(a.call, b.call) })
	last, since := uint32(0), time.Duration(math.MaxInt64) // the generation that it may have come to, and when
	for i, o := range ops {
		g := o.got
		if o.kind == opRefresh && o.outcome == unknown {
			g = o.presented + 1
		}
		if g > last {
			last, since = g, o.call
		} else if g == last {
			since = min(since, o.call)
		}
		if o.kind != opRefresh || o.outcome != granted {
			continue
		}
		p := pair{o.presented, o.got}
		r, ok := groups[p]
		if !ok {
			r = group{i, i, i}
		}
		if o.ret < ops[r.answered].ret {
			r.answered = i
		}
		r.latest = i
		groups[p] = r
	}
	over := -1 // which refusal was the first
	for i, o := range ops {
		switch {
		case o.kind == opRefresh && o.outcome == granted:
			r := groups[pair{o.presented, o.got}]
			if i != r.answered && i != r.latest && o.ret-ops[r.asked].call < grace {
				continue
			}
		case o.outcome == unknown:
			p := pair{presented: o.presented}
			if lost[p]++; lost[p] > 3 || o.kind == opEnd && lost[p] > 1 {
				continue
			}
		case o.kind == opRefresh && o.outcome == refused &&
			(o.presented >= last || o.presented == last-1 && o.ret-since < grace):
			if over < 0 || o.ret < ops[over].ret {
				over = i
			}
			continue
		}
		kept = append(kept, o)
	}
	if over >= 0 {
		o := ops[over]
		o.call = o.ret
		kept = append(kept, o)
	}
	return kept
}

// story is the end of a history, for whoever has to find out.
func (s *tracked) story() string {
	var b strings.Builder
	for _, o := range s.ops[max(0, len(s.ops)-60):] {
		fmt.Fprintln(&b, o)
	}
	return b.String()
}
