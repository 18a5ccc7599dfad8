package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/mint"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// ErrCredentials says that there is no app of that id and secret that may have
// tokens. It does not say what is wrong.
var ErrCredentials = errors.New("wrong client id or secret, or the app is disabled")

// A Client is an app that has shown its secret, as of a moment.
type Client struct {
	App App
	// asOf is not after the moment in which App was read.
	asOf time.Time
}

// Authenticate checks an app's secret. ErrCredentials.
func (s *Service) Authenticate(ctx context.Context, actor audit.Actor, id ID, secret string) (Client, error) {
	e, err := s.read(ctx, id)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return Client{}, fmt.Errorf("%w: there is no app %s", ErrCredentials, id.shown())
	case err != nil:
		return Client{}, fmt.Errorf("reading app %s: %w", id.shown(), err)
	}
	now := s.Now()
	found, ok := e.app.matches(secret, now)
	switch {
	case !ok:
		s.failed(ctx, e, actor, now, "wrong secret")
		return Client{}, fmt.Errorf("%w: not a living secret of %s", ErrCredentials, id)
	case e.app.Disabled:
		s.failed(ctx, e, actor, now, "disabled")
		return Client{}, fmt.Errorf("%w: %s is disabled", ErrCredentials, id)
	}
	s.used(ctx, e, found, now)
	return Client{e.app, e.asOf}, nil
}

// A Token is what a client-credentials grant is answered.
type Token struct {
	AccessToken string
	ID          string // its jti
	ExpiresIn   time.Duration
	Scope       string // granted, space-separated
	Audience    string
}

// Grant makes an access token for the app itself (RFC 6749 §4.4). audience and
// scope may be empty. catalog.ErrUnknownAPI also where the app may not have
// tokens for that API; catalog.ErrScope.
//
// The token dates from when the app was read, so that whatever revokes the
// app's tokens after that reading revokes this one too.
func (s *Service) Grant(ctx context.Context, c Client, audience, scope string) (Token, error) {
	now := s.Catalog.Now()
	if audience == "" {
		audience = c.App.Audiences[0]
	}
	api, err := now.API(audience)
	if err != nil {
		return Token{}, err
	}
	if !slices.Contains(c.App.Audiences, api.Audience) {
		return Token{}, fmt.Errorf("%w: %s may not have tokens for %s", catalog.ErrUnknownAPI, c.App.ID, api.Audience)
	}
	if len(scope) > maxScope {
		return Token{}, fmt.Errorf("%w: a list of %d bytes, at most %d", catalog.ErrScope, len(scope), maxScope)
	}
	scopes, err := now.Grant(api, c.App.Roles, scope)
	if err != nil {
		return Token{}, err
	}
	life := api.Life
	if c.App.Life != 0 {
		life = c.App.Life
	}
	return s.mint(ctx, c, now, api, scopes, life)
}

// Issue is Grant for an operator, who needs no secret. It is on record.
func (s *Service) Issue(ctx context.Context, actor audit.Actor, id ID, audience, scope string) (Token, error) {
	a, asOf, err := s.Store.App(ctx, id)
	switch {
	case err != nil:
		return Token{}, fmt.Errorf("app %s: %w", id.shown(), err)
	case a.Disabled:
		return Token{}, fmt.Errorf("app %s: %w: it is disabled", id.shown(), ErrInvalid)
	}
	t, err := s.Grant(ctx, Client{a, asOf}, audience, scope)
	if err != nil {
		return Token{}, err
	}
	e := event("token.issue", id, actor)
	e.Targets["token"], e.Targets["audience"], e.Targets["scope"] = t.ID, t.Audience, t.Scope
	if err := s.Store.Record(ctx, e); err != nil {
		return Token{}, fmt.Errorf("recording that a token was issued: %w", err)
	}
	return t, nil
}

const maxScope = 1024

func (s *Service) mint(ctx context.Context, c Client, now *catalog.Catalog, api catalog.API, scopes []string, life time.Duration) (Token, error) {
	issuedAt := c.asOf.Truncate(time.Second)
	if issuedAt.Before(c.App.ValidFrom) {
		issuedAt = c.App.ValidFrom
	}
	r := mint.Request{
		Subject:   string(c.App.ID),
		Audience:  api.Audience,
		Algorithm: api.Algorithm,
		Encrypter: api.Encrypter(),
		Opaque:    api.Opaque,
		ID:        rand.Text(),
		ClientID:  string(c.App.ID), // RFC 9068 §2.2: sub is the client itself
		Scope:     scopes,
		Roles:     c.App.Roles,
		IssuedAt:  issuedAt,
		Life:      life,
		Claims:    append(now.Claims(api, c.App.Roles), c.App.Claims),
	}
	var entry status.Entry
	told := s.Status != nil && !api.Opaque // which nobody but this server reads
	if told {
		entry = s.Status.Take()
		entry.Subject, entry.IssuedAt, entry.Expires = r.Subject, issuedAt, issuedAt.Add(life+status.Margin)
		r.ID, r.StatusList, r.StatusIndex = entry.Token, s.Status.URI(entry.Slot), entry.Index
	}
	access, err := s.mints.Token(r)
	if err != nil {
		return Token{}, err
	}
	if told {
		if err := s.Status.Save(ctx, entry); err != nil {
			return Token{}, err
		}
	}
	left := issuedAt.Add(life).Sub(s.Now().Truncate(time.Second))
	return Token{access, r.ID, min(max(left, 0), life), strings.Join(scopes, " "), api.Audience}, nil
}

// Standing answers an app that is enabled: whoever holds a token of it may
// still be served. ErrCredentials otherwise.
func (s *Service) Standing(ctx context.Context, id ID) (App, error) {
	e, err := s.read(ctx, id)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return App{}, fmt.Errorf("%w: there is no app %s", ErrCredentials, id.shown())
	case err != nil:
		return App{}, fmt.Errorf("reading app %s: %w", id.shown(), err)
	case e.app.Disabled:
		return App{}, fmt.Errorf("%w: %s is disabled", ErrCredentials, id)
	}
	return e.app, nil
}

// failed records that an app could not show who it is, at most once a minute for
// each app.
func (s *Service) failed(ctx context.Context, e *entry, actor audit.Actor, now time.Time, rule string) {
	if !e.failedAt.due(now) {
		return
	}
	ev := event("app.authenticate", e.app.ID, actor)
	ev.Outcome, ev.Rule = audit.Refused, rule
	if err := s.Store.Record(ctx, ev); err != nil {
		s.Log.WarnContext(ctx, "recording that an app was refused", "app", string(e.app.ID), "err", err)
	}
}

// used notes the use of a secret, at most once a minute.
func (s *Service) used(ctx context.Context, e *entry, secret Secret, now time.Time) {
	if now.Sub(secret.LastUsedAt) < noteEvery || !e.usedAt(secret.ID).due(now) {
		return
	}
	if err := s.Store.UseSecret(ctx, e.app.ID, secret.ID); err != nil {
		s.Log.WarnContext(ctx, "noting the use of a secret", "app", string(e.app.ID), "err", err)
	}
}
