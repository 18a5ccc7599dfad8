package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

// A Refusal is an error together with how it is answered.
type Refusal struct {
	Code   wire.Code
	Detail string         // what the caller should do; never why a credential was refused
	Cause  error          // for the log alone
	Bad    []wire.BadLine // of a body of many lines
}

func (r *Refusal) Error() string {
	switch {
	case r.Cause != nil:
		return r.Cause.Error()
	case r.Detail != "":
		return r.Detail
	}
	return string(r.Code)
}

func (r *Refusal) Unwrap() error { return r.Cause }

// Refuse makes a refusal. detail and cause may be empty.
func Refuse(code wire.Code, detail string, cause error) error {
	return &Refusal{Code: code, Detail: detail, Cause: cause}
}

// ManyTokens refuses a request that carries more than one credential.
func ManyTokens(which string) error { return fmt.Errorf("%w: %s", guard.ErrManyTokens, which) }

// answers is the whole table from what a domain package says to what the caller
// is told; the first that fits. What is in doubt, a store that does not
// answer, comes before every verdict. What is not here is a fault of ours.
var answers = []struct {
	reason error
	code   wire.Code
}{
	{fault.ErrClock, wire.CodeClockUnreliable},
	{fault.ErrUnavailable, wire.CodeServerBusy},
	{context.DeadlineExceeded, wire.CodeServerBusy},
	{context.Canceled, wire.CodeServerBusy}, // nobody reads it
	{jwt.ErrKeysUnavailable, wire.CodeKeysUnavailable},
	{jwt.ErrRevocationUnavailable, wire.CodeRevocationUnavailable},

	{guard.ErrNoToken, wire.CodeTokenMissing},
	{guard.ErrManyTokens, wire.CodeInvalidRequest},
	{jwt.ErrMalformed, wire.CodeTokenMalformed},
	{jwt.ErrAlgorithm, wire.CodeTokenInvalid},
	{jwt.ErrUnknownKey, wire.CodeTokenInvalid},
	{jwt.ErrSignature, wire.CodeTokenInvalid},
	{jwt.ErrDecrypt, wire.CodeTokenInvalid},
	{jwt.ErrType, wire.CodeTokenInvalid},
	{jwt.ErrIssuer, wire.CodeTokenInvalid},
	{jwt.ErrAudience, wire.CodeTokenInvalid},
	{jwt.ErrNotYetValid, wire.CodeTokenInvalid},
	{jwt.ErrExpired, wire.CodeTokenExpired},
	{jwt.ErrRevoked, wire.CodeTokenRevoked},

	{app.ErrCredentials, wire.CodeInvalidClient},
	{account.ErrBusy, wire.CodeServerBusy},
	{account.ErrCredentials, wire.CodeInvalidCredentials},
	{account.ErrWeakPassword, wire.CodePasswordTooWeak},
	{account.ErrDisplayName, wire.CodeInvalidRequest},
	{account.ErrUsername, wire.CodeInvalidRequest},
	{session.ErrStoreBehind, wire.CodeStoreBehind},
	{session.ErrRefused, wire.CodeInvalidRefreshToken},
	{fault.ErrNotFound, wire.CodeNotFound},
	{fault.ErrExists, wire.CodeAlreadyExists},
	{fault.ErrChanged, wire.CodeConflict},
}

// classify answers how err is told.
func classify(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	if _, ok := errors.AsType[*account.Throttled](err); ok {
		return &Refusal{Code: wire.CodeRateLimited, Cause: err}
	}
	if _, ok := errors.AsType[*overRate](err); ok {
		return &Refusal{Code: wire.CodeRateLimited, Cause: err}
	}
	if d, ok := errors.AsType[*authz.Denied](err); ok {
		if d.StepUp != nil {
			return &Refusal{Code: wire.CodeLoginTooWeak, Detail: d.Error(), Cause: err}
		}
		r := &Refusal{Code: wire.CodeForbidden, Cause: err}
		if d.Scope != "" {
			r.Detail = "the permission " + d.Scope + " is required"
		}
		return r
	}
	for _, a := range answers {
		if errors.Is(err, a.reason) {
			r := &Refusal{Code: a.code, Cause: err}
			switch a.reason {
			case account.ErrWeakPassword, account.ErrDisplayName, account.ErrUsername:
				r.Detail = err.Error()
			}
			return r
		}
	}
	return &Refusal{Code: wire.CodeInternal, Cause: err}
}

