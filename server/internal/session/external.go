package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/claims"
)

// An ExternalRequest asks for a session of somebody whom another system knows
// and has checked.
type ExternalRequest struct {
	Subject  string   // as that system calls them: see [account.External]
	Roles    []string // all that they have from now on, in their other sessions too
	Audience string   // "" is the catalog's default API
	Scope    string   // "" is all that Roles give
	Claims   []byte   // template of the session's own claims; empty is none

	// Where the person is, as far as that system knows.
	Device, Address string
}

var (
	// ErrReserved says that a session would administer this server. Who may
	// start sessions could otherwise make themselves an administrator.
	ErrReserved = errors.New("a session for somebody else's account cannot administer this server")

	// ErrAddress says that an address is none.
	ErrAddress = errors.New("malformed address")
)

// StartExternal starts a session for somebody whom the actor's system has
// checked, and makes their account where it is new. account.ErrSubject,
// claims.ErrTemplate, catalog.ErrUnknownAPI, catalog.ErrScope, ErrReserved,
// ErrAddress, ErrDisabled, mint.ErrTooLarge.
func (s *Service) StartExternal(ctx context.Context, actor audit.Actor, req ExternalRequest) (Tokens, error) {
	holder, err1 := account.External(req.Subject, req.Roles)
	template, err2 := claims.Parse(req.Claims)
	first, err3 := s.first(StartRequest{Audience: req.Audience, Scope: req.Scope})
	var err4 error
	if a, err := netip.ParseAddr(req.Address); req.Address != "" && (err != nil || a.Zone() != "") { // a zone is any text
		err4 = fmt.Errorf("%w: not an IP address", ErrAddress)
	}
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return Tokens{}, fmt.Errorf("starting a session: %w", err)
	}
	if first.api.BuiltIn || slices.ContainsFunc(first.registered.Permissions(req.Roles), func(p string) bool {
		return strings.HasPrefix(p, catalog.Reserved)
	}) {
		return Tokens{}, fmt.Errorf("starting a session of %q: %w", holder.ID, ErrReserved)
	}
	var tokens Tokens
	err := s.store.StartExternal(ctx, holder, func(was, is account.Account, now time.Time) (started Session, events []audit.Event, err error) {
		started = first.session
		started.Device, started.Address, started.Claims = printable(clip(req.Device)), req.Address, template
		if tokens, err = s.begin(&started, is, first, now); err != nil {
			return Session{}, nil, err
		}
		return started, append(changes(was, is, actor), event("session.start_external", audit.OK, "", started, actor)), nil
	})
	if err != nil {
		return Tokens{}, fmt.Errorf("starting a session of %q: %w", holder.ID, err)
	}
	s.makeRoom(ctx, actor, holder.ID, tokens.Session)
	return tokens, nil
}

// printable leaves out of s what could mislead whoever reads it on a terminal or
// a page.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// changes are the acts on the account that starting a session brought along.
func changes(was, is account.Account, actor audit.Actor) []audit.Event {
	act := "account.create_external"
	switch {
	case was.ID != "" && was.Version == is.Version:
		return nil
	case was.ID != "":
		act = "account.set_roles"
	}
	return []audit.Event{{
		Act: act, Outcome: audit.OK, Actor: actor,
		Targets: map[string]string{"account": string(is.ID), "roles": strings.Join(is.Roles, " ")},
	}}
}
