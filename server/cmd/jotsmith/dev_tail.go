package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/wire"
)

// A tail shows each request as it comes, and each revocation as the API hears
// of it. It looks into requests and answers as a server must not, and is for
// dev alone. Until start it prints nothing, but learns.
type tail struct {
	c      *console
	issuer string

	mu      sync.Mutex
	started bool
	names   map[string]string        // subject → user name
	ends    map[jwt.Fact]sessionSeen // of sessions that were seen
	changed time.Time                // when the last request came that may end sessions
}

// A sessionSeen is what is known of a session by its tokens.
type sessionSeen struct {
	name  string
	asked time.Time // when its own end was asked for
}

// maxSeen bounds what the tail remembers.
const maxSeen = 10_000

func newTail(c *console, issuer string) *tail {
	return &tail{c: c, issuer: issuer, names: make(map[string]string), ends: make(map[jwt.Fact]sessionSeen)}
}

func (t *tail) start() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.started = true
}

// A request is one on its way through the tail.
type request struct {
	began       time.Time
	who         string
	observation *guard.Observation
}

type requestKey struct{}

// server shows the token server's requests.
func (t *tail) server(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{began: time.Now()}
		q.who = t.bearer(r, q.began)
		peek := &peeker{ResponseWriter: w, all: r.URL.Path == "/v1/login" || r.URL.Path == "/v1/refresh"}
		h.ServeHTTP(peek, r)
		if peek.all && peek.status == http.StatusOK {
			q.who = t.learn(peek.body.Bytes())
		}
		if own := strings.HasPrefix(r.URL.Path, "/.well-known/") || r.URL.Path == "/v1/revocations"; !own {
			t.show(r, q, peek, duration(time.Since(q.began)))
		}
	})
}

// api shows the example API's requests.
func (t *tail) api(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{began: time.Now()}
		peek := &peeker{ResponseWriter: w}
		h.ServeHTTP(peek, r.WithContext(context.WithValue(r.Context(), requestKey{}, q)))
		took := ""
		if o := q.observation; o != nil {
			q.who = t.judged(r, o)
			if o.Took > 0 {
				took = map[bool]string{true: "warm ", false: "cold "}[o.Warm] + duration(o.Took)
			}
		}
		t.show(r, q, peek, took)
	})
}

// observe is told by the guard what it has decided.
func (t *tail) observe(r *http.Request, o guard.Observation) {
	if q, ok := r.Context().Value(requestKey{}).(*request); ok {
		q.observation = &o
	}
}

// judged answers whose token it was, where the guard has found it genuine.
func (t *tail) judged(r *http.Request, o *guard.Observation) string {
	if o.Token != nil {
		return t.name(o.Token.Subject())
	}
	if errors.Is(o.Err, jwt.ErrRevoked) || errors.Is(o.Err, jwt.ErrExpired) {
		return t.bearer(r, time.Time{})
	}
	return ""
}

// claims are what the tail reads out of a token that it does not verify: the
// handler beneath does.
type claims struct {
	Subject   string `json:"sub"`
	SessionID string `json:"sid"`
}

func peekToken(compact string) (c claims, ok bool) {
	u, err := jwt.Inspect(compact)
	return c, err == nil && json.Unmarshal([]byte(u.Claims()), &c) == nil && c.Subject != ""
}

// bearer answers the name in a request's token. Where the request may end
// sessions, it notes when that was asked for.
func (t *tail) bearer(r *http.Request, began time.Time) string {
	compact, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c, ok := peekToken(compact)
	if !began.IsZero() && (r.Method == http.MethodPost || r.Method == http.MethodDelete) {
		t.mu.Lock()
		t.changed = began
		fact := jwt.NewFact(jwt.SessionFact, t.issuer, c.SessionID)
		if seen, known := t.ends[fact]; ok && known && r.URL.Path == "/v1/logout" {
			seen.asked = began
			t.ends[fact] = seen
		}
		t.mu.Unlock()
	}
	if !ok {
		return ""
	}
	return t.name(c.Subject)
}

func (t *tail) name(subject string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return cmp.Or(t.names[subject], subject)
}

// learn remembers whose tokens were answered.
func (t *tail) learn(body []byte) string {
	var answer wire.TokenResponse
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	c, ok := peekToken(answer.AccessToken)
	if !ok {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	name := cmp.Or(t.names[c.Subject], c.Subject)
	if len(t.ends) < maxSeen {
		t.ends[jwt.NewFact(jwt.SessionFact, t.issuer, c.SessionID)] = sessionSeen{name: name}
	}
	return name
}

// knows tells the tail who is who.
func (t *tail) knows(subject, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names[subject] = name
}

// revocations is told by the guard what it has heard. The time that is shown
// begins when the request came that asked for it, so it is too long rather
// than too short.
func (t *tail) revocations(d *revocation.Document) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range d.Entries {
		seen, known := t.ends[e.Fact]
		if !known {
			continue
		}
		delete(t.ends, e.Fact)
		since := seen.asked
		if since.IsZero() {
			since = t.changed
		}
		t.print(now, seen.name, t.c.paint.violet(fmt.Sprintf("session ended; the API knew after %s", duration(now.Sub(since)))))
	}
}

// show prints one request. Neither its query nor a token is shown.
func (t *tail) show(r *http.Request, q *request, peek *peeker, took string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	path := printable(r.URL.Path)
	if len(path) > 30 {
		path = path[:29] + "…"
	}
	status := cmp.Or(peek.status, http.StatusOK)
	about := took
	if code := peek.code(); code != "" {
		about = strings.Join([]string{code, took}, ", ")
	}
	t.print(q.began, q.who, fmt.Sprintf("%-6s %-12s %s  %s", r.Method, path, t.c.paint.ofStatus(status, fmt.Sprint(status)), t.c.paint.dim(strings.TrimSuffix(about, ", "))))
}

// print must be called with the lock held.
func (t *tail) print(at time.Time, who, what string) {
	if t.started {
		fmt.Fprintf(t.c.out, "%s  %s  %s\n", t.c.paint.dim(at.Format("15:04:05.000")), t.c.paint.bold(fmt.Sprintf("%-4s", cmp.Or(printable(who), "-"))), what)
	}
}

// duration is short and has three digits at most.
func duration(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// A peeker keeps what is answered: all of it, or only refusals.
type peeker struct {
	http.ResponseWriter
	all    bool
	status int
	body   bytes.Buffer
}

// maxPeek bounds what is kept of an answer.
const maxPeek = 64 << 10

func (p *peeker) WriteHeader(status int) {
	if p.status == 0 {
		p.status = status
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *peeker) Write(b []byte) (int, error) {
	p.status = cmp.Or(p.status, http.StatusOK)
	if (p.all || p.status >= 400) && p.body.Len()+len(b) <= maxPeek {
		p.body.Write(b)
	}
	return p.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (p *peeker) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// code is the problem's, where the answer is one.
func (p *peeker) code() string {
	var problem wire.Problem
	if p.status < 400 || json.Unmarshal(p.body.Bytes(), &problem) != nil {
		return ""
	}
	return printable(string(problem.Code))
}
