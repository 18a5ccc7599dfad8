package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/mint"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// StartRequest is what a session is asked for.
type StartRequest struct {
	Audience  string // "" is the catalog's default API
	Scope     string // "" is all that the account's roles give
	Client    string // "" is FirstParty
	Transport string // "" is Body
}

// Presented is how a refresh token came, and what it was presented for.
type Presented struct {
	Client    string // "" is FirstParty
	Transport string // "" is Body
	Audience  string // "" is the session's; there is no other
	Scope     string // of the next access token, "" is all that the session may have
}

func (p Presented) complete() Presented {
	if p.Client == "" {
		p.Client = FirstParty
	}
	if p.Transport == "" {
		p.Transport = Body
	}
	return p
}

// Tokens is what a log-in or a refresh is answered.
type Tokens struct {
	AccessToken  string
	RefreshToken string
	ExpiresIn    time.Duration // of the access token
	RefreshLife  time.Duration // for how long the refresh token is good at most
	Session      ID
	Scope        string // granted, space-separated
	Audience     string
	Holder       account.Account

	status *status.Entry // commits before they are handed out
}

// maxText bounds what a caller chooses and a row keeps.
const maxText = 1024

// Start starts a session of holder, who has been authenticated, and hands out
// its first tokens. That one is asked for which cannot be had is on record.
// catalog.ErrUnknownAPI, catalog.ErrScope, ErrDisabled,
// mint.ErrTooLarge; fault.ErrNotFound where there is no such account.
func (s *Service) Start(ctx context.Context, actor audit.Actor, holder account.ID, req StartRequest) (Tokens, error) {
	first, err := s.first(req)
	if err != nil {
		return Tokens{}, s.refuse(ctx, actor, holder, fmt.Errorf("starting a session: %w", err))
	}
	var tokens Tokens
	err = s.store.StartSession(ctx, holder, func(a account.Account, now time.Time) (started Session, e audit.Event, err error) {
		started = first.session
		started.Device, started.Address = clip(actor.Device), clip(actor.Address)
		tokens, err = s.begin(&started, a, first, now)
		return started, event("session.start", audit.OK, "", started, actor), err
	})
	if err != nil {
		return Tokens{}, s.refuse(ctx, actor, holder, fmt.Errorf("starting a session of %s: %w", holder, err))
	}
	s.makeRoom(ctx, actor, holder, tokens.Session)
	return tokens, nil
}

// A start is all of a session that does not depend on its account.
type start struct {
	registered *catalog.Catalog
	api        catalog.API
	session    Session
	refresh    string // the first token
}

// first prepares a session as it is asked for.
func (s *Service) first(req StartRequest) (start, error) {
	registered := s.catalog.Now()
	api, err := registered.API(req.Audience)
	if err != nil {
		return start{}, err
	}
	p := Presented{Client: req.Client, Transport: req.Transport}.complete()
	if p.Transport != Body && p.Transport != Cookie {
		return start{}, fmt.Errorf("unknown transport %q", p.Transport)
	}
	if len(req.Scope) > maxText {
		return start{}, fmt.Errorf("%w: a list of %d bytes, at most %d", catalog.ErrScope, len(req.Scope), maxText)
	}
	mac, err := s.ring.MAC()
	if err != nil {
		return start{}, err
	}
	first := refreshToken{generation: 1}
	rand.Read(first.handle[:])
	refresh, err := s.minter.refresh(mac, first)
	if err != nil {
		return start{}, err
	}
	return start{registered, api, Session{
		ID: NewID(first.handle), Client: p.Client, Transport: p.Transport,
		Audience: api.Audience, Scope: req.Scope,
		Generation: first.generation, MACKey: mac.KeyID(),
	}, refresh}, nil
}

// begin completes started for its account, inside the store's transaction, and
// makes its first tokens.
func (s *Service) begin(started *Session, a account.Account, first start, now time.Time) (Tokens, error) {
	if a.Disabled {
		return Tokens{}, ErrDisabled
	}
	scopes, err := first.registered.Grant(first.api, a.Roles, started.Scope)
	if err != nil {
		return Tokens{}, err
	}
	started.Account, started.AccountVersion = a.ID, a.Version
	started.TokenLife = first.api.Life
	started.CreatedAt, started.RotatedAt = now, now
	started.ExpiresAt = now.Add(s.absolute).Truncate(time.Second) // whole seconds, as tokens have them
	tokens, err := s.mint(Row{*started, a}, first.registered, first.api, scopes, now, s.entry(first.api))
	if err != nil {
		return Tokens{}, err
	}
	started.Status, tokens.RefreshToken = tokens.status, first.refresh
	return tokens, nil
}

