package wire

import (
	"encoding/json"
	"time"
)

// PathAdmin begins every route of the administration API. The audience of its
// tokens is the issuer with this behind it.
const PathAdmin = "/v1/admin"

// A list of the administration API has the member next where there may be more:
// its value is what the parameter after takes to go on. It is opaque.

// Account is an account as its administrator sees it.
type Account struct {
	ID                string          `json:"id"`
	Username          string          `json:"username"`
	DisplayName       string          `json:"display_name"`
	Roles             []string        `json:"roles"`
	Disabled          bool            `json:"disabled"`
	External          bool            `json:"external,omitempty"` // another system knows who it is; it has no password here
	Claims            json.RawMessage `json:"claims,omitempty"`   // template of custom claims
	CreatedAt         time.Time       `json:"created_at"`
	UpdatedAt         time.Time       `json:"updated_at"`
	PasswordChangedAt *time.Time      `json:"password_changed_at,omitempty"`
}

// AccountList answers GET /v1/admin/accounts.
type AccountList struct {
	Accounts []Account `json:"accounts"`
	Next     string    `json:"next,omitempty"`
}

// AccountCreate is the body of POST /v1/admin/accounts.
type AccountCreate struct {
	Username    string   `json:"username"`
	DisplayName string   `json:"display_name,omitempty"` // empty: the user name
	Password    string   `json:"password"`
	Roles       []string `json:"roles,omitempty"`
}

// AccountImport is one line of the body of POST /v1/admin/import, which
// is of [MediaTypeLines].
type AccountImport struct {
	Username     string          `json:"username"`
	DisplayName  string          `json:"display_name,omitempty"` // empty: the user name
	Roles        []string        `json:"roles,omitempty"`
	PasswordHash string          `json:"password_hash"` // of bcrypt, scrypt, PBKDF2 or argon2
	Disabled     bool            `json:"disabled,omitempty"`
	Claims       json.RawMessage `json:"claims,omitempty"` // template of custom claims
}

// AccountsImported answers POST /v1/admin/import.
type AccountsImported struct {
	Imported int            `json:"imported"`
	Skipped  int            `json:"skipped"` // whose user name was an account's already
	DryRun   bool           `json:"dry_run"` // nothing was imported
	Hashes   map[string]int `json:"hashes"`  // password hashes by their scheme
}

// BadLine is what is wrong with one line of a body. A [Problem] that refuses
// such a body has the member bad, an array of these; nothing of the body was
// done then.
type BadLine struct {
	Line  int    `json:"line"` // 1 is the first
	Error string `json:"error"`
}

// AccountPatch is the body of PATCH /v1/admin/accounts/{id}; what is absent
// stays as it is.
type AccountPatch struct {
	DisplayName *string `json:"display_name,omitempty"`
}

// AccountPassword is the body of PUT /v1/admin/accounts/{id}/password.
type AccountPassword struct {
	Password string `json:"password"`
}

// AccountRoles is the body of PUT /v1/admin/accounts/{id}/roles: all that the
// account has afterwards.
type AccountRoles struct {
	Roles       []string `json:"roles"`
	EndSessions bool     `json:"end_sessions,omitempty"` // tokens with the roles that it had end at once
}

// AccountClaims is the body of PUT /v1/admin/accounts/{id}/claims.
type AccountClaims struct {
	Claims json.RawMessage `json:"claims"` // template of custom claims; {} takes it away
}

// SessionStart is the body of POST /v1/admin/sessions. Whoever sends it has
// checked who the subject is.
type SessionStart struct {
	Subject  string          `json:"subject"`            // as the other system calls them: sub of the tokens
	Roles    []string        `json:"roles,omitempty"`    // all that they have from now on, in their other sessions too
	Audience string          `json:"audience,omitempty"` // the API the tokens are for; empty: the default one
	Scope    string          `json:"scope,omitempty"`    // space separated; empty: all that the roles give
	Claims   json.RawMessage `json:"claims,omitempty"`   // template of the session's own claims
	Device   string          `json:"device,omitempty"`   // where the person is, as far as that system knows
	Address  string          `json:"address,omitempty"`
}

