package feed

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

const (
	// life is that of a document.
	life = time.Minute

	// What a document carries, unless more were published at once: a follower
	// reads up to 1 MiB, and a fact takes 43 bytes of that. Whoever is told a
	// place before the head asks again at once.
	//
	// Deltas are shorter, since each place in a long feed may be asked for and
	// is a document of its own.
	maxSnapshot = 20_000
	maxDelta    = 4_000

	// maxDocuments bounds how many documents are kept for one second.
	maxDocuments = 64

	// maxSize lets a document be made however many were published at once.
	maxSize = 64 << 20
)

// A place is what a document is made for: a snapshot at a position, or a delta
// from another one to it.
type place struct {
	snapshot bool
	from     uint64
	to       Head
	more     bool // the feed goes on behind to
}

// A document is signed by the first who asks for it, while others wait.
type document struct {
	once    sync.Once
	compact string
	err     error
}

// documents are those of one second.
type documents struct {
	mu     sync.Mutex
	second int64
	made   map[place]*document
}

// at answers the one document of p in that second, or one of its own where the
// second is over or too many are kept.
func (d *documents) at(p place, second int64) *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	if second > d.second || d.made == nil {
		d.second, d.made = second, make(map[place]*document)
	}
	if made, ok := d.made[p]; ok && second == d.second {
		return made
	}
	made := new(document)
	if second == d.second && len(d.made) < maxDocuments {
		d.made[p] = made
	}
	return made
}

// document answers the document of s for who stands at cursor. It is signed
// once in a second, however many ask.
func (f *Feed) document(s *state, cursor revocation.Cursor) (string, error) {
	p, facts := place{snapshot: true, to: s.head}, s.facts
	most := maxSnapshot
	if cursor.Epoch == s.head.Epoch && cursor.Position <= s.head.Position {
		p, facts = place{from: cursor.Position, to: s.head}, s.facts[s.after(cursor.Position):]
		most = maxDelta
	}
	if len(facts) > most {
		// The last position that fits whole, or else the first one.
		p.to.Position = max(facts[most].position-1, facts[0].position)
		p.more = p.to.Position < s.head.Position
		facts = facts[:s.after(p.to.Position)-s.after(p.from)]
	}
	d := f.documents.at(p, s.at.Unix())
	d.once.Do(func() { d.compact, d.err = f.sign(s, p, facts) })
	if d.err != nil {
		return "", d.err
	}
	return d.compact, nil
}

// after is the index of the first fact after a position.
func (s *state) after(position uint64) int {
	n, _ := slices.BinarySearchFunc(s.facts, position+1, func(e fact, n uint64) int {
		return cmp.Compare(e.position, n)
	})
	return n
}

// sign makes the document of p, which carries those of facts that stand.
func (f *Feed) sign(s *state, p place, facts []fact) (string, error) {
	d := revocation.Document{
		Issuer: f.c.Issuer, Epoch: p.to.Epoch, From: p.from, To: p.to.Position,
		Snapshot: p.snapshot, More: p.more, IssuedAt: s.at,
	}
	for _, e := range facts {
		if e.stands(s.at) {
			d.Entries = append(d.Entries, e.Entry)
		}
	}
	key, err := f.c.Ring.Signer(keyring.Feed, keyring.FeedAlgorithm)
	if err != nil {
		return "", fmt.Errorf("signing the feed: %w", err)
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: f.c.Issuer, Key: key, Type: revocation.Type, MaxSize: maxSize})
	if err != nil {
		return "", fmt.Errorf("signing the feed: %w", err)
	}
	compact, err := issuer.Issue(jwt.Claims{
		Subject: f.c.Issuer, Audience: []string{f.c.Issuer},
		IssuedAt: s.at, Life: life, Custom: d.Custom(),
	})
	if err != nil {
		return "", fmt.Errorf("signing the feed: %w", err)
	}
	return compact, nil
}
