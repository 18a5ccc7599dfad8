package audit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// A Hash is SHA-256's.
type Hash [sha256.Size]byte

func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// An Entry is a record in its place in the chain.
type Entry struct {
	Seq uint64 // 1 and so on, without gaps
	Record
	WhoCommit Hash // stands for Who and WhoSalt where those were erased
	Link      Hash
}

// Erased says whether it is no longer told who acted.
func (e Entry) Erased() bool { return e.Who == nil && e.WhoSalt == nil }

// A Head is where a chain stands. The zero Head is that of an empty one.
type Head struct {
	Seq  uint64
	Link Hash
}

// String is the number, a colon and the link in base64url, which is what
// somebody notes elsewhere to find out later whether the past was changed.
func (h Head) String() string { return strconv.FormatUint(h.Seq, 10) + ":" + h.Link.String() }

// ParseHead reads what [Head.String] writes, in that spelling only.
func ParseHead(s string) (h Head, err error) {
	seq, link, _ := strings.Cut(s, ":")
	if h.Seq, err = strconv.ParseUint(seq, 10, 63); err == nil {
		err = parseBytes(h.Link[:], link)
	}
	if err != nil || h.String() != s {
		return Head{}, fmt.Errorf("malformed head %.80q: a number, a colon and 43 characters, as 'audit verify' prints it", s)
	}
	return h, nil
}

func parseBytes(to []byte, s string) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != len(to) {
		return fmt.Errorf("not %d bytes in base64url", len(to))
	}
	copy(to, raw)
	return nil
}

// Append puts r after h.
func (h Head) Append(r Record) Entry {
	e := Entry{Seq: h.Seq + 1, Record: r}
	e.Link = h.link(e)
	return e
}

// Head is where the chain stands with e as its last entry.
func (e Entry) Head() Head { return Head{e.Seq, e.Link} }

// Check says whether e follows h: a *[Fault] where it does not.
func (h Head) Check(e Entry) error {
	switch {
	case e.Seq > h.Seq+1:
		return &Fault{Seq: h.Seq + 1, Why: fmt.Sprintf("it is missing: record %d follows on %d", e.Seq, h.Seq)}
	case e.Seq <= h.Seq:
		return &Fault{Seq: h.Seq + 1, Why: fmt.Sprintf("record %d stands in its place", e.Seq)}
	case len(e.ID) > 255, len(e.WhatSalt) != saltSize, !e.Erased() && len(e.WhoSalt) != saltSize:
		// Other lengths could move a byte from one field to the next.
		return &Fault{Seq: e.Seq, Why: "its id or a salt has another length than any record's"}
	case h.link(e) != e.Link:
		return &Fault{Seq: e.Seq, Why: "its link does not fit what it says and the record before it"}
	}
	return nil
}

// link is
//
//	SHA-256(link before ‖ seq ‖ len(id) ‖ id ‖ at ‖ commit(what) ‖ commit(who))
//
// with seq and the microseconds of at as 8 bytes and len(id) as one, big
// endian. Nothing else of an entry has a length that varies.
func (h Head) link(e Entry) Hash {
	whatCommit, whoCommit := commit(e.WhatSalt, e.What), e.WhoCommit
	if !e.Erased() {
		whoCommit = commit(e.WhoSalt, e.Who)
	}
	b := make([]byte, 0, 256)
	b = append(b, h.Link[:]...)
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = append(b, byte(len(e.ID)))
	b = append(b, e.ID...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	b = append(b, whatCommit[:]...)
	b = append(b, whoCommit[:]...)
	return sha256.Sum256(b)
}

// commit is SHA-256(salt ‖ part). The salt, of 16 bytes always, keeps a part
// that was erased from being guessed.
func commit(salt, part []byte) Hash {
	b := make([]byte, 0, 512)
	return sha256.Sum256(append(append(b, salt...), part...))
}

// A Fault is what is wrong with a chain, as the first place where it is.
type Fault struct {
	Seq  uint64 `json:"seq"`  // of the first record that is not as it was written
	Torn bool   `json:"torn"` // nothing was changed, the end is missing from there on
	Why  string `json:"why"`
}

func (f *Fault) Error() string {
	if f.Torn {
		return fmt.Sprintf("the end is missing from record %d on: %s", f.Seq, f.Why)
	}
	return fmt.Sprintf("record %d is not as it was written: %s", f.Seq, f.Why)
}

// A Log keeps what was recorded. Errors are those of package fault.
type Log interface {
	// Record writes an event that belongs to no other change.
	Record(ctx context.Context, e Event) error

	// ChainAudit moves the events that were committed first, at most limit, from
	// the outbox to the end of the chain, in one transaction, and answers how
	// many. Where two do so at once, one waits or fails with ErrChanged: a chain
	// never forks.
	ChainAudit(ctx context.Context, limit int) (int, error)

	// AuditHead reads where the chain stands. It is kept apart from the entries,
	// so that it tells when the last of them are missing.
	AuditHead(ctx context.Context) (Head, error)

	// AuditAfter reads the entries after a number, at most limit, in order.
	AuditAfter(ctx context.Context, seq uint64, limit int) ([]Entry, error)

	// AuditBefore reads the entries before a number, at most limit, the newest
	// first; before 0 is all.
	AuditBefore(ctx context.Context, seq uint64, limit int) ([]Entry, error)
}

// chainLimit keeps those who want to commit meanwhile from waiting long.
const chainLimit = 200

// Chain puts all that was committed at the end of the chain.
func Chain(ctx context.Context, log Log) error {
	for {
		n, err := log.ChainAudit(ctx, chainLimit)
		if err != nil {
			return fmt.Errorf("chaining audit events: %w", err)
		}
		if n < chainLimit {
			return nil
		}
	}
}