// AccountSession is a session as an administrator sees it.
type AccountSession struct {
	ID         string     `json:"id"`
	Account    string     `json:"account"`
	Client     string     `json:"client"`
	Audience   string     `json:"audience"`
	Scope      string     `json:"scope,omitempty"`   // what was asked for; absent: all that the roles give
	Device     string     `json:"device,omitempty"`  // the user agent that logged in
	Address    string     `json:"address,omitempty"` // where it was last used from
	Alive      bool       `json:"alive"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt time.Time  `json:"last_used_at"`
	ExpiresAt  time.Time  `json:"expires_at"` // when it ends at the latest
	EndedAt    *time.Time `json:"ended_at,omitempty"`
	EndReason  string     `json:"end_reason,omitempty"`
}

// AccountSessionList answers GET /v1/admin/accounts/{id}/sessions: those that
// live.
type AccountSessionList struct {
	Sessions []AccountSession `json:"sessions"`
	Next     string           `json:"next,omitempty"`
}

// SessionsEnded answers DELETE /v1/admin/accounts/{id}/sessions.
type SessionsEnded struct {
	Ended int `json:"ended"` // how many lived
}

// Key is one of the server's own keys, without anything secret.
type Key struct {
	ID        string     `json:"id"`
	Purpose   string     `json:"purpose"` // access, feed, refresh or sealing
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"` // announced, active, retiring or revoked
	CreatedAt time.Time  `json:"created_at"`
	ActiveAt  time.Time  `json:"active_at"`            // from when on it signs, or signed
	RetiredAt *time.Time `json:"retired_at,omitempty"` // when it stopped signing
	GoneAt    *time.Time `json:"gone_at,omitempty"`    // when it goes
}

// KeyList answers GET /v1/admin/keys: every key, oldest first.
type KeyList struct {
	Keys []Key `json:"keys"`
}

// KeyRotate is the body of POST /v1/admin/keys/rotate.
type KeyRotate struct {
	Purpose   string `json:"purpose"`
	Algorithm string `json:"algorithm,omitempty"` // empty: ES256, HS256 for refresh, or ECDH-ES for sealing
	Now       bool   `json:"now,omitempty"`       // it signs at once, without being announced
}

// AuditEvent is one entry of the audit log. Names, addresses and devices are as
// they were told; show them as text that others chose.
type AuditEvent struct {
	Seq     uint64            `json:"seq"` // place in the chain
	ID      string            `json:"id"`
	At      time.Time         `json:"at"`
	Act     string            `json:"act"`
	Outcome string            `json:"outcome"`           // ok or refused
	Rule    string            `json:"rule,omitempty"`    // that decided
	Targets map[string]string `json:"targets,omitempty"` // kind to id
	Actor   AuditActor        `json:"actor"`
}

// AuditActor is who did it.
type AuditActor struct {
	Kind    string `json:"kind"`
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
	Device  string `json:"device,omitempty"`
	Erased  bool   `json:"erased,omitempty"` // name, address and device were, on request
}

// AuditList answers GET /v1/admin/audit, the newest first.
type AuditList struct {
	Events []AuditEvent `json:"events"`
	Next   string       `json:"next,omitempty"`
}

// API is a protected resource that tokens are made for.
type API struct {
	Audience    string          `json:"audience"` // as it stands in aud
	Name        string          `json:"name,omitempty"`
	Permissions []string        `json:"permissions"`
	Life        int64           `json:"life,omitempty"`      // of its access tokens, in seconds; absent: the server's own default
	Algorithm   string          `json:"algorithm,omitempty"` // what its tokens are signed with; absent: ES256
	Default     bool            `json:"default,omitempty"`   // what a log-in gets that names none
	Claims      json.RawMessage `json:"claims,omitempty"`    // template of custom claims
	BuiltIn     bool            `json:"built_in,omitempty"`  // the server's own, which is never changed

	EncryptionKey json.RawMessage `json:"encryption_key,omitempty"` // public JWK that its tokens are encrypted for; absent: they are only signed
	Opaque        bool            `json:"opaque,omitempty"`         // its tokens are encrypted for the server, which the API asks about them
}

// APIList answers GET /v1/admin/apis.
type APIList struct {
	APIs []API  `json:"apis"`
	Next string `json:"next,omitempty"`
}

// APICreate is the body of POST /v1/admin/apis.
type APICreate struct {
	Audience    string          `json:"audience"` // an absolute URI without a fragment
	Name        string          `json:"name,omitempty"`
	Permissions []string        `json:"permissions,omitempty"`
	Life        int64           `json:"life,omitempty"` // seconds
	Algorithm   string          `json:"algorithm,omitempty"`
	Default     bool            `json:"default,omitempty"`
	Claims      json.RawMessage `json:"claims,omitempty"`

	EncryptionKey json.RawMessage `json:"encryption_key,omitempty"` // public JWK with "alg"
	Opaque        bool            `json:"opaque,omitempty"`         // not together with encryption_key
}

