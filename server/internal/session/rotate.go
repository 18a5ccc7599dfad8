package session

import (
	"context"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// A Rotation is what nearly every refresh comes to, said before the row was
// read: the condition under which [Decide] answers Rotate, and the [Step] that
// follows.
type Rotation struct {
	Generation uint32 // of the token that is presented
	Client     string
	Transport  string
	Idle       time.Duration

	// Lives are the lives of the tokens of each registered API, by its
	// audience. The session's must be among them; its TokenLife becomes no
	// shorter than that.
	Lives map[string]time.Duration

	// Status is the entry of the new access token, which commits with the
	// rotation, but where the session's audience is one of Opaque. The store
	// completes it: with the session and its account, the time, and an expiry
	// that is the life of the API and status.Margin later. nil: there is none.
	Status *status.Entry
	Opaque []string

	MACKey  string
	Address string
}

// A Rotator is a [Store] that every statement is a journey to, and that makes
// the plain rotation in one. RefreshSession decides what that one leaves.
type Rotator interface {
	// RotateSession performs r on the session of id where Decide would answer
	// Rotate, and answers its row as it stands then, with the time. Otherwise,
	// also where there is no such session, it changes nothing and rotated is
	// false. Where the answer is lost, that is fault.ErrUncertain; presented
	// again, the token then is a repetition.
	RotateSession(ctx context.Context, id ID, r Rotation) (row Row, now time.Time, rotated bool, err error)
}

// maxLives bounds what a Rotation carries.
const maxLives = 64

// rotate answers a plain refresh from a store that can make it in one
// statement. The access token is made after the commit, from the very rows that
// the statement held. What keeps all tokens of an API from being made is found
// out before; should one fail to be made for what its own row says, the row is
// marked as one whose answer was lost. The token that was presented then is good
// for as long as the session, and nobody is taken for a thief because of it.
func (s *Service) rotate(ctx context.Context, presented refreshToken, p Presented, mac *jwk.SecretKey, actor audit.Actor) (tokens Tokens, rotated bool, err error) {
	store, ok := s.store.(Rotator)
	if !ok || p.Audience != "" || p.Scope != "" { // which may be refused, and then consumes nothing
		return Tokens{}, false, nil
	}
	registered := s.catalog.Now()
	audiences := registered.Audiences()
	if len(audiences) > maxLives {
		return Tokens{}, false, nil
	}
	lives := make(map[string]time.Duration, len(audiences))
	opaque := make([]string, 0, len(audiences))
	for _, audience := range audiences {
		api, err := registered.API(audience)
		if err != nil {
			return Tokens{}, false, err
		}
		if s.mints.Ready(api.Algorithm, api.Opaque) == nil {
			lives[audience] = api.Life // the others are refused, and consume nothing
		}
		if api.Opaque {
			opaque = append(opaque, audience)
		}
	}
	var entry *status.Entry
	if len(opaque) < len(audiences) {
		entry = s.entry(catalog.API{})
	}
	p = p.complete()
	row, now, rotated, err := store.RotateSession(ctx, NewID(presented.handle), Rotation{
		Generation: presented.generation, Client: p.Client, Transport: p.Transport, Idle: s.limits.Idle,
		Lives: lives, MACKey: mac.KeyID(), Address: clip(actor.Address),
		Status: entry, Opaque: opaque,
	})
	if err != nil || !rotated {
		return Tokens{}, false, err
	}
	defer func() {
		if err != nil {
			s.unanswered(ctx, row, actor)
		}
	}()
	api, err := registered.API(row.Audience)
	if err != nil {
		return Tokens{}, true, err
	}
	if api.Opaque {
		entry = nil
	}
	tokens, err = s.mint(row, registered, api, registered.Narrow(api, row.Holder.Roles, row.Scope), now, entry)
	if err != nil {
		return Tokens{}, true, err
	}
	tokens.RefreshToken, err = s.minter.refresh(mac, refreshToken{presented.handle, row.Generation})
	return tokens, true, err
}

// unanswered marks a row that was rotated and whose holder gets no answer.
func (s *Service) unanswered(ctx context.Context, rotated Row, actor audit.Actor) {
	err := s.store.RefreshSession(context.WithoutCancel(ctx), rotated.ID, func(row Row, _ time.Time) (Step, error) {
		if row.Generation != rotated.Generation || row.Forgiven == row.Generation || !row.EndedAt.IsZero() {
			return Step{}, nil
		}
		e := event("session.forgiven", audit.OK, "no access token could be made", row.Session, actor)
		return Step{Forgive: true, Event: &e}, nil
	})
	if err != nil {
		s.log.ErrorContext(ctx, "a refresh token was rotated and its successor could not be handed out; it is good for the grace", "session", rotated.ID, "err", err)
	}
}
