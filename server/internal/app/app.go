// Package app knows the services that may have tokens of their own: apps,
// which are OAuth clients (RFC 6749 §2) with a generated secret, and what a
// client-credentials grant (§4.4) makes for them. People log in with accounts
// (see account) and start sessions (see session); an app has neither.
//
// A secret is 256 random bits, shown once and kept as a SHA-256: guessing it is
// hopeless, so nothing slow or throttled stands before it.
package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// An ID is an app's id: its client_id, and the subject of its tokens. Its
// prefix keeps it apart from the id of an account.
type ID string

// NewID makes a random id of 130 bits.
func NewID() ID { return ID(prefix + strings.ToLower(rand.Text())) }

const prefix = "app_"

// shown is an id as errors name it. What is none is not repeated: people put
// secrets there.
func (id ID) shown() string {
	if !Is(string(id)) {
		return "(no id of an app)"
	}
	return fmt.Sprintf("%.40q", string(id))
}

// Is says whether a subject is an app.
func Is(subject string) bool { return strings.HasPrefix(subject, prefix) }

// An App is a service that may have tokens.
type App struct {
	ID        ID
	Name      string // for people; not unique
	Roles     []string
	Audiences []string        // that it may have tokens for, as registered; the first where it asks for none
	Life      time.Duration   // of its access tokens; 0 means that of the API
	Claims    json.RawMessage // template of custom claims, a JSON object; nil is none
	Disabled  bool
	Secrets   []Secret // at most [MaxSecrets], oldest first
	Version   int64    // raised by every act on the app; 0 is one that is not kept yet
	// ValidFrom is a full second. Tokens issued before it are revoked.
	ValidFrom time.Time
	CreatedAt time.Time // microseconds, UTC, of the store
	UpdatedAt time.Time
}

// A Secret is what is kept of one.
type Secret struct {
	ID         string // "sec_…"
	Hash       [32]byte
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time // to the minute; zero: never
}

// MaxSecrets is how many secrets an app may have at a time: the one in use and
// its successor.
const MaxSecrets = 2

// A Step is what one act changes. Its App replaces the one that was read, with
// the next version and the time set by the store.
type Step struct {
	App    App
	Delete bool // instead

	// RevokeBefore publishes, where it is not zero, that no token of the app
	// issued before it is good, for FactLife.
	RevokeBefore time.Time
	FactLife     time.Duration

	Event audit.Event
}

// A Store keeps apps. Each method that changes something is one transaction,
// durable when it returns. Times are the store's. Errors are those of package
// fault, or what the function passed in returned.
type Store interface {
	// CreateApp inserts the app that make answers for the store's time, with
	// its event. ErrExists where the id is taken.
	CreateApp(ctx context.Context, make func(now time.Time) (App, audit.Event, error)) (App, error)

	// App reads one app, and the time before that. ErrNotFound.
	App(ctx context.Context, id ID) (App, time.Time, error)

	// Apps lists by id, those after the given one, at most limit.
	Apps(ctx context.Context, after ID, limit int) ([]App, error)

	// ChangeApp reads the app, calls act with it and the time, and commits the
	// Step that act answers; an error of act is returned as it is and nothing
	// is written. ErrNotFound.
	ChangeApp(ctx context.Context, id ID, act func(App, time.Time) (Step, error)) (App, error)

	// UseSecret notes that a secret was used now. It is no act on the app.
	UseSecret(ctx context.Context, id ID, secret string) error

	// Record writes an event that belongs to no change, such as a secret that
	// was wrong.
	Record(ctx context.Context, e audit.Event) error
}
