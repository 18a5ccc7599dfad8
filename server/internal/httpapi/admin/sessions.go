package admin

import (
	"errors"
	"net/http"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

func (s server) sessions() []act {
	return []act{
		on("GET /accounts/{id}/sessions", admin.SessionsRead, s.listSessions),
		on("DELETE /accounts/{id}/sessions", admin.SessionsWrite, s.endSessions),
		on("POST /sessions", admin.SessionsStart, s.startSession),
		on("GET /sessions/{id}", admin.SessionsRead, s.session),
		on("DELETE /sessions/{id}", admin.SessionsWrite, s.endSession),
	}
}

// listSessions lists the living sessions of an account by id.
func (s server) listSessions(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var after, size string
	if err := httpapi.ReadQuery(r, map[string]*string{"after": &after, "limit": &size}); err != nil {
		return err
	}
	limit, err := httpapi.Limit(size, usualLimit, mostLimit)
	if err != nil {
		return err
	}
	holder, err := id(r)
	if err != nil {
		return err
	}
	found, err := s.admin.ListSessions(r.Context(), by, account.ID(holder), session.ID(after), limit)
	if err != nil {
		return err
	}
	answer := wire.AccountSessionList{Sessions: []wire.AccountSession{}}
	for _, f := range found {
		answer.Sessions = append(answer.Sessions, sessionOf(f, true))
	}
	if len(found) == limit {
		answer.Next = string(found[limit-1].ID)
	}
	return c.JSON(http.StatusOK, answer)
}

func (s server) endSessions(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	holder, err := id(r)
	if err != nil {
		return err
	}
	n, err := s.admin.EndSessions(r.Context(), by, account.ID(holder))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, wire.SessionsEnded{Ended: n})
}

// startSession starts a session for somebody whom the caller's system has
// checked.
func (s server) startSession(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.SessionStart
	err := c.ReadJSON(r, httpapi.Members{
		"subject": &in.Subject, "roles": &in.Roles, "audience": &in.Audience, "scope": &in.Scope, "claims": &in.Claims,
		"device": &in.Device, "address": &in.Address,
	})
	if err != nil {
		return err
	}
	tokens, err := s.admin.StartSession(r.Context(), by, session.ExternalRequest{
		Subject: in.Subject, Roles: in.Roles, Audience: in.Audience, Scope: in.Scope, Claims: template(in.Claims),
		Device: in.Device, Address: in.Address,
	})
	switch {
	case errors.Is(err, catalog.ErrUnknownAPI):
		return httpapi.Refuse(wire.CodeInvalidTarget, "", err)
	case errors.Is(err, catalog.ErrScope):
		return httpapi.Refuse(wire.CodeInvalidScope, "", err)
	case err != nil:
		return err
	}
	return c.JSON(http.StatusCreated, wire.TokenResponse{
		AccessToken: tokens.AccessToken, TokenType: "Bearer", ExpiresIn: int64(tokens.ExpiresIn.Seconds()),
		RefreshToken: tokens.RefreshToken, SessionID: string(tokens.Session), Scope: tokens.Scope,
	})
}

func (s server) session(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	found, lives, err := s.admin.Session(r.Context(), by, session.ID(id))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, sessionOf(found, lives))
}

func (s server) endSession(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	if err := s.admin.EndSession(r.Context(), by, session.ID(id)); err != nil {
		return err
	}
	return c.NoContent()
}

func sessionOf(s session.Session, alive bool) wire.AccountSession {
	return wire.AccountSession{
		ID: string(s.ID), Account: string(s.Account), Client: s.Client, Audience: s.Audience, Scope: s.Scope,
		Device: s.Device, Address: s.Address, Alive: alive,
		CreatedAt: s.CreatedAt, LastUsedAt: s.RotatedAt, ExpiresAt: s.ExpiresAt, EndedAt: optional(s.EndedAt), EndReason: s.EndReason,
	}
}