// APIPatch is the body of PATCH /v1/admin/apis/{audience}; what is absent stays
// as it is.
type APIPatch struct {
	Name        *string          `json:"name,omitempty"`
	Permissions *[]string        `json:"permissions,omitempty"` // all that it has afterwards
	Life        *int64           `json:"life,omitempty"`        // seconds; 0: the server's own default
	Algorithm   *string          `json:"algorithm,omitempty"`
	Default     *bool            `json:"default,omitempty"`
	Claims      *json.RawMessage `json:"claims,omitempty"` // {} takes the template away

	EncryptionKey *json.RawMessage `json:"encryption_key,omitempty"` // {} takes the key away: tokens are only signed
	Opaque        *bool            `json:"opaque,omitempty"`
}

// Role gives permissions to the accounts and apps that hold it.
type Role struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Permissions []string        `json:"permissions"`
	Claims      json.RawMessage `json:"claims,omitempty"` // template of custom claims
	BuiltIn     bool            `json:"built_in,omitempty"`
}

// RoleList answers GET /v1/admin/roles.
type RoleList struct {
	Roles []Role `json:"roles"`
	Next  string `json:"next,omitempty"`
}

// RoleCreate is the body of POST /v1/admin/roles.
type RoleCreate struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Permissions []string        `json:"permissions,omitempty"`
	Claims      json.RawMessage `json:"claims,omitempty"`
}

// RolePatch is the body of PATCH /v1/admin/roles/{name}; what is absent stays
// as it is.
type RolePatch struct {
	Description *string          `json:"description,omitempty"`
	Permissions *[]string        `json:"permissions,omitempty"` // all that it gives afterwards
	Claims      *json.RawMessage `json:"claims,omitempty"`      // {} takes the template away
}

// App is a service that may have tokens of its own.
type App struct {
	ID        string          `json:"id"` // its client_id, and the subject of its tokens
	Name      string          `json:"name"`
	Roles     []string        `json:"roles"`
	Audiences []string        `json:"audiences"`        // that it may have tokens for; the first where it asks for none
	Life      int64           `json:"life,omitempty"`   // of its access tokens, in seconds; absent: that of the API
	Claims    json.RawMessage `json:"claims,omitempty"` // template of custom claims
	Disabled  bool            `json:"disabled"`
	Secrets   []AppSecret     `json:"secrets"` // oldest first
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
}

// AppSecret is what is known of a secret: not the secret.
type AppSecret struct {
	ID         string     `json:"id"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`   // absent: never
	LastUsedAt *time.Time `json:"last_used_at,omitempty"` // to the minute
}

// AppList answers GET /v1/admin/apps.
type AppList struct {
	Apps []App  `json:"apps"`
	Next string `json:"next,omitempty"`
}

// AppCreate is the body of POST /v1/admin/apps.
type AppCreate struct {
	Name            string          `json:"name"`
	Roles           []string        `json:"roles,omitempty"`
	Audiences       []string        `json:"audiences,omitempty"` // absent: the default API
	Life            int64           `json:"life,omitempty"`      // seconds
	Claims          json.RawMessage `json:"claims,omitempty"`
	SecretExpiresIn int64           `json:"secret_expires_in,omitempty"` // seconds; absent: never
}

// AppPatch is the body of PATCH /v1/admin/apps/{id}; what is absent stays as it
// is.
type AppPatch struct {
	Name      *string          `json:"name,omitempty"`
	Roles     *[]string        `json:"roles,omitempty"`
	Audiences *[]string        `json:"audiences,omitempty"`
	Life      *int64           `json:"life,omitempty"`   // seconds; 0: that of the API
	Claims    *json.RawMessage `json:"claims,omitempty"` // {} takes the template away
}

// AppWithSecret answers POST /v1/admin/apps and POST
// /v1/admin/apps/{id}/secrets: the only time that the secret is told.
type AppWithSecret struct {
	App    App    `json:"app"`
	Secret string `json:"secret"`
}

// AppToken is the body of POST /v1/admin/apps/{id}/token.
type AppToken struct {
	Audience string `json:"audience,omitempty"` // empty: the app's first
	Scope    string `json:"scope,omitempty"`    // space separated; empty: all that its roles give
}

// TokenRevoke is the body of POST /v1/admin/tokens/revoke.
type TokenRevoke struct {
	Token string `json:"token"` // an access token, or a refresh token, whose session ends
}

// TokenEnded answers POST /v1/admin/tokens/revoke.
type TokenEnded struct {
	Ended string `json:"ended"` // id of the access token, or of the session
}

// AppSecretCreate is the body of POST /v1/admin/apps/{id}/secrets.
type AppSecretCreate struct {
	ExpiresIn int64 `json:"expires_in,omitempty"` // seconds; absent: never
}
