package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

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

// story is the end of a history, for whoever has to find out.
func (s *tracked) story() string {
	var b strings.Builder
	for _, o := range s.ops[max(0, len(s.ops)-60):] {
		fmt.Fprintln(&b, o)
	}
	return b.String()
}