// refuse answers err, where nothing has been answered yet, and keeps for the
// log what the caller is not told.
func (c *Call) refuse(err error) {
	r := classify(err)
	p := wire.NewProblem(r.Code, rand.Text())
	p.Detail = r.Detail
	if errors.Is(err, guard.ErrManyTokens) {
		p.Title = "More than one token was sent."
	}
	c.log.id, c.log.code, c.log.reason = p.ID, string(p.Code), clip(r.Error())
	if p.Code == wire.CodeRateLimited {
		c.shell.limited(err)
	}
	if c.status != 0 {
		return
	}
	h := c.Header()
	if t, ok := errors.AsType[*account.Throttled](err); ok {
		c.tellRate("tries", ratePolicy("tries", t.Burst, t.Every), 0, t.RetryAfter)
	}
	if challenge := c.challenge(p, err); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	if seconds := retryAfter(p, err); seconds > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
	h["Cache-Control"] = noStore
	h.Del("ETag")
	h.Set("Content-Type", wire.MediaTypeProblem)
	body, _ := json.Marshal(struct { // strings and numbers
		wire.Problem
		Bad []wire.BadLine `json:"bad,omitempty"` // an extension member (RFC 9457 §3.2)
	}{p, r.Bad})
	if c.oauth {
		h.Set("Content-Type", "application/json") // RFC 6749 §5.2
		body, _ = json.Marshal(struct {
			wire.Problem
			wire.OAuthError
		}{p, oauthError(p)})
	}
	if c.proxied {
		h.Set(HeaderProblem, string(body))
	}
	c.answering = true
	c.WriteHeader(p.Status)
	_, _ = c.Write(body)
}

// challenge is WWW-Authenticate (RFC 9110 §15.5.2, RFC 6750 §3). It names an
// error only where a token was sent, and the same one for each kind of bad
// token.
func (c *Call) challenge(p wire.Problem, err error) string {
	challenge := `Bearer realm="` + c.shell.Realm + `"`
	switch {
	case p.Code == wire.CodeInvalidClient:
		return `Basic realm="` + c.shell.Realm + `"` // RFC 6749 §5.2
	case p.Code == wire.CodeCrossOrigin:
		return challenge
	case p.Status == http.StatusForbidden:
		challenge += `, error="insufficient_scope"`
		if d, ok := errors.AsType[*authz.Denied](err); ok && d.Scope != "" {
			challenge += `, scope="` + d.Scope + `"`
		}
		return challenge
	case errors.Is(err, guard.ErrManyTokens):
		return challenge + `, error="invalid_request"`
	case p.Status != http.StatusUnauthorized:
		return ""
	}
	switch p.Code {
	case wire.CodeTokenMissing, wire.CodeInvalidCredentials, wire.CodeInvalidRefreshToken:
		return challenge
	case wire.CodeLoginTooWeak:
		return challenge + stepUp(err)
	}
	return challenge + `, error="invalid_token"`
}

// stepUp tells which log-in would be enough (RFC 9470 §3). The rules were made of
// a demand that holds nothing which needs escaping.
func stepUp(err error) string {
	s := `, error="insufficient_user_authentication"`
	d, ok := errors.AsType[*authz.Denied](err)
	if !ok || d.StepUp == nil {
		return s
	}
	s += `, error_description="` + d.Error() + `"`
	if seconds := int64(d.StepUp.MaxAge / time.Second); seconds > 0 {
		s += `, max_age="` + strconv.FormatInt(seconds, 10) + `"`
	}
	if d.StepUp.ACR != "" {
		s += `, acr_values="` + d.StepUp.ACR + `"`
	}
	return s
}

// retryAfter is in seconds, 0 for none.
func retryAfter(p wire.Problem, err error) int {
	switch p.Status {
	case http.StatusTooManyRequests:
		wait := time.Second
		if t, ok := errors.AsType[*account.Throttled](err); ok {
			wait = t.RetryAfter
		} else if o, ok := errors.AsType[*overRate](err); ok {
			wait = o.wait
		}
		return max(1, wholeSeconds(wait))
	case http.StatusServiceUnavailable:
		if p.Code == wire.CodeStoreBehind {
			return 60 // somebody has to act
		}
		return 2
	}
	return 0
}

// oauthError says p in the words of RFC 6749 §5.2 and RFC 6750 §3.1.
func oauthError(p wire.Problem) wire.OAuthError {
	description := p.Title
	if p.Detail != "" {
		description = p.Detail
	}
	switch p.Code {
	case wire.CodeInvalidClient, wire.CodeInvalidGrant, wire.CodeInvalidScope, wire.CodeInvalidTarget, wire.CodeUnsupportedGrantType:
		return wire.OAuthError{Error: string(p.Code), Description: description} // RFC 8707 §2 adds invalid_target
	}
	switch {
	case p.Status == http.StatusUnauthorized:
		return wire.OAuthError{Error: "invalid_token", Description: description}
	case p.Status == http.StatusForbidden:
		return wire.OAuthError{Error: "insufficient_scope", Description: description}
	case p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable:
		return wire.OAuthError{Error: "temporarily_unavailable", Description: description}
	case p.Status >= 500:
		return wire.OAuthError{Error: "server_error", Description: description}
	}
	return wire.OAuthError{Error: "invalid_request", Description: description}
}

// refuseUnrouted stands in for what the mux says by itself.
func (c *Call) refuseUnrouted(status int) {
	c.Header().Del("Location")
	switch status {
	case http.StatusMethodNotAllowed:
		c.refuse(Refuse(wire.CodeMethodNotAllowed, "allowed here: "+strings.Join(c.Header()["Allow"], ", "), nil))
	case http.StatusBadRequest:
		c.refuse(Refuse(wire.CodeInvalidRequest, "", nil))
	default:
		c.refuse(Refuse(wire.CodeNotFound, "", nil))
	}
}
