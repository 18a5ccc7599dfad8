package revocation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwt"
)

// The names of a feed document: as the typ of its header and as a content type.
const (
	Type      = "revocations+jwt"
	MediaType = "application/revocations+jwt"
)

// Entry is one fact that stands.
type Entry struct {
	Fact    jwt.Fact
	Expires time.Time // no token is concerned from then on; zero: never
	Before  time.Time // only tokens issued before are concerned; zero: all
}

// Document is one answer of the feed.
type Document struct {
	Issuer   string
	Epoch    string // 1 to 64 of A–Z a–z 0–9 - _
	From, To uint64 // at most 2⁵³−1, so that every JSON parser reads them alike
	Snapshot bool
	More     bool      // the feed goes on behind To: this is a part, ask again at once
	IssuedAt time.Time // the issuer's time
	Entries  []Entry
}

// Cursor is a place in the feed.
type Cursor struct {
	Epoch    string
	Position uint64
}

// String returns EPOCH.POSITION, or nothing for the zero Cursor.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return c.Epoch + "." + strconv.FormatUint(c.Position, 10)
}

// ParseCursor reads EPOCH.POSITION.
func ParseCursor(s string) (Cursor, error) {
	epoch, digits, found := strings.Cut(s, ".")
	n, err := strconv.ParseUint(digits, 10, 64)
	c := Cursor{epoch, n}
	if !found || err != nil || n > maxPosition || !isEpoch(epoch) || c.String() != s {
		return Cursor{}, errors.New("malformed cursor: must be EPOCH.POSITION as an earlier answer named it")
	}
	return c, nil
}

const (
	maxPosition = 1<<53 - 1
	maxEpoch    = 64
	rowSize     = 24
)

func isEpoch(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= maxEpoch
}

type claims struct {
	Epoch    string `json:"epoch"`
	From     uint64 `json:"from"`
	To       uint64 `json:"to"`
	Snapshot bool   `json:"snapshot"`
	More     bool   `json:"more,omitempty"`
	Facts    string `json:"facts"`
}

// Custom returns the document's own claims, for [jwt.Claims.Custom]. The
// issuer, times and audience are the signer's: a jwt.Issuer whose Type is
// [Type], for an audience that is the issuer itself.
func (d *Document) Custom() any {
	rows := make([]byte, 0, len(d.Entries)*rowSize)
	for _, e := range d.Entries {
		rows = append(rows, e.Fact[:]...)
		rows = binary.BigEndian.AppendUint32(rows, seconds(e.Expires))
		rows = binary.BigEndian.AppendUint32(rows, seconds(e.Before))
	}
	return claims{d.Epoch, d.From, d.To, d.Snapshot, d.More, string(b64.Append(nil, rows))}
}

// ParseDocument reads the document out of a verified token. It checks the form;
// whether the document fits the reader's place is the [Follower]'s to decide.
func ParseDocument(t *jwt.Token) (*Document, error) {
	if !isType(t.Type()) {
		return nil, fmt.Errorf("a token of type %q is not a revocation document", t.Type())
	}
	c, err := jwt.Decode[claims](t)
	if err != nil {
		return nil, fmt.Errorf("malformed revocation document: %w", err)
	}
	rows, err := b64.Decode(nil, c.Facts)
	switch {
	case err != nil:
		return nil, fmt.Errorf("malformed revocation document: facts: %w", err)
	case len(rows)%rowSize != 0:
		return nil, fmt.Errorf("malformed revocation document: facts of %d bytes, not a multiple of %d", len(rows), rowSize)
	case !isEpoch(c.Epoch):
		return nil, errors.New("malformed revocation document: epoch")
	case c.From > c.To || c.To > maxPosition:
		return nil, fmt.Errorf("malformed revocation document: from %d to %d", c.From, c.To)
	case c.Snapshot && c.From != 0:
		return nil, fmt.Errorf("malformed revocation document: a snapshot from %d", c.From)
	case !c.Snapshot && c.From == c.To && (c.More || len(rows) != 0):
		return nil, errors.New("malformed revocation document: news without a position of its own")
	}
	d := &Document{Issuer: t.Issuer(), Epoch: c.Epoch, From: c.From, To: c.To, Snapshot: c.Snapshot, More: c.More, IssuedAt: t.IssuedAt()}
	d.Entries = make([]Entry, len(rows)/rowSize)
	for i := range d.Entries {
		row := rows[i*rowSize:]
		copy(d.Entries[i].Fact[:], row)
		d.Entries[i].Expires = instant(binary.BigEndian.Uint32(row[16:]))
		d.Entries[i].Before = instant(binary.BigEndian.Uint32(row[20:]))
	}
	return d, nil
}

// isType compares as RFC 7515 §4.1.9 says: case aside, application/ may be left out.
func isType(typ string) bool {
	typ = strings.ToLower(typ)
	return strings.TrimPrefix(typ, "application/") == Type
}

// seconds rounds up, so that a fact stands rather a second too long. The zero
// time is 0; no other time is.
func seconds(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return uint32(max(1, min(s, math.MaxUint32)))
}

func instant(s uint32) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}
