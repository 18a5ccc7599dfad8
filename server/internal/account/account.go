// Package account knows who may log in: accounts, their passwords, and how
// often somebody may try. It starts no sessions and makes no tokens (see
// session), and it does not decide who may administer whom (see admin).
package account

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// An ID is an account's id. Its prefix keeps it apart from the id of an app,
// so that the two can never be the same principal.
type ID string

// NewID makes a random id of 130 bits.
func NewID() ID { return ID("acc_" + strings.ToLower(rand.Text())) }

// An Account is a person or a service that may log in.
type Account struct {
	ID          ID
	Username    string // canonical, see [Canonical]
	DisplayName string
	Roles       []string // sorted, without doubles
	Disabled    bool
	External    bool            // another system knows who it is: see [External]
	Claims      json.RawMessage // template of custom claims, see package claims; nil is none
	// Version is raised by every act on the account. Each session holds a
	// copy, changed in the same transaction.
	Version           int64
	CreatedAt         time.Time // microseconds, UTC
	UpdatedAt         time.Time
	PasswordChangedAt time.Time // later with each change, also while the clock stands still
}

// A Change is one act on an account. Nil fields stay as they are.
type Change struct {
	DisplayName  *string
	Roles        *[]string
	Disabled     *bool
	PasswordHash *string // sets PasswordChangedAt too
	Claims       *json.RawMessage

	// IfPasswordHash is what the password hash must still be, so that who has
	// shown a password cannot act on it once another one has been set.
	IfPasswordHash *string

	// EndSessions ends all of the account's sessions in the same transaction,
	// but for KeepSession where that is not empty, and publishes each end.
	EndSessions bool
	KeepSession string
	EndReason   string
}

// A Store keeps accounts. Each method that changes something is one
// transaction, durable when it returns, and carries the audit event that
// commits with it. Times are the store's. Errors are those of package fault.
type Store interface {
	// CreateAccount inserts a with the store's time. ErrExists where the user
	// name is taken.
	CreateAccount(ctx context.Context, a Account, passwordHash string, e audit.Event) (Account, error)

	// Account reads one account. ErrNotFound.
	Account(ctx context.Context, id ID) (Account, error)

	// AccountByUsername reads an account with its password hash. ErrNotFound.
	AccountByUsername(ctx context.Context, username string) (a Account, passwordHash string, err error)

	// Accounts lists by user name, those after the given one, at most limit.
	Accounts(ctx context.Context, after string, limit int) ([]Account, error)

	// ChangeAccount applies c, raises the account's version and the copies
	// that its sessions hold, ends sessions as c says and publishes their
	// ends, and records e: all of it or nothing. ErrNotFound; ErrChanged where
	// the password hash is not c.IfPasswordHash any more.
	ChangeAccount(ctx context.Context, id ID, c Change, e audit.Event) (Account, error)

	// Rehash replaces the password hash old by another of the same password.
	// It is no act on the account: version and sessions stay. Where the hash
	// is no longer old, nothing happens.
	Rehash(ctx context.Context, id ID, old, hash string) error

	// Record writes an event that belongs to no change, such as a log-in that
	// failed.
	Record(ctx context.Context, e audit.Event) error
}
