package guard

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// answers is the whole table from a reason to what the caller is told; the
// first that fits. Reasons that share a code cannot be told apart outside.
var answers = []struct {
	reason    error
	code      wire.Code
	challenge string // error of the challenge (RFC 6750 §3.1)
}{
	{ErrNoToken, wire.CodeTokenMissing, ""}, // §3.1: no error where no credential was sent
	{ErrManyTokens, wire.CodeInvalidRequest, "invalid_request"},
	{errManyCookies, wire.CodeInvalidRequest, "invalid_request"},
	{errNoPost, wire.CodeMethodNotAllowed, ""},
	{ErrCrossOrigin, wire.CodeCrossOrigin, ""}, // no fault of the token, nor of its rights
	{errTicket, wire.CodeTokenInvalid, "invalid_token"},
	{errManyTickets, wire.CodeRateLimited, ""},
	{errTicketsAreFull, wire.CodeServerBusy, ""},
	{jwt.ErrKeysUnavailable, wire.CodeKeysUnavailable, ""},
	{jwt.ErrRevocationUnavailable, wire.CodeRevocationUnavailable, ""},
	{jwt.ErrReplaysUnavailable, wire.CodeServerBusy, ""},
	{jwt.ErrMalformed, wire.CodeTokenMalformed, "invalid_token"},
	{jwt.ErrAlgorithm, wire.CodeTokenInvalid, "invalid_token"},
	{jwt.ErrUnknownKey, wire.CodeTokenInvalid, "invalid_token"},
	{jwt.ErrSignature, wire.CodeTokenInvalid, "invalid_token"},
	{jwt.ErrDecrypt, wire.CodeTokenInvalid, "invalid_token"},
	{jwt.ErrType, wire.CodeTokenInvalid, "invalid_token"},
	{jwt.ErrIssuer, wire.CodeTokenInvalid, "invalid_token"},
	{jwt.ErrAudience, wire.CodeTokenInvalid, "invalid_token"},
	{jwt.ErrNotYetValid, wire.CodeTokenInvalid, "invalid_token"},
	{jwt.ErrExpired, wire.CodeTokenExpired, "invalid_token"},
	{jwt.ErrRevoked, wire.CodeTokenRevoked, "invalid_token"},
	{jwt.ErrReplayed, wire.CodeTokenInvalid, "invalid_token"},
}

// retryAfter is what a 503 asks for, in seconds: by then the next tries to
// reach the issuer have been made.
const retryAfter = 5

// Refuse answers a request that [Guard.Check], or a handler's own rule with an
// *authz.Denied, refused. The answer tells a stable code and an id; the log
// line with that id tells the reason. Only what a denial demanded is told to its
// caller, too, whose token is good.
func (g *Guard) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	code, challenge, denied := classify(err)
	p := wire.NewProblem(code, rand.Text())
	if errors.Is(err, ErrManyTokens) {
		p.Title = "More than one token was sent."
	}
	h := w.Header()
	h.Set("Content-Type", wire.MediaTypeProblem)
	h.Set("Cache-Control", "no-store")
	switch p.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest:
		h.Set("WWW-Authenticate", g.challenge(challenge, denied))
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	level := slog.LevelInfo
	if p.Status >= 500 {
		level = slog.LevelWarn
	}
	// Neither path nor query: people put tokens into both.
	g.c.Log.LogAttrs(r.Context(), level, "request refused",
		slog.String("id", p.ID), slog.String("code", string(code)), slog.String("reason", clip(err)),
		slog.String("route", r.Pattern), slog.String("remote", r.RemoteAddr))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

func classify(err error) (code wire.Code, challenge string, denied *authz.Denied) {
	if d, ok := errors.AsType[*authz.Denied](err); ok {
		if d.StepUp != nil {
			return wire.CodeLoginTooWeak, "insufficient_user_authentication", d // RFC 9470 §3
		}
		return wire.CodeForbidden, "insufficient_scope", d
	}
	if u, ok := errors.AsType[*undecided](err); ok {
		if errors.Is(u, context.DeadlineExceeded) || errors.Is(u, context.Canceled) {
			return wire.CodeServerBusy, "", nil
		}
		return wire.CodeInternal, "", nil
	}
	for _, a := range answers {
		if errors.Is(err, a.reason) {
			return a.code, a.challenge, nil
		}
	}
	return wire.CodeInternal, "", nil
}

// challenge writes WWW-Authenticate (RFC 6750 §3), which tells the holder of a
// good token what is missing: a right, or a log-in (RFC 9470 §3). No part of it
// needs escaping: realm and metadata were checked by New, and text that a rule of
// the user's own may have made of anything is left out where it would.
func (g *Guard) challenge(name string, denied *authz.Denied) string {
	s := `Bearer realm="` + g.realm + `"`
	if name != "" {
		s += `, error="` + name + `"`
	}
	switch {
	case denied == nil:
	case denied.StepUp == nil && denied.Scope != "" && quotable(denied.Scope):
		s += `, scope="` + denied.Scope + `"`
	case denied.Rule != "" && quotable(denied.Rule) && len(denied.Rule) <= maxDescription:
		s += `, error_description="` + denied.Error() + `"`
	}
	if denied != nil && denied.StepUp != nil {
		if seconds := denied.StepUp.MaxAge / time.Second; seconds > 0 {
			s += `, max_age="` + strconv.FormatInt(int64(seconds), 10) + `"`
		}
		if acr := denied.StepUp.ACR; acr != "" && quotable(acr) {
			s += `, acr_values="` + acr + `"`
		}
	}
	if g.resource != nil {
		s += `, resource_metadata="` + g.resource.address + `"` // RFC 9728 §5.1
	}
	return s
}

const maxDescription = 300 // bytes; a header is no place for more

// quotable reports whether s stands for itself in a quoted-string (RFC 9110 §5.6.4).
func quotable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
}

// clip bounds what a stranger can make the log hold.
func clip(err error) string {
	if err == nil {
		return "no reason was given"
	}
	return clipped(err.Error(), 500)
}

func clipped(s string, most int) string {
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
