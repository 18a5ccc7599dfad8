package wire

import "time"

// ModeCookie asks a login to keep the refresh token out of the body.
const ModeCookie = "cookie"

// LoginRequest is the body of POST /v1/login.
type LoginRequest struct {
	Username    string `json:"username"`
	Password    string `json:"password"`
	Audience    string `json:"audience,omitempty"`     // the API the token is for; empty: the default one
	Scope       string `json:"scope,omitempty"`        // space separated; empty: all that the account may have
	DeviceToken string `json:"device_token,omitempty"` // answered by an earlier login on this device
	Mode        string `json:"mode,omitempty"`         // empty or [ModeCookie]
}

// TokenResponse answers a login and a refresh (RFC 6749 §5.1 with additions).
type TokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"` // "Bearer"
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	SessionID    string `json:"session_id,omitempty"`
	DeviceToken  string `json:"device_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// RefreshRequest is the body of POST /v1/refresh.
type RefreshRequest struct {
	RefreshToken string `json:"refresh_token"`
}

// Me is one's own account: GET and PATCH /v1/me.
type Me struct {
	ID          string    `json:"id"` // the token's subject
	Username    string    `json:"username"`
	DisplayName string    `json:"display_name"`
	Roles       []string  `json:"roles"`
	CreatedAt   time.Time `json:"created_at"`
}

// MePatch is the body of PATCH /v1/me; what is absent stays as it is.
type MePatch struct {
	DisplayName *string `json:"display_name,omitempty"`
}

// PasswordChange is the body of POST /v1/me/password.
type PasswordChange struct {
	CurrentPassword string `json:"current_password"`
	NewPassword     string `json:"new_password"`
}

// Session is one device that is logged in.
type Session struct {
	ID         string    `json:"id"`
	Audience   string    `json:"audience"`
	Device     string    `json:"device,omitempty"`  // the user agent that logged in
	Address    string    `json:"address,omitempty"` // where it was last used from
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at"`
	ExpiresAt  time.Time `json:"expires_at"` // when it ends at the latest
	Current    bool      `json:"current"`    // the one that asks
}

// SessionList answers GET /v1/sessions.
type SessionList struct {
	Sessions []Session `json:"sessions"`
}

// Introspection answers POST /oauth/introspect (RFC 7662 §2.2). An inactive
// token answers {"active":false} and nothing else.
type Introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"` // space separated
	ClientID  string   `json:"client_id,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Expires   int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	NotBefore int64    `json:"nbf,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	SessionID string   `json:"sid,omitempty"`
	Roles     []string `json:"roles,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"` // of the log-in (RFC 9470 §6.2)
	Methods   []string `json:"amr,omitempty"`
	ACR       string   `json:"acr,omitempty"`
}
