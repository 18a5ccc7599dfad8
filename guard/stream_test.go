package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// streaming is an API with tickets and a stream that lasts as long as its token.
type streaming struct {
	issuer  *jotsmithtest.Issuer
	guard   *guard.Guard
	tickets http.Handler
	stream  http.Handler
	ended   chan error // why a stream's context did
}

func newStreaming(t testing.TB, c guard.Config) *streaming {
	t.Helper()
	s := &streaming{issuer: jotsmithtest.New(t), ended: make(chan error, 1)}
	c.Verifier, c.Log = s.issuer.Verifier(""), quiet()
	g, err := guard.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	s.guard, s.tickets = g, g.Tickets(authz.Scope("events"))
	s.stream = g.Stream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if guard.Token(r) == nil {
			t.Error("a stream without a token")
		}
		w.WriteHeader(http.StatusAccepted)
		<-r.Context().Done()
		s.ended <- context.Cause(r.Context())
	}), authz.Scope("events"))
	return s
}

func (s *streaming) token(c jwt.Claims) string {
	if c.Scope == nil {
		c.Scope = []string{"events"}
	}
	return s.issuer.Token(c)
}

func (s *streaming) ticket(t testing.TB, token string) string {
	t.Helper()
	w := s.ask(token)
	var body struct {
		Ticket    string `json:"ticket"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != 200 || len(body.Ticket) < 26 || body.ExpiresIn != 30 ||
		w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	return body.Ticket
}

func (s *streaming) ask(token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/tickets", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.tickets.ServeHTTP(w, r)
	return w
}

// open opens a stream; one that is open lasts until its caller goes.
func (s *streaming) open(t testing.TB, target string, header http.Header) (w *httptest.ResponseRecorder, gone context.CancelFunc) {
	t.Helper()
	ctx, gone := context.WithCancel(t.Context())
	r := httptest.NewRequest("GET", target, nil).WithContext(ctx)
	if header != nil {
		r.Header = header
	}
	w = httptest.NewRecorder()
	go s.stream.ServeHTTP(w, r)
	synctest.Wait()
	return w, gone
}

// TestStreamEnds: a stream lasts as long as its token, however it was opened.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		life  time.Duration
		act   func(s *streaming, token string, gone context.CancelFunc) // after 10 s
		after [2]time.Duration
		cause error
	}{
		{"expired", time.Minute, nil, [2]time.Duration{90 * time.Second, 91 * time.Second}, jwt.ErrExpired}, // leeway 30 s, as at a new request
		{"revoked", time.Hour, func(s *streaming, token string, _ context.CancelFunc) { s.issuer.Revoke(token) }, [2]time.Duration{10 * time.Second, 11 * time.Second}, jwt.ErrRevoked},
		{"the client has gone", time.Hour, func(_ *streaming, _ string, gone context.CancelFunc) { gone() }, [2]time.Duration{10 * time.Second, 10 * time.Second}, context.Canceled},
	} {
		for _, by := range []string{"bearer", "ticket"} {
			t.Run(c.name+"/"+by, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newStreaming(t, guard.Config{})
					token := s.token(jwt.Claims{Life: c.life})
					began := time.Now()
					target, header := "/events", http.Header{"Authorization": {"Bearer " + token}}
					if by == "ticket" {
						target, header = "/events?ticket="+s.ticket(t, token), nil
					}
					w, gone := s.open(t, target, header)
					defer gone()
					if w.Code != http.StatusAccepted {
						t.Fatalf("%d %s", w.Code, w.Body)
					}
					time.Sleep(10 * time.Second)
					if c.act != nil {
						c.act(s, token, gone)
					}
					cause := <-s.ended
					if took := time.Since(began); took < c.after[0] || took > c.after[1] || !errors.Is(cause, c.cause) {
						t.Errorf("ended after %v: %v", took, cause)
					}
				})
			})
		}
	}
}

func TestTicket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// do opens a stream with a fresh ticket of a fresh token.
		do   func(t *testing.T, s *streaming, token, ticket string) *httptest.ResponseRecorder
		code wire.Code // "": it is open
	}{
		{"once", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events?ticket="+ticket, nil)
			return w
		}, ""},
		{"at the last moment", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			time.Sleep(30*time.Second - time.Millisecond)
			w, _ := s.open(t, "/events?x=1&ticket="+ticket, nil)
			return w
		}, ""},
		{"twice", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			_, gone := s.open(t, "/events?ticket="+ticket, nil)
			gone()
			<-s.ended
			w, _ := s.open(t, "/events?ticket="+ticket, nil)
			return w
		}, "token_invalid"},
		{"too late", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			time.Sleep(30 * time.Second)
			w, _ := s.open(t, "/events?ticket="+ticket, nil)
			return w
		}, "token_invalid"},
		{"of nobody", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events?ticket=ABCDEFGHIJKLMNOPQRSTUVWXYZ", nil)
			return w
		}, "token_invalid"},
		{"in another case", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events?ticket="+strings.ToLower(ticket), nil)
			return w
		}, "token_invalid"},
		{"1 MB", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events?ticket="+strings.Repeat("A", 1<<20), nil)
			return w
		}, "token_invalid"},
		{"of another guard", func(t *testing.T, s *streaming, token, _ string) *httptest.ResponseRecorder {
			other := newStreaming(t, guard.Config{})
			w, _ := s.open(t, "/events?ticket="+other.ticket(t, other.token(jwt.Claims{})), nil)
			return w
		}, "token_invalid"},
		{"a token for a ticket", func(t *testing.T, s *streaming, token, _ string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events?ticket="+token, nil)
			return w
		}, "token_invalid"},
		{"empty", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events?ticket=", nil)
			return w
		}, "token_malformed"},
		{"two", func(t *testing.T, s *streaming, token, ticket string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events?ticket="+ticket+"&ticket="+s.ticket(t, token), nil)
			return w
		}, "invalid_request"},
		{"HTP-01 and a header", func(t *testing.T, s *streaming, token, ticket string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events?ticket="+ticket, http.Header{"Authorization": {"Bearer " + token}})
			return w
		}, "invalid_request"},
		{"HTP-02 a token in the query", func(t *testing.T, s *streaming, token, _ string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events?access_token="+token, nil)
			return w
		}, "token_missing"},
		{"its token was revoked", func(t *testing.T, s *streaming, token, ticket string) *httptest.ResponseRecorder {
			s.issuer.Revoke(token)
			w, _ := s.open(t, "/events?ticket="+ticket, nil)
			return w
		}, "token_revoked"},
		{"as a bearer token", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			w, _ := s.open(t, "/events", http.Header{"Authorization": {"Bearer " + ticket}})
			return w
		}, "token_malformed"},
		{"where no stream is", func(t *testing.T, s *streaming, _, ticket string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			s.guard.HandlerFunc(ok).ServeHTTP(w, httptest.NewRequest("GET", "/tasks?ticket="+ticket, nil))
			return w
		}, "token_missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStreaming(t, guard.Config{})
				token := s.token(jwt.Claims{Life: time.Hour})
				w := c.do(t, s, token, s.ticket(t, token))
				if c.code == "" {
					if w.Code != http.StatusAccepted {
						t.Errorf("%d %s", w.Code, w.Body)
					}
					return
				}
				mustTell(t, w, c.code, "")
			})
		})
	}
}

// A token that expires between a ticket and its use opens nothing.
func TestTicketOfAnExpiredToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreaming(t, guard.Config{})
		ticket := s.ticket(t, s.token(jwt.Claims{Life: time.Second}))
		time.Sleep(29 * time.Second) // within ticket and leeway
		again := s.ticket(t, s.token(jwt.Claims{Life: 10 * time.Second, IssuedAt: time.Now().Add(-30 * time.Second)}))
		time.Sleep(15 * time.Second)
		w, _ := s.open(t, "/events?ticket="+again, nil)
		mustTell(t, w, "token_expired", "")
		w, _ = s.open(t, "/events?ticket="+ticket, nil)
		mustTell(t, w, "token_invalid", "")
	})
}

// Who may have a ticket, and how many.
func TestTickets(t *testing.T) {
	t.Parallel()
	s := newStreaming(t, guard.Config{})
	mustTell(t, s.ask(s.issuer.Expired(jwt.Claims{})), "token_expired", "")
	mustTell(t, s.ask(s.token(jwt.Claims{Scope: []string{"tasks"}})), "forbidden", `, scope="events"`)
	w := httptest.NewRecorder()
	s.tickets.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	mustTell(t, w, "token_missing", "")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+s.token(jwt.Claims{}))
	w = httptest.NewRecorder()
	s.tickets.ServeHTTP(w, r)
	mustTell(t, w, "method_not_allowed", "")

	greedy := s.token(jwt.Claims{Subject: "acc_greedy"})
	for range 64 {
		s.ticket(t, greedy)
	}
	mustTell(t, s.ask(greedy), "rate_limited", "")
	s.ticket(t, s.token(jwt.Claims{Subject: "acc_modest"}))
}

func TestTicketsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreaming(t, guard.Config{})
		full, token := false, ""
		for i := range 5000 {
			if i%64 == 0 { // a subject has no more
				token = s.token(jwt.Claims{Subject: "acc_" + strings.Repeat("x", i/64)})
			}
			if w := s.ask(token); w.Code != 200 {
				mustTell(t, w, "server_busy", "")
				full = true
				if i != 4096 {
					t.Errorf("full after %d", i)
				}
				break
			}
		}
		if !full {
			t.Error("never full")
		}
		time.Sleep(30 * time.Second)
		s.ticket(t, s.token(jwt.Claims{}))
	})
}

// Of many who use one ticket at the same time, one gets in.
func TestTicketConcurrently(t *testing.T) {
	t.Parallel()
	s := newStreaming(t, guard.Config{})
	stream := s.guard.Stream(http.HandlerFunc(ok))
	for range 20 {
		ticket := s.ticket(t, s.token(jwt.Claims{}))
		var in atomic.Int32
		var work sync.WaitGroup
		for range 8 {
			work.Go(func() {
				w := httptest.NewRecorder()
				stream.ServeHTTP(w, httptest.NewRequest("GET", "/?ticket="+ticket, nil))
				if w.Code == 200 {
					in.Add(1)
				}
			})
		}
		work.Wait()
		if in.Load() != 1 {
			t.Errorf("%d used one ticket", in.Load())
		}
	}
}

// A stream by cookie is for our own pages, though it is a GET.
func TestWEB01Stream(t *testing.T) {
	t.Parallel()
	s := newStreaming(t, guard.Config{Cookie: accessCookie, TrustedOrigins: []string{app}})
	stream := s.guard.Stream(http.HandlerFunc(ok))
	for _, c := range []struct {
		name  string
		h     http.Header
		allow bool
	}{
		{"own page", http.Header{"Sec-Fetch-Site": {"same-origin"}}, true},
		{"own page, older browser", http.Header{"Origin": {"https://tasks.example.com"}}, true},
		{"trusted page", http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {app}}, true},
		{"another's page", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}, false},
		{"a sub-domain", http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://x.example.com"}}, false},
		{"an image", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		{"nobody says", http.Header{}, false},
	} {
		r := httptest.NewRequest("GET", "https://tasks.example.com/events", nil)
		r.Header = c.h
		r.Header.Set("Cookie", accessCookie+"="+s.token(jwt.Claims{}))
		w := httptest.NewRecorder()
		stream.ServeHTTP(w, r)
		if c.allow != (w.Code == 200) {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if !c.allow {
			mustTell(t, w, "cross_origin", "")
		}
	}
}

func TestNilRules(t *testing.T) {
	t.Parallel()
	s := newStreaming(t, guard.Config{})
	for name, build := range map[string]func(){
		"handler": func() { s.guard.HandlerFunc(ok, nil) },
		"stream":  func() { s.guard.Stream(http.HandlerFunc(ok), nil) },
		"tickets": func() { s.guard.Tickets(nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			build()
		}()
	}
}

// A stream through a real server: the connection ends with the token.
func TestStreamOverHTTP(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier(""), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(g.Stream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
	})))
	defer server.Close()
	token := issuer.Token(jwt.Claims{})
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	issuer.Revoke(token)
	began := time.Now()
	if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err == nil || resp.StatusCode != 200 {
		t.Errorf("%d: %d bytes, %v", resp.StatusCode, n, err)
	}
	if took := time.Since(began); took > 10*time.Second { // TestStreamEnds measures it on a clock that load cannot move
		t.Errorf("ended after %v", took)
	}
}
