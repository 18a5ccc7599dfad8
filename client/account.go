package client

import (
	"context"
	"net/url"

	"github.com/jotsmith/jotsmith/wire"
)

// Me is the account that is signed in.
func (c *Client) Me(ctx context.Context) (me wire.Me, err error) {
	err = c.Call(ctx, "GET", "/v1/me", nil, &me)
	return me, err
}

// ChangePassword changes the account's password, which ends its other sessions.
func (c *Client) ChangePassword(ctx context.Context, current, next string) error {
	return c.Call(ctx, "POST", "/v1/me/password", wire.PasswordChange{CurrentPassword: current, NewPassword: next}, nil)
}

// Sessions are where the account is signed in.
func (c *Client) Sessions(ctx context.Context) ([]wire.Session, error) {
	var list wire.SessionList
	err := c.Call(ctx, "GET", "/v1/sessions", nil, &list)
	return list.Sessions, err
}

// EndSession ends one of them.
func (c *Client) EndSession(ctx context.Context, id string) error {
	return c.Call(ctx, "DELETE", "/v1/sessions/"+url.PathEscape(id), nil, nil)
}
