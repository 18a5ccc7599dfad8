package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// State is what keeps somebody signed in. The zero State is nobody. It is secret:
// however it is printed, its tokens are not; as JSON they are.
type State struct {
	Username     string    `json:"username,omitempty"` // empty for a service
	AccessToken  string    `json:"access_token,omitempty"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	DeviceToken  string    `json:"device_token,omitempty"` // sent with the next log-in
	SessionID    string    `json:"session_id,omitempty"`
	Scope        string    `json:"scope,omitempty"`
	IssuedAt     time.Time `json:"issued_at,omitzero"` // both by this machine's clock
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
}

// Format implements fmt.Formatter for every verb.
func (s State) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, s.about()) }

// LogValue implements slog.LogValuer.
func (s State) LogValue() slog.Value { return slog.StringValue(s.about()) }

func (s State) about() string {
	if s.AccessToken == "" {
		return "client.State(nobody)"
	}
	return fmt.Sprintf("client.State(%q until %s)", s.Username, s.ExpiresAt.UTC().Format(time.RFC3339))
}

// take keeps an answer to what was asked at that time.
func (s *State) take(out wire.TokenResponse, asked time.Time) (Token, error) {
	if out.AccessToken == "" || out.ExpiresIn <= 0 || out.ExpiresIn > int64(maxLife/time.Second) {
		return Token{}, errors.New("the answer holds no access token, or not how long it lives: is Issuer a Jotsmith server?")
	}
	life := time.Duration(out.ExpiresIn) * time.Second
	s.AccessToken, s.SessionID, s.Scope = out.AccessToken, out.SessionID, out.Scope
	s.IssuedAt, s.ExpiresAt = asked.UTC().Round(0), asked.Add(life).UTC().Round(0)
	if out.RefreshToken != "" {
		s.RefreshToken = out.RefreshToken
	}
	t := s.token()
	t.Expiry = asked.Add(life) // with the monotonic reading
	return t, nil
}

const maxLife = 24 * time.Hour

// token is the one that is kept. Of one that would be from the future it is not
// known how old it is: the clock was set back since.
func (s *State) token() Token {
	life := s.ExpiresAt.Sub(s.IssuedAt)
	if s.AccessToken == "" || time.Now().Before(s.IssuedAt) || life > maxLife {
		return Token{}
	}
	return Token{AccessToken: s.AccessToken, Type: "Bearer", Expiry: s.ExpiresAt, Scope: s.Scope, SessionID: s.SessionID, life: life}
}

// Store keeps a [State]. Implementations are safe for concurrent use.
type Store interface {
	// Update hands what is kept to change, and keeps what change made of it
	// where that returns nil; else the error is change's. Whoever else shares the
	// store waits meanwhile, until ctx ends. What was kept stays kept when the
	// program dies in any moment: the old or the new, whole. change asks the
	// server, which takes up to 45 seconds.
	Update(ctx context.Context, change func(*State) error) error
}

// Memory keeps a [State] until the program ends. The zero Memory is ready.
type Memory struct {
	mu    sync.Mutex
	state State
}

// Update implements [Store].
func (m *Memory) Update(_ context.Context, change func(*State) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state
	if err := change(&s); err != nil {
		return err
	}
	m.state = s
	return nil
}
