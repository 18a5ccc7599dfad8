package load

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/wire"
)

const pathJWKS = "/.well-known/jwks.json"

// parseKeys reads a key set.
func parseKeys(raw []byte) (*jwk.Set, error) {
	set, err := jwk.ParseSet(raw)
	if err != nil {
		return nil, fmt.Errorf("reading the key set: %w", err)
	}
	return set, nil
}

// Operations are the names of those that a target has, in the order in which
// people meet them, each with what it is.
var Operations = []struct{ Name, What string }{
	{"login", "log in with a password, and out again, which is not measured"},
	{"refresh", "trade a refresh token for the next one, and a new access token"},
	{"me", "GET /v1/me"},
	{"sessions", "list one's own sessions"},
	{"introspect", "ask about an access token"},
	{"client", "a service's own access token, by its client credentials"},
	{"revoke", "end an access token, which is made first, and that is not measured"},
	{"jwks", "get the public keys"},
	{"verify", "verify an access token here, without asking the server"},
}

// Ops are the operations of a mix, by name and weight.
func (t *Target) Ops(mix map[string]int) ([]Op, error) {
	var ops []Op
	for _, o := range Operations {
		if mix[o.Name] > 0 {
			op := t.op(o.Name)
			op.Name, op.Weight = o.Name, mix[o.Name]
			ops = append(ops, op)
		}
	}
	if len(ops) != len(mix) {
		return nil, fmt.Errorf("unknown operation among %v", mix)
	}
	return ops, nil
}

func (t *Target) op(name string) Op {
	switch name {
	case "login":
		return Op{
			Do:    func(ctx context.Context, i int) error { return t.logIn(ctx, i, &t.lines[i].spare) },
			After: t.logOut,
		}
	case "refresh":
		return Op{Do: t.refresh}
	case "me":
		return t.asHolder("/v1/me", func() any { return new(wire.Me) })
	case "sessions":
		return t.asHolder("/v1/sessions", func() any { return new(wire.SessionList) })
	case "introspect":
		return Op{Before: t.fresh, Do: func(ctx context.Context, i int) error {
			var about wire.Introspection
			if err := t.introspect(ctx, i, &about); err != nil {
				return err
			}
			if !about.Active {
				return &Refusal{200, "not active"}
			}
			return nil
		}}
	case "client":
		return Op{Do: t.grant}
	case "revoke":
		return Op{Before: t.grant, Do: t.revoke}
	case "jwks":
		return Op{Do: func(ctx context.Context, _ int) error { return t.ask(ctx, request{method: "GET", path: pathJWKS}, nil) }}
	}
	return Op{Before: t.fresh, Do: func(ctx context.Context, i int) error {
		_, err := t.verifier.Verify(ctx, t.lines[i].held.AccessToken)
		return err
	}}
}

// asHolder gets a page with the connection's own token.
func (t *Target) asHolder(path string, answer func() any) Op {
	return Op{Before: t.fresh, Do: func(ctx context.Context, i int) error {
		return t.ask(ctx, request{method: "GET", path: path, authorization: t.bearer(i)}, answer())
	}}
}

func (t *Target) bearer(connection int) string {
	return "Bearer " + t.lines[connection].held.AccessToken
}

// introspect asks about the connection's token with the same token.
func (t *Target) introspect(ctx context.Context, i int, about *wire.Introspection) error {
	return t.ask(ctx, request{method: "POST", path: "/oauth/introspect", authorization: t.bearer(i),
		contentType: form, body: []byte("token=" + t.lines[i].held.AccessToken)}, about)
}

const form = "application/x-www-form-urlencoded"

// basic follows RFC 6749 §2.3.1.
func (t *Target) basic() string {
	both := url.QueryEscape(t.app.App.ID) + ":" + url.QueryEscape(t.app.Secret)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(both))
}

func (t *Target) grant(ctx context.Context, i int) error {
	return t.ask(ctx, request{method: "POST", path: "/oauth/token", authorization: t.basic(),
		contentType: form, body: []byte("grant_type=client_credentials")}, &t.lines[i].spare)
}

func (t *Target) revoke(ctx context.Context, i int) error {
	return t.ask(ctx, request{method: "POST", path: "/oauth/revoke", authorization: t.basic(),
		contentType: form, body: []byte("token=" + t.lines[i].spare.AccessToken)}, nil)
}

// logOut ends what a log-in began, so that no account has too many sessions.
func (t *Target) logOut(ctx context.Context, i int) {
	_ = t.ask(ctx, request{method: "POST", path: "/v1/logout", authorization: "Bearer " + t.lines[i].spare.AccessToken}, nil)
}
