package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
)

// Check decides whether a request may pass: it returns the verified token, or
// the reason, which is for [Guard.Refuse] and for logs. It writes nothing.
func (g *Guard) Check(r *http.Request, rules ...authz.Rule) (*jwt.Token, error) {
	return g.check(r, false, rules)
}

func (g *Guard) check(r *http.Request, stream bool, rules []authz.Rule) (*jwt.Token, error) {
	var o Observation
	c, err := g.extract(r, stream)
	if err == nil {
		err = g.verify(r.Context(), c, &o)
	}
	if err == nil && c.cookie && (stream || changesState(r)) {
		err = g.ownOrigin(r, o.Token)
	}
	if err == nil {
		err = ask(r, o.Token, rules)
	}
	if g.c.Observe != nil {
		o.Err = err
		g.c.Observe(r, o)
	}
	if err != nil {
		return nil, err
	}
	return o.Token, nil
}

// verify notes the token in o, and what it took where somebody observes.
func (g *Guard) verify(ctx context.Context, c credential, o *Observation) (err error) {
	if g.c.Observe != nil {
		if v := g.verifier.Load(); v != nil {
			o.Warm = c.ticket != "" || v.Cached(c.compact)
		}
		defer func(began time.Time) { o.Took = time.Since(began) }(time.Now())
	}
	v, err := g.connected()
	switch {
	case err != nil:
		return err
	case c.ticket == "":
		o.Token, err = v.Verify(ctx, c.compact)
		return err
	}
	t, err := g.tickets.take(c.ticket, time.Now())
	if err != nil {
		return err
	}
	if err := v.Recheck(ctx, t); err != nil {
		return err
	}
	o.Token = t
	return nil
}

// ask asks the rules about the token of a request, an *http.Request at handlers.
func ask(request any, t *jwt.Token, rules []authz.Rule) error {
	for i, rule := range rules {
		err := authz.Check(rule, request, t)
		if err == nil {
			continue
		}
		if d, ok := errors.AsType[*authz.Denied](err); ok && d.StepUp != nil {
			// Nobody is asked for a password who lacks a right, too.
			if err = authz.Check(authz.All(rules[i:]...), request, t); err == nil {
				return nil
			}
		}
		err = fmt.Errorf("subject %q, token %q: %w", t.Subject(), t.ID(), err)
		if _, denied := errors.AsType[*authz.Denied](err); denied {
			return err
		}
		return &undecided{rule, err}
	}
	return nil
}

// undecided is what a rule said that could neither admit nor deny. It may wrap
// anything, of which nothing is a verdict on the token.
type undecided struct {
	rule authz.Rule
	err  error
}

func (u *undecided) Error() string {
	return "asking the rule " + u.rule.String() + ": " + u.err.Error()
}
func (u *undecided) Unwrap() error { return u.err }
