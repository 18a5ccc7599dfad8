// Package httpapi is what the routes of the server share: one shell around all
// of them (host check, log, limits, headers), one table from errors to answers,
// strict bodies, the caller's address and the caller's token. It has no routes
// (see httpapi/user and httpapi/oauth) and decides nothing about accounts and
// sessions; the domain packages do, and are told who acts.
//
// The http.Server around it must set ReadHeaderTimeout, IdleTimeout and
// MaxHeaderBytes (32 KiB are above twice the largest token). Deadlines for
// bodies and answers are set here, request by request, and replace its
// ReadTimeout and WriteTimeout, which would cut off the long poll of the
// revocation feed.
package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// A Call is one request on its way through a route: where the answer is
// written, who asks from where, and what the log will say. It implements
// http.ResponseWriter and is used by one goroutine.
type Call struct {
	http.ResponseWriter
	Address netip.Addr // the client's, see Config.Proxies

	shell     *shell
	route     string // pattern, empty while none has matched
	oauth     bool   // refusals are those of RFC 6749 too
	proxied   bool   // refusals say HeaderProblem too
	answering bool   // a refusal is being written
	muted     bool   // what else is written is dropped
	waits     bool   // longer than others, as it was asked to
	status    int
	log       entry
	spent     timing.Record
}

// entry is what the request's line in the log says beyond method and status.
type entry struct {
	id, code, reason string // of a refusal
	subject, session string
	stack            string // of a panic
	trace            string // id
}

// A Handler answers a call or returns why not. What it returns is answered by
// the one table of this package.
type Handler func(c *Call, r *http.Request) error

// Quick is the time limit of a route that answers at once.
const Quick = 10 * time.Second

// A Router is where routes are registered: an *http.ServeMux, or a test that
// wants to know which there are.
type Router interface {
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

// Handle registers h for a pattern of http.ServeMux. Its request's context ends
// after limit; 0 is for routes that wait for nothing. The mux answers only
// inside the shell that [New] makes.
func Handle(mux Router, pattern string, limit time.Duration, h Handler) {
	handle(mux, pattern, limit, false, h)
}

// HandleOAuth is Handle for an OAuth endpoint: its problem documents have the
// members error and error_description of RFC 6749 §5.2 too.
func HandleOAuth(mux Router, pattern string, limit time.Duration, h Handler) {
	handle(mux, pattern, limit, true, h)
}

// HeaderProblem says the problem document of a refusal once more, for proxies
// that pass on no body of what they ask.
const HeaderProblem = "X-Auth-Problem"

// HandleProxy is Handle for what proxies ask about the requests of others: its
// refusals have a [HeaderProblem].
func HandleProxy(mux Router, pattern string, limit time.Duration, h Handler) {
	handle(mux, pattern, limit, false, func(c *Call, r *http.Request) error {
		c.proxied = true
		return h(c, r)
	})
}

func handle(mux Router, pattern string, limit time.Duration, oauth bool, h Handler) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c, ok := w.(*Call)
		if !ok {
			panic("httpapi: " + pattern + " is served without httpapi.New around its mux")
		}
		c.route, c.oauth = r.Pattern, oauth
		if oauth {
			c.Header()["Pragma"] = noCache // RFC 6749 §5.1
		}
		if limit > 0 {
			ctx, cancel := context.WithTimeout(timing.NewContext(r.Context(), &c.spent), limit)
			defer cancel()
			r = r.WithContext(ctx)
		}
		if err := h(c, r); err != nil {
			c.refuse(err)
		}
	})
}

// WriteHeader writes the status. What http.ServeMux says by itself, that there
// is no such route or method or that a path should be spelled otherwise,
// becomes a problem document.
func (c *Call) WriteHeader(status int) {
	switch {
	case c.muted || c.status != 0:
		return
	case c.route == "" && !c.answering:
		c.refuseUnrouted(status)
		c.muted = true
		return
	}
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *Call) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if c.muted {
		return len(b), nil
	}
	return c.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (c *Call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// JSON answers v.
func (c *Call) JSON(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	c.Bytes(status, "application/json", body)
	return nil
}

// Bytes answers body. Writing can only fail where the client has gone.
func (c *Call) Bytes(status int, contentType string, body []byte) {
	c.Header()["Content-Type"] = []string{contentType}
	c.WriteHeader(status)
	_, _ = c.Write(body)
}

// NoContent answers 204.
func (c *Call) NoContent() error {
	c.WriteHeader(http.StatusNoContent)
	return nil
}

// About tells the log whom the call is about.
func (c *Call) About(subject, session string) { c.log.subject, c.log.session = subject, session }

// Anonymous is the actor of a call that nobody has vouched for yet.
func (c *Call) Anonymous(r *http.Request) audit.Actor {
	a := audit.Actor{Kind: audit.KindAnonymous, Device: device(r)}
	if c.Address.IsValid() {
		a.Address = c.Address.String()
	}
	return a
}

// device is the user agent as text that can be shown anywhere: valid, without
// control characters, at most 256 bytes.
func device(r *http.Request) string {
	agent := r.Header.Get("User-Agent")
	const most = 256
	if len(agent) > most {
		agent = agent[:most]
	}
	if !strings.ContainsFunc(agent, func(c rune) bool { return c < ' ' || c > '~' }) { // as nearly all are
		return agent
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(agent, ""))
}
