package guard

import (
	"context"
	"net/http"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
)

// recheckEvery is how soon a stream ends after its token has.
const recheckEvery = time.Second

// Stream is [Guard.Handler] for answers that last, such as a WebSocket, server-
// sent events or a long download. The context of h's request ends when the token
// expires, is revoked, or cannot be judged any more, about a second later at the
// most, and context.Cause tells which; h must return then.
//
// Besides what Handler takes, it takes a ticket, in the query parameter "ticket",
// that [Guard.Tickets] gave. A cookie counts only from our own pages or a trusted
// origin, whatever the method.
func (g *Guard) Stream(h http.Handler, rules ...authz.Rule) http.Handler {
	mustBeRules(rules)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, err := g.check(r, true, rules)
		if err != nil {
			g.Refuse(w, r, err)
			return
		}
		ctx, end := context.WithCancelCause(context.WithValue(r.Context(), tokenKey{}, t))
		defer end(nil)
		go g.follow(ctx, end, t)
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// follow ends ctx once t is good no more.
func (g *Guard) follow(ctx context.Context, end context.CancelCauseFunc, t *jwt.Token) {
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := g.Recheck(ctx, t); err != nil {
				end(err)
				return
			}
		}
	}
}
