package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// factMargin is the largest leeway of a verifier, and time to spare.
const factMargin = 10*time.Minute + 2*time.Minute

// EndToken revokes one access token and nothing else: its session, where it has
// one, goes on. Local knows when it returns. One that is known to be revoked already is as it was wanted.
func (f *Feed) EndToken(ctx context.Context, actor audit.Actor, t *jwt.Token) error {
	if errors.Is(f.local.Check(t, time.Now()), jwt.ErrRevoked) {
		return nil
	}
	targets := map[string]string{"token": t.ID(), "subject": t.Subject()}
	if t.SessionID() != "" {
		targets["session"] = t.SessionID()
	}
	ended := Fact{Kind: jwt.TokenFact, Value: t.ID(), Expires: t.ExpiresAt().Add(factMargin)}
	err := f.c.Store.Publish(ctx, ended,
		audit.Event{Act: "token.revoke", Outcome: audit.OK, Targets: targets, Actor: actor})
	if err != nil {
		return fmt.Errorf("revoking token %s: %w", t.ID(), err)
	}
	// At once for this node's own verifiers: once it is answered that the token
	// has ended, nothing here may say otherwise. A set that is full refuses
	// everything, which Look reports.
	_ = f.local.Add(f.entry(ended))
	return nil
}
