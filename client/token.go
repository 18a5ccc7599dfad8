package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// ErrSignedOut means that nobody is signed in, or no more: somebody must log in.
var ErrSignedOut = errors.New("not signed in")

// Token is an access token. However it is printed, its text is not.
type Token struct {
	AccessToken string
	Type        string    // "Bearer"
	Expiry      time.Time // by this machine's clock
	Scope       string    // space separated
	SessionID   string    // empty for a service
	life        time.Duration
}

// Format implements fmt.Formatter for every verb.
func (t Token) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, t.about()) }

// LogValue implements slog.LogValuer.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.about()) }

// MarshalText keeps a token out of JSON; it fails.
func (t Token) MarshalText() ([]byte, error) {
	return nil, errors.New("a token is not marshalled: it would be written somewhere")
}

func (t Token) about() string {
	if t.AccessToken == "" {
		return "client.Token(none)"
	}
	return "client.Token(until " + t.Expiry.UTC().Format(time.RFC3339) + ")"
}

const (
	renewTimeout = 45 * time.Second
	// A token is renewed that long before its end, or a quarter of its life
	// before where that is less, so that it does not expire on its way.
	margin = 30 * time.Second
	// renewPause is how long a renewal that failed is not tried again while the
	// token is still good.
	renewPause = 5 * time.Second
	// youngest is the age at which a token that was answered with invalid_token
	// is given up. One that was just made will not be helped by the next.
	youngest = 5 * time.Second
)

// left is the time that a token has, by whichever of two clocks says less: the
// monotonic one stands still while a machine sleeps, and the other may be set.
func (t Token) left() time.Duration {
	return min(time.Until(t.Expiry), time.Until(t.Expiry.Round(0)))
}

func (t Token) fresh() bool { return t.AccessToken != "" && t.left() > min(margin, t.life/4) }

func (t Token) age() time.Duration { return t.life - t.left() }

// A flight is one renewal, and all who wait for it.
type flight struct {
	done  chan struct{}
	token Token
	err   error
}

// Token returns an access token that is good for a while, renewed if need be. It
// answers [ErrSignedOut] where somebody must log in, and any other error where the
// server could not be asked.
func (c *Client) Token(ctx context.Context) (Token, error) {
	c.mu.Lock()
	if c.held.AccessToken != c.spent && (c.held.fresh() || c.held.left() > 0 && time.Now().Before(c.pause)) {
		defer c.mu.Unlock()
		return c.held, nil
	}
	if c.flight == nil {
		c.flight = &flight{done: make(chan struct{})}
		// The renewal is everybody's, and goes on when one of them goes away.
		go c.fly(context.WithoutCancel(ctx), c.flight)
	}
	f := c.flight
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return Token{}, fmt.Errorf("waiting for a token: %w", context.Cause(ctx))
	}
}

func (c *Client) fly(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	f.token, f.err = c.change(ctx, func(s *State) (Token, error) { return c.next(ctx, s) })
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.err != nil && !errors.Is(f.err, ErrSignedOut) && c.held.AccessToken != c.spent && c.held.left() > 0 {
		c.pause = time.Now().Add(renewPause)
		f.token, f.err = c.held, nil
	}
	c.flight = nil
	close(f.done)
}

// change has the store changed, by one at a time, and holds the token from then
// on.
func (c *Client) change(ctx context.Context, change func(*State) (Token, error)) (Token, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return Token{}, context.Cause(ctx)
	}
	var token Token
	var refused error
	err := c.c.Store.Update(ctx, func(s *State) (err error) {
		token, err = change(s)
		if errors.Is(err, ErrSignedOut) { // which is to be kept
			refused, err = err, nil
		}
		return err
	})
	if err != nil {
		return Token{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held, c.pause = token, time.Time{}
	return token, refused
}

// next gets the next token, unless another process has done so already.
func (c *Client) next(ctx context.Context, s *State) (Token, error) {
	c.mu.Lock()
	spent := c.spent
	c.mu.Unlock()
	if t := s.token(); t.AccessToken != spent && t.fresh() {
		return t, nil
	}
	asked := time.Now()
	var out wire.TokenResponse
	switch {
	case c.c.ClientID != "":
		form := url.Values{"grant_type": {"client_credentials"}}
		for name, value := range map[string]string{"resource": c.c.Audience, "scope": c.c.Scope} {
			if value != "" {
				form.Set(name, value)
			}
		}
		if err := c.ask(ctx, call{method: "POST", path: "/oauth/token", form: form, out: &out, again: true}); err != nil {
			return Token{}, fmt.Errorf("getting a token for %s: %w", c.c.ClientID, err)
		}
	case s.RefreshToken == "":
		return Token{}, ErrSignedOut
	default:
		err := c.ask(ctx, call{method: "POST", path: "/v1/refresh", body: wire.RefreshRequest{RefreshToken: s.RefreshToken}, out: &out, again: true})
		if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusUnauthorized && e.Code == wire.CodeInvalidRefreshToken {
			*s = State{Username: s.Username, DeviceToken: s.DeviceToken}
			return Token{}, fmt.Errorf("%w: the session has ended: %w", ErrSignedOut, err)
		}
		if err != nil {
			return Token{}, fmt.Errorf("renewing the token: %w", err)
		}
	}
	return s.take(out, asked)
}

// giveUp makes the next call of Token renew a token that was answered with
// invalid_token. It is false for one that was made just now.
func (c *Client) giveUp(t Token) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held.AccessToken != t.AccessToken {
		return true // others were faster
	}
	if t.age() < min(youngest, t.life/2) {
		return false
	}
	c.spent = t.AccessToken
	return true
}