// What tells Refresh to ask the store once more.
var (
	errChanged    = errors.New("account changed in the meantime")
	errUnknownKey = errors.New("the MAC key of the successor is not in the key ring")
)

// Refresh answers a refresh token with its successor and a new access token.
// A token that is forged is refused without reading anything. ErrRefused,
// ErrStoreBehind; catalog.ErrUnknownAPI and catalog.ErrScope where it is
// presented for more than the session may have, which consumes nothing.
func (s *Service) Refresh(ctx context.Context, actor audit.Actor, token string, p Presented) (Tokens, error) {
	presented, err := s.minter.parseRefresh(token)
	if err != nil {
		s.counts.refresh(forged)
		return Tokens{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	id := NewID(presented.handle)
	mac, err := s.ring.MAC()
	if err != nil {
		return Tokens{}, fmt.Errorf("refreshing session %s: %w", id, err)
	}
	tokens, rotated, err := s.rotate(ctx, presented, p, mac, actor)
	if err != nil {
		return Tokens{}, fmt.Errorf("refreshing session %s: %w", id, err)
	}
	if rotated {
		s.counts.refresh(Rotate)
		return tokens, nil
	}
	var o Outcome
	for range 2 {
		err = s.store.RefreshSession(ctx, id, func(row Row, now time.Time) (step Step, err error) {
			o = Decide(row, presented.generation, p.complete(), s.limits, now)
			tokens, step, err = s.perform(o, row, presented, p, mac, actor, now)
			return step, err
		})
		if errors.Is(err, errUnknownKey) {
			s.ring.CatchUp(ctx)
		} else if !errors.Is(err, errChanged) {
			break
		}
	}
	if !errors.Is(err, fault.ErrUnavailable) { // else nothing came of it
		s.counts.refresh(o)
	}
	switch {
	case err == nil:
		return tokens, nil
	case errors.Is(err, errChanged):
		return Tokens{}, fmt.Errorf("%w: session %s and its account disagree, also when read again", fault.ErrUnavailable, id)
	case errors.Is(err, fault.ErrNotFound):
		return Tokens{}, fmt.Errorf("%w: session %s is not in the store", ErrRefused, id)
	case errors.Is(err, ErrStoreBehind):
		s.log.ErrorContext(ctx, "a genuine refresh token is newer than its row: the store was restored, lags or was copied", "session", id)
	}
	return Tokens{}, fmt.Errorf("refreshing session %s: %w", id, err)
}

// perform says what o changes and mints what it hands out. It runs inside the
// store's transaction, so that no right taken away in a later one stands in a
// token.
func (s *Service) perform(o Outcome, row Row, presented refreshToken, p Presented, mac *jwk.SecretKey, actor audit.Actor, now time.Time) (Tokens, Step, error) {
	refused := fmt.Errorf("%w: %v", ErrRefused, o)
	audited := func(act, outcome string) *audit.Event {
		e := event(act, outcome, o.String(), row.Session, actor)
		return &e
	}
	switch o {
	case Foreign:
		return Tokens{}, Step{Event: audited("session.refresh", audit.Refused)}, refused
	case Ended:
		return Tokens{}, Step{}, refused
	case Barred:
		return Tokens{}, Step{End: o.String(), Event: audited("session.end", audit.OK)}, refused
	case Changed:
		return Tokens{}, Step{}, errChanged
	case Theft:
		return Tokens{}, Step{End: o.String(), Event: audited("session.theft", audit.Refused)}, refused
	case Behind:
		return Tokens{}, Step{}, ErrStoreBehind
	}

	// The API may have been withdrawn since the session began.
	registered := s.catalog.Now()
	api, err := registered.API(row.Audience)
	if err != nil {
		return Tokens{}, Step{}, fmt.Errorf("%w: %w %q", ErrRefused, err, row.Audience)
	}
	scopes, err := p.narrow(registered, api, row)
	if err != nil {
		return Tokens{}, Step{}, err
	}
	var step Step
	next := refreshToken{presented.handle, row.Generation}
	switch o {
	case Rotate:
		next.generation++
		row.TokenLife = max(row.TokenLife, api.Life)
		step = Step{Rotate: true, MACKey: mac.KeyID(), Address: clip(actor.Address), TokenLife: row.TokenLife}
	default:
		// The key that the successor was made with the first time, so that it
		// comes out the same.
		var ok bool
		if mac, ok = s.ring.MACKey(row.MACKey); !ok {
			return Tokens{}, Step{}, errUnknownKey
		}
		if o == Forgive {
			step = Step{Forgive: true, Event: audited("session.forgiven", audit.OK)}
		}
	}
	tokens, err := s.mint(row, registered, api, scopes, now, s.entry(api))
	if err != nil {
		return Tokens{}, Step{}, err
	}
	tokens.RefreshToken, err = s.minter.refresh(mac, next)
	if err != nil {
		return Tokens{}, Step{}, err
	}
	step.Status = tokens.status
	return tokens, step, nil
}

// narrow answers the scopes of the next access token. Nothing can be asked for
// that the session may not have (RFC 6749 §6).
func (p Presented) narrow(registered *catalog.Catalog, api catalog.API, row Row) ([]string, error) {
	if p.Audience != "" {
		if asked, err := registered.API(p.Audience); err != nil || asked.Audience != api.Audience {
			return nil, fmt.Errorf("%w: the session is for %s", catalog.ErrUnknownAPI, api.Audience)
		}
	}
	whole := registered.Narrow(api, row.Holder.Roles, row.Scope)
	if p.Scope == "" {
		return whole, nil
	}
	if len(p.Scope) > maxText {
		return nil, fmt.Errorf("%w: a list of %d bytes, at most %d", catalog.ErrScope, len(p.Scope), maxText)
	}
	asked := slices.Compact(slices.Sorted(strings.FieldsSeq(p.Scope)))
	for _, s := range asked {
		if !slices.Contains(whole, s) {
			return nil, fmt.Errorf("%w: %q", catalog.ErrScope, s)
		}
	}
	return asked, nil
}

// entry begins the status entry of a token for api, nil where it names no list.
func (s *Service) entry(api catalog.API) *status.Entry {
	if s.status == nil || api.Opaque { // which nobody but this server reads
		return nil
	}
	e := s.status.Take()
	return &e
}

// mint makes an access token as of now, in the store's time, that ends with the
// session at the latest. It completes entry, which may be nil, and the caller
// has it committed.
func (s *Service) mint(row Row, registered *catalog.Catalog, api catalog.API, scopes []string, now time.Time, entry *status.Entry) (Tokens, error) {
	issuedAt := now.Truncate(time.Second)
	// What is minted without a write lives no longer than the row knows.
	life := min(api.Life, row.TokenLife, row.ExpiresAt.Sub(issuedAt)).Truncate(time.Second)
	r := mint.Request{
		Subject:     string(row.Account),
		Audience:    api.Audience,
		Algorithm:   api.Algorithm,
		Encrypter:   api.Encrypter(),
		Opaque:      api.Opaque,
		SessionID:   string(row.ID),
		ClientID:    row.Client,
		Scope:       scopes,
		Roles:       row.Holder.Roles,
		IssuedAt:    issuedAt,
		Life:        life,
		Claims:      append(registered.Claims(api, row.Holder.Roles), row.Holder.Claims, row.Claims),
		DisplayName: row.Holder.DisplayName,
	}
	if !row.Holder.External { // whose name is one that this server made up, and whose log-in it did not see
		r.Username = row.Holder.Username
		r.AuthTime, r.AuthMethods = row.CreatedAt, []string{"pwd"} // RFC 8176 §2
	}
	if entry != nil {
		entry.Session, entry.Subject = r.SessionID, r.Subject
		entry.IssuedAt, entry.Expires = issuedAt, issuedAt.Add(life+status.Margin)
		r.ID, r.StatusList, r.StatusIndex = entry.Token, s.status.URI(entry.Slot), entry.Index
	}
	access, err := s.mints.Token(r)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{
		status:      entry,
		AccessToken: access, ExpiresIn: life, Session: row.ID,
		RefreshLife: min(s.limits.Idle, row.ExpiresAt.Sub(now)),
		Scope:       strings.Join(scopes, " "), Audience: api.Audience, Holder: row.Holder,
	}, nil
}

func event(act, outcome, rule string, on Session, actor audit.Actor) audit.Event {
	return audit.Event{
		Act: act, Outcome: outcome, Rule: rule,
		Targets: map[string]string{"session": string(on.ID), "account": string(on.Account)},
		Actor:   actor,
	}
}

// clip bounds what a caller sends about itself, at a rune's edge.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "")
}
