package feed

import (
	"bytes"
	"cmp"
	"compress/gzip"
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

	// maxPage is what a document carries, unless more were published at once: a
	// follower reads up to 1 MiB, and a fact takes 43 bytes of that. Whoever is
	// told a place before the head asks again at once.
	//
	// The feed has one division into pages. Only who stands where one begins is
	// answered all of it, since each other place in a long feed may be asked
	// for and is a document of its own.
	maxPage  = 20_000
	maxDelta = 4_000

	// maxDocuments bounds how many documents are kept for one second: the pages
	// of a feed of a million facts, and as many for those who follow.
	maxDocuments = 128

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

// A Document is one signed answer of the feed, shared by all who ask for it at
// that time.
type Document struct {
	place   place
	once    sync.Once // signed by the first who asks, while others wait
	next    revocation.Cursor
	compact []byte
	err     error

	zip    sync.Once
	zipped []byte
}

// Bytes is the signed [revocation.Document]. It must not be changed.
func (d *Document) Bytes() []byte { return d.compact }

// Next is the place to which the document leads.
func (d *Document) Next() revocation.Cursor { return d.next }

// Gzip is Bytes compressed, or nil where that is not worth it. It is made once.
func (d *Document) Gzip() []byte {
	const least = 2 << 10
	if len(d.compact) < least {
		return nil
	}
	d.zip.Do(func() {
		// Hashes repeat nothing. What can be saved is what base64, twice, adds.
		var out bytes.Buffer
		w, _ := gzip.NewWriterLevel(&out, gzip.HuffmanOnly) // a level that there is
		_, _ = w.Write(d.compact)                           // into memory
		_ = w.Close()
		d.zipped = out.Bytes()
	})
	return d.zipped
}

// documents are those of one second.
type documents struct {
	mu     sync.Mutex
	second int64
	made   map[place]*Document
}

// at answers the one document of p in that second, or one of its own where the
// second is over or too many are kept.
func (d *documents) at(p place, second int64) *Document {
	d.mu.Lock()
	defer d.mu.Unlock()
	if second > d.second || d.made == nil {
		d.second, d.made = second, make(map[place]*Document)
	}
	if made, ok := d.made[p]; ok && second == d.second {
		return made
	}
	made := &Document{place: p}
	if second == d.second && len(d.made) < maxDocuments {
		d.made[p] = made
	}
	return made
}

// document answers the document of s for who stands at cursor. It is signed
// once in a second, however many ask.
func (f *Feed) document(s *state, cursor revocation.Cursor) (*Document, error) {
	p := place{to: s.head}
	if at, known := s.place(cursor); known {
		p.from = at
	} else {
		p.snapshot = true
	}
	start := s.after(p.from)
	end := s.page(start)
	if end < len(s.facts) {
		p.to.Position = s.facts[end-1].position
		p.more = true
	}
	d := f.documents.at(p, s.at.Unix())
	d.once.Do(func() {
		d.next = revocation.Cursor{Epoch: p.to.Epoch, Position: s.told(p.to.Position)}
		d.compact, d.err = f.sign(s, p, s.facts[start:end])
	})
	if d.err != nil {
		return nil, d.err
	}
	return d, nil
}

// after is the index of the first fact after a position.
func (s *state) after(position uint64) int {
	n, _ := slices.BinarySearchFunc(s.facts, position+1, func(e fact, n uint64) int {
		return cmp.Compare(e.position, n)
	})
	return n
}

// page is where the document ends that begins with the fact at start.
func (s *state) page(start int) (end int) {
	for begin := 0; ; begin = end {
		end = s.cut(begin, maxPage)
		if start == begin {
			return end
		}
		if start < end || end == len(s.facts) {
			return min(end, s.cut(start, maxDelta))
		}
	}
}

// cut is where at most so many facts end whose positions are told whole, or
// else the first position.
func (s *state) cut(start, most int) (end int) {
	if len(s.facts)-start <= most {
		return len(s.facts)
	}
	if end = s.after(s.facts[start+most].position - 1); end > start {
		return end
	}
	return s.after(s.facts[start].position)
}

// sign makes the document of p, which carries those of facts that stand.
func (f *Feed) sign(s *state, p place, facts []fact) ([]byte, error) {
	d := revocation.Document{
		Issuer: f.c.Issuer, Epoch: p.to.Epoch, From: s.told(p.from), To: s.told(p.to.Position),
		Snapshot: p.snapshot, More: p.more, IssuedAt: s.at,
		Entries: make([]revocation.Entry, 0, len(facts)),
	}
	for _, e := range facts {
		if e.stands(s.at) {
			d.Entries = append(d.Entries, e.entry())
		}
	}
	key, err := f.c.Ring.Signer(keyring.Feed, keyring.FeedAlgorithm)
	if err != nil {
		return nil, fmt.Errorf("signing the feed: %w", err)
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: f.c.Issuer, Key: key, Type: revocation.Type, MaxSize: maxSize})
	if err != nil {
		return nil, fmt.Errorf("signing the feed: %w", err)
	}
	compact, err := issuer.Issue(jwt.Claims{
		Subject: f.c.Issuer, Audience: []string{f.c.Issuer},
		IssuedAt: s.at, Life: life, Custom: d.Custom(),
	})
	if err != nil {
		return nil, fmt.Errorf("signing the feed: %w", err)
	}
	return []byte(compact), nil
}
