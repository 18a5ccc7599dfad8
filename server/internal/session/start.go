package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/mint"
)

// refusals are what an audit event says of a log-in that was right but asked
// for what it cannot have.
var refusals = []struct {
	reason error
	rule   string
}{
	{catalog.ErrUnknownAPI, "unknown API"},
	{catalog.ErrScope, "scope that the roles do not give"},
	{mint.ErrTooLarge, "token too large"},
	{ErrDisabled, "account is disabled"},
}

// refuse records why holder gets no session, also where they have gone away
// meanwhile, and answers err. What is a fault of ours is for the log alone.
func (s *Service) refuse(ctx context.Context, actor audit.Actor, holder account.ID, err error) error {
	for _, r := range refusals {
		if !errors.Is(err, r.reason) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := s.store.Record(ctx, audit.Event{
			Act: "session.start", Outcome: audit.Refused, Rule: r.rule,
			Targets: map[string]string{"account": string(holder)}, Actor: actor,
		}); err != nil {
			return err
		}
		break
	}
	return err
}

const (
	maxPerAccount = 1000

	// spare is how many sessions beyond those allowed are looked at in one
	// log-in; there is one, unless fewer are allowed than before.
	spare = 32
)

// makeRoom ends those of holder's sessions that were used longest ago, until as
// many live as may; never the one that was just started. What fails is done by
// the next log-in.
func (s *Service) makeRoom(ctx context.Context, actor audit.Actor, holder account.ID, started ID) {
	living, err := s.store.Sessions(ctx, holder, s.limits.Idle, "", s.most+spare)
	if err == nil && len(living) > s.most {
		excess := len(living) - s.most
		living = slices.DeleteFunc(living, func(l Session) bool { return l.ID == started })
		slices.SortFunc(living, func(a, b Session) int {
			return cmp.Or(a.RotatedAt.Compare(b.RotatedAt), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		for _, l := range living[:min(excess, len(living))] {
			const reason = "too_many_sessions"
			if _, e := s.store.EndSessions(ctx, Selection{ID: l.ID}, reason, event("session.end", audit.OK, reason, l, actor)); e != nil {
				err = e
			}
		}
	}
	if err != nil {
		s.log.WarnContext(ctx, "ending the sessions that an account has too many", "account", holder, "error", err)
	}
}
