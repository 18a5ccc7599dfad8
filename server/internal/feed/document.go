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

	// maxDelta is how many facts a delta carries. Whoever is further behind
	// gets the snapshot, which is made once for all who are: else every place
	// in a long feed would be a large document of its own.
	maxDelta = 1000

	// maxDocuments bounds how many documents are kept for one second.
	maxDocuments = 256

	// maxSize is what a follower reads.
	maxSize = 64 << 20
)

// A place is what a document is made for: a snapshot, or a delta from a
// position to the head.
type place struct {
	snapshot bool
	from     uint64
	to       Head
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
	p, first := place{snapshot: true, to: s.head}, 0
	if cursor.Epoch == s.head.Epoch && cursor.Position <= s.head.Position {
		n, _ := slices.BinarySearchFunc(s.facts, cursor.Position+1, func(e fact, n uint64) int {
			return cmp.Compare(e.position, n)
		})
		if len(s.facts)-n <= maxDelta {
			first, p = n, place{from: cursor.Position, to: s.head}
		}
	}
	d := f.documents.at(p, s.at.Unix())
	d.once.Do(func() { d.compact, d.err = f.sign(s, p, s.facts[first:]) })
	if d.err != nil {
		return "", d.err
	}
	return d.compact, nil
}

// sign makes the document of p, which carries those of facts that stand.
func (f *Feed) sign(s *state, p place, facts []fact) (string, error) {
	d := revocation.Document{
		Issuer: f.c.Issuer, Epoch: s.head.Epoch, From: p.from, To: s.head.Position,
		Snapshot: p.snapshot, IssuedAt: s.at,
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
