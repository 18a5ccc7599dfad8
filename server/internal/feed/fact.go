package feed

import (
	"math"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

// A fact is one as a node holds it, a million in 32 MB: its times are seconds
// as in a document, 0 for none.
type fact struct {
	jwt.Fact
	expires, before uint32
	position        uint64
}

func newFact(e revocation.Entry, position uint64) fact {
	return fact{e.Fact, seconds(e.Expires), seconds(e.Before), position}
}

func (e fact) entry() revocation.Entry {
	return revocation.Entry{Fact: e.Fact, Expires: instant(e.expires), Before: instant(e.before)}
}

func (e fact) stands(now time.Time) bool {
	return e.expires == 0 || int64(e.expires) > now.Unix()
}

// seconds rounds up: a fact stands rather a second too long.
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
	return time.Unix(int64(s), 0)
}
