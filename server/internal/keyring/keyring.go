// Package keyring keeps our own keys over time. A key is announced before it
// signs, so that everybody knows it by then; active while it signs; retiring
// while tokens live that it signed; and then gone. Nobody is logged out by a
// rotation.
//
// Private keys are sealed at rest (see Sealed), and public key sets are made
// from unsealed keys only, so that writing to the database plants no key.
package keyring

import (
	"context"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// What a key is for. A key of one purpose is never used for another.
const (
	Access  = "access"  // signs access tokens
	Feed    = "feed"    // signs the revocation feed
	Refresh = "refresh" // MACs refresh tokens and device tokens
	Sealing = "sealing" // encrypts what comes back to the server
)

// The states of a key's life. A key that is gone has no row any more.
const (
	Announced = "announced"
	Active    = "active"
	Retiring  = "retiring"
	Revoked   = "revoked"
)

// A Key is what anybody may know of a key.
type Key struct {
	ID        string
	Purpose   string
	Algorithm jwk.Algorithm // a jwk.KeyManagement where it encrypts
	State     string
	CreatedAt time.Time // seconds, UTC
	ActiveAt  time.Time // from when on it signs, or signed
	RetiredAt time.Time // when it stopped signing; zero before
	GoneAt    time.Time // when it goes; zero before it retires
}

// A SealedKey is a Key with its secret, sealed under the ring's data key.
type SealedKey struct {
	Key
	Version uint64 // of the ring when this key was sealed last
	Blob    []byte
}

// Sealed is the whole ring as it is kept. Version 0 is no ring.
type Sealed struct {
	StoreID    string // random, made with the store
	Version    uint64
	RootKeyID  string // which root key wraps the data key
	WrappedKey []byte // the data key
	Keys       []SealedKey
}

// A Store keeps the ring. Errors are those of package fault.
type Store interface {
	// LoadRing reads the ring as of one moment, and the store's time. Where
	// there is none, only StoreID is set.
	LoadRing(ctx context.Context) (Sealed, time.Time, error)

	// SaveRing replaces the ring where its version is still s.Version - 1, and
	// records e in the same transaction; ErrChanged where it is not, so that
	// of two that make or change a ring one loses and nothing is mixed. It
	// publishes in the same transaction, and for ever, that each of the keys
	// revoked is: who stole a key dates its tokens as they please.
	SaveRing(ctx context.Context, s Sealed, e audit.Event, revoked ...string) error
}
