// Package status offers what has been revoked to verifiers that follow no feed:
// as Token Status Lists (draft-ietf-oauth-status-list). Each access token names
// a list and its own index there, and the list says whether the token was
// revoked. The package revokes nothing and knows no reasons: what a list says
// follows from the facts of the feed. Verifiers of this project follow the feed
// itself, see package feed.
package status

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

const (
	// capacity is how many indices a list has: 128 KiB of bits, and less than a
	// kilobyte compressed while few of them are set.
	capacity = 1 << 20

	// A list is filled to a half at most and for an hour, so that an index tells
	// neither how many tokens were made nor in which order.
	most   = capacity / 2
	period = time.Hour

	// Margin is how much longer than its token an entry is kept: the largest
	// leeway of a verifier, and time to spare.
	Margin = 10*time.Minute + 2*time.Minute
)

// A Slot is one index of one list.
type Slot struct {
	List  string
	Index int
}

// An Entry says which token a slot belongs to. One that commits with the
// session or the refresh that makes the token is written by the store of those.
type Entry struct {
	Slot
	Token, Session, Subject string // Session is empty for tokens of apps
	IssuedAt                time.Time
	Expires                 time.Time // that of the token and Margin
}

// A Store keeps entries until they expire.
type Store interface {
	// SaveStatus keeps e. It is durable when that returns.
	SaveStatus(ctx context.Context, e Entry) error

	// StatusSince calls revoked with the slots whose tokens facts of the feed
	// have revoked, as of one moment not before the call, in which the feed
	// stood at the position that it answers: by facts about sessions and tokens
	// after one position, by those about apps after another. It costs as much as
	// there are such facts and such tokens, however many there are of others.
	// revoked may be called twice with one slot.
	StatusSince(ctx context.Context, sessions, apps uint64, revoked func(Slot)) (epoch string, position uint64, err error)

	// StatusNamed reports whether an entry of a list is kept.
	StatusNamed(ctx context.Context, list string) (bool, error)
}

// Config is what Lists are made of. All of it is required.
type Config struct {
	Store     Store
	Ring      *keyring.Ring
	Issuer    string
	URI       string               // what a list's name is appended to
	Algorithm func() jwk.Algorithm // that lists are signed with, by an access key
	Now       func() time.Time     // the store's time
}

// Lists hands out slots of lists of its own, which no other node writes to, and
// answers the lists of all. It may be used by many goroutines.
type Lists struct {
	c Config

	mu    sync.Mutex
	open  string // the list that slots are taken from
	since time.Time
	taken []uint64 // bits
	count int

	revoked   revoked
	documents documents
}

// New checks c.
func New(c Config) (*Lists, error) {
	if c.Store == nil || c.Ring == nil || c.Issuer == "" || c.URI == "" || c.Algorithm == nil || c.Now == nil {
		return nil, errors.New("status lists: store, key ring, issuer, URI, algorithm and time are required")
	}
	return &Lists{c: c}, nil
}

// URI is where the list of a slot is found.
func (l *Lists) URI(s Slot) string { return l.c.URI + s.List }

// Take begins an entry with a slot that nobody else has or will have, and the
// id of the token that it is for. It waits for nothing.
func (l *Lists) Take() Entry {
	s := l.take()
	return Entry{Slot: s, Token: s.token()}
}

// token is the id of the token that has s, which says no more than its claim
// does. So the fact that ends one token says which bit that is.
func (s Slot) token() string { return s.List + "." + strconv.Itoa(s.Index) }

// SlotOf answers the slot of the token of that id, where it has one.
func SlotOf(token string) (Slot, bool) {
	list, digits, _ := strings.Cut(token, ".")
	i, err := strconv.Atoi(digits)
	s := Slot{list, i}
	return s, err == nil && isName(list) && 0 <= i && i < capacity && s.token() == token
}

// A list's name is random, so each node and each start of one has its own.
func (l *Lists) take() Slot {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.open == "" || l.count >= most || now.Sub(l.since) >= period {
		l.open, l.since, l.count = newName(), now, 0
		l.taken = make([]uint64, capacity/64)
	}
	for {
		// Random, that tokens made one after the other have nothing in common.
		var b [4]byte
		rand.Read(b[:])
		i := int(binary.BigEndian.Uint32(b[:]) % capacity)
		if bit := uint64(1) << (i % 64); l.taken[i/64]&bit == 0 {
			l.taken[i/64] |= bit
			l.count++
			return Slot{l.open, i}
		}
	}
}

// Save keeps an entry that nothing else commits with. The token may be handed out
// when it returns without an error.
func (l *Lists) Save(ctx context.Context, e Entry) error {
	if err := l.c.Store.SaveStatus(ctx, e); err != nil {
		return fmt.Errorf("keeping the status of token %s: %w", e.Token, err)
	}
	return nil
}

const nameSize = 12

func newName() string {
	var b [nameSize]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func isName(s string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == nameSize && len(s) == base64.RawURLEncoding.EncodedLen(nameSize)
}
