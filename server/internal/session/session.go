// Package session knows what a log-in starts on one device: a session, which
// owns one chain of refresh tokens and ends for good. It checks no passwords
// (see account) and keeps nothing itself.
//
// No refresh token and no hash of one is stored. A token carries a random
// handle under a MAC; the session's id is a hash of the handle, and the row
// knows only how often the chain has been rotated (see [Decide]).
package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// An ID names a session in tokens (sid), rows, the feed and logs. It is made
// from the handle and does not lead back to it.
type ID string

// NewID is SHA-256("sid" ‖ handle) cut to 16 bytes, in base64url with prefix.
func NewID(handle [16]byte) ID {
	sum := sha256.Sum256(append([]byte("sid"), handle[:]...))
	return ID("ses_" + base64.RawURLEncoding.EncodeToString(sum[:16]))
}

// FirstParty is the client_id (RFC 9068 §2.2) of sessions that people start
// by themselves, without a registered app.
const FirstParty = "app_first_party"

// How a refresh token travels. One that began in a cookie is never accepted
// from a body, nor the reverse.
const (
	Body   = "body"
	Cookie = "cookie"
)

// A Session is one row, for the whole life of a session.
type Session struct {
	ID             ID
	Account        account.ID
	AccountVersion int64  // copy of the account's version
	Client         string // app id
	Transport      string // Body or Cookie
	Audience       string
	Scope          string // what was asked for; "" is all that the roles give
	Device         string // user agent at the log-in
	Address        string // where it was used last

	Claims json.RawMessage // template of its own custom claims, see package claims; nil is none

	Generation uint32 // of the refresh token that was handed out last; the first is 1
	MACKey     string // id of the MAC key which that token was made with
	Forgiven   uint32 // generation at which a lost answer was last forgiven; 0 never

	// TokenLife is the longest life of any access token minted for it, which
	// outlasts a change of the API's. See [FactMargin].
	TokenLife time.Duration

	CreatedAt time.Time // all times in microseconds, UTC, of the store
	RotatedAt time.Time // last use
	ExpiresAt time.Time // absolute end
	EndedAt   time.Time // zero while it lives
	EndReason string

	// Status is, where a session starts, the entry of its first access token,
	// which commits with it; nil is none. It is no part of the row and never read.
	Status *status.Entry
}

// FactMargin is how much longer than TokenLife the end of a session is
// published: the largest leeway that a verifier can be given, and some more for
// clocks that differ. After that no access token of it is accepted anywhere.
const FactMargin = 10*time.Minute + 2*time.Minute

// A Row is what one statement finds of a session: itself and its account, as
// of the same moment.
type Row struct {
	Session
	Holder account.Account
}

// A Step is what one refresh changes. The zero Step changes nothing.
type Step struct {
	Rotate  bool   // generation + 1, rotated now
	MACKey  string // with Rotate: the successor's MAC key id
	Address string // with Rotate: where it is used from
	Forgive bool   // forgiven at the present generation

	// TokenLife is, with Rotate, the session's TokenLife from now on.
	TokenLife time.Duration

	End string // a reason: the session ends and its end is published

	Status *status.Entry // of the access token that is handed out; commits with the rest
	Event  *audit.Event  // commits with the rest
}

// A Selection says which sessions are meant: the one of ID, or all living
// ones of Account but for Except.
type Selection struct {
	ID      ID
	Account account.ID
	Except  ID
}

// A Store keeps sessions. Each method that changes something is one
// transaction, durable when it returns. Times are the store's. Errors are
// those of package fault, or what the function passed in returned.
type Store interface {
	// StartSession reads the account and calls begin with it and the time; it
	// inserts the session that begin answers, with its event and status. An error of
	// begin is returned as it is and nothing is written. ErrNotFound where
	// there is no such account.
	StartSession(ctx context.Context, holder account.ID, begin func(account.Account, time.Time) (Session, audit.Event, error)) error

	// StartExternal is StartSession for an external account, which it makes
	// where there is none of holder's id; where there is, its roles become
	// those of holder, with a new version where they were others. begin is
	// told how the account stood before, the zero Account for a new one, and
	// how it stands now. An error of begin leaves everything as it was.
	// ErrExists where the account of that id is not external.
	StartExternal(ctx context.Context, holder account.Account, begin func(was, is account.Account, now time.Time) (Session, []audit.Event, error)) error

	// RefreshSession reads the row of id by one statement, calls decide with
	// it, and commits the Step that decide answers, even where the caller
	// will be refused. An error of decide is returned as it is after the Step
	// has been committed. ErrNotFound where there is no such session.
	RefreshSession(ctx context.Context, id ID, decide func(Row, time.Time) (Step, error)) error

	// EndSessions ends the living sessions that sel selects, publishes their
	// ends in one position of the feed, each for its TokenLife and FactMargin,
	// and records e; where none lives, nothing is written. It answers how many
	// it ended.
	EndSessions(ctx context.Context, sel Selection, reason string, e audit.Event) (int, error)

	// Session reads one row, living or not, and the time. ErrNotFound.
	Session(ctx context.Context, id ID) (Row, time.Time, error)

	// Sessions lists the living sessions of an account by id, those after the
	// given id, at most limit. Idle and expired ones are left out by idle and
	// the time.
	Sessions(ctx context.Context, holder account.ID, idle time.Duration, after ID, limit int) ([]Session, error)

	// Record records an event that changes nothing else.
	Record(ctx context.Context, e audit.Event) error
}

// What a refresh can be told. The texts are for logs; callers of the HTTP API
// get one answer for all but ErrStoreBehind.
var (
	ErrRefused     = errors.New("refresh refused")
	ErrStoreBehind = errors.New("the store is behind the tokens that it handed out")
)

// Why a session or an account may have no tokens.
var (
	ErrEnded    = errors.New("session has ended")
	ErrDisabled = errors.New("account is disabled")
)
