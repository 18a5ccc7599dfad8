package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/client"
	"github.com/jotsmith/jotsmith/wire"
)

const (
	issuer = "https://auth.example.com"
	api    = "https://api.example.com"
)

// A world is an issuer and an API, as a transport, without a network. Tokens
// are numbered, and only the newest refresh token is good.
type world struct {
	t *testing.T

	mu        sync.Mutex
	life      int             // of access tokens, in seconds
	delay     time.Duration   // of each answer of the issuer
	fail      []func() answer // of the issuer's next answers
	n         int             // generation
	good      map[string]bool // access tokens
	asked     map[string]int  // by path
	seen      []string        // Authorization at each origin, "host token"
	bodies    []string        // that reached the API
	challenge string          // of the API's 401
	redirect  string          // where the API sends everybody
	device    []string        // device tokens that log-ins brought
	ended     bool
}

type answer struct {
	status int
	header http.Header
	body   any
	err    error
}

func newWorld(t *testing.T) *world {
	return &world{t: t, life: 900, challenge: `Bearer realm="api", error="invalid_token"`, good: map[string]bool{}, asked: map[string]int{}}
}

func problem(code wire.Code) answer {
	return answer{status: code.Status(), body: wire.NewProblem(code, "log-id")}
}

func (w *world) client(change ...func(*client.Config)) *client.Client {
	w.t.Helper()
	c := client.Config{Issuer: issuer, Origins: []string{api}, Transport: w}
	for _, f := range change {
		f(&c)
	}
	made, err := client.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// in is a client that is signed in.
func (w *world) in(change ...func(*client.Config)) *client.Client {
	w.t.Helper()
	c := w.client(change...)
	if _, err := c.Login(w.t.Context(), "anna", "secret-password"); err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) count(path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[path]
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		body = string(text)
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	delay := w.delay
	w.mu.Unlock()
	if r.URL.Host == "auth.example.com" && delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.answer(r, body)
	if a.err != nil {
		return nil, a.err
	}
	rec := httptest.NewRecorder()
	for name, values := range a.header {
		rec.Header()[name] = values
	}
	rec.WriteHeader(a.status)
	if raw, ok := a.body.(json.RawMessage); ok {
		_, _ = rec.Write(raw)
	} else if a.body != nil {
		_ = json.NewEncoder(rec).Encode(a.body)
	}
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func (w *world) answer(r *http.Request, body string) answer {
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	w.seen = append(w.seen, r.URL.Host+" "+bearer)
	if r.URL.Host != "auth.example.com" {
		w.asked["api"]++
		w.bodies = append(w.bodies, body)
		switch {
		case w.redirect != "" && r.URL.Path == "/tasks":
			return answer{status: 307, header: http.Header{"Location": {w.redirect}}}
		case r.URL.Host == "api.example.com" && !w.good[bearer]:
			a := problem(wire.CodeTokenRevoked)
			a.header = http.Header{"Www-Authenticate": {w.challenge}}
			return a
		}
		return answer{status: 200, body: "hello"}
	}
	w.asked[r.URL.Path]++
	if len(w.fail) > 0 {
		f := w.fail[0]
		w.fail = w.fail[1:]
		return f()
	}
	switch r.URL.Path {
	case "/v1/login":
		var in wire.LoginRequest
		_ = json.Unmarshal([]byte(body), &in)
		w.device = append(w.device, in.DeviceToken)
		if in.Password != "secret-password" {
			return problem(wire.CodeInvalidCredentials)
		}
		w.ended = false
		return w.tokens(true)
	case "/v1/refresh":
		if w.ended || !strings.Contains(body, fmt.Sprintf(`"refresh-%d"`, w.n)) {
			return problem(wire.CodeInvalidRefreshToken)
		}
		return w.tokens(true)
	case "/oauth/token":
		if id, secret, _ := r.BasicAuth(); id != "app" || secret != "app+secret" {
			return answer{status: 401, body: wire.OAuthError{Error: "invalid_client", Description: "wrong"}}
		}
		return w.tokens(false)
	case "/v1/logout", "/oauth/revoke":
		w.ended = true
		return answer{status: 204}
	case "/v1/me":
		return answer{status: 200, body: wire.Me{ID: "acc_1", Username: "anna"}}
	}
	return problem(wire.CodeNotFound)
}

func (w *world) tokens(refresh bool) answer {
	w.n++
	out := wire.TokenResponse{AccessToken: fmt.Sprintf("access-%d", w.n), TokenType: "Bearer", ExpiresIn: int64(w.life), SessionID: "ses_1", DeviceToken: "device-1"}
	if refresh {
		out.RefreshToken = fmt.Sprintf("refresh-%d", w.n)
	}
	w.good = map[string]bool{out.AccessToken: true}
	return answer{status: 200, body: out}
}

var errCut = errors.New("connection cut")
