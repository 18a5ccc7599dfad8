package session

import (
	"math"
	"time"
)

// An Outcome is what a refresh with a genuine token comes to. Its number is
// the row of the table in [Decide].
type Outcome uint8

// The outcomes. Row 1, a token that is not genuine, never comes as far as here.
const (
	Foreign    Outcome = 2 + iota // refused, nothing consumed
	Ended                         // refused
	Barred                        // the session ends, refused
	Changed                       // read again, once
	Rotate                        // the next generation
	Repeat                        // the same successor again, no write
	RepeatLate                    // the same successor again, no write
	Forgive                       // the same successor again, and remembered
	Theft                         // the session ends, refused
	Behind                        // alarm, nothing changed
)

// reasons is what logs and audit events say of each outcome.
var reasons = [...]string{
	Foreign:    "presented by another app or another way than the session began with",
	Ended:      "session has ended",
	Barred:     "account is disabled",
	Changed:    "account changed in the meantime",
	Rotate:     "rotated",
	Repeat:     "repeated within the grace",
	RepeatLate: "repeated after its answer was lost",
	Forgive:    "answer was lost",
	Theft:      "used token presented again",
	Behind:     "presented token is newer than the store",
}

// String answers the reason in words.
func (o Outcome) String() string {
	if int(o) < len(reasons) && reasons[o] != "" {
		return reasons[o]
	}
	return "unknown outcome"
}

// ForgivenessGap is how many generations lie between two lost answers of one
// session that are forgiven. Somebody who copies tokens may hide behind one
// such answer, but not keep doing so.
const ForgivenessGap = 16

// Limits are what time decides.
type Limits struct {
	Idle  time.Duration // from the last use to the end
	Grace time.Duration // in which a predecessor is taken for a repetition
}

// Decide says what comes of a refresh token of the given generation, presented
// as p says, where one statement found row at the store's time now. It is pure,
// and the first case that matches decides.
//
// The successor of a token is derived from it, so answering it again hands out
// the very same one: tabs, retries and nodes converge on one chain, and whoever
// presents anything else than the last two tokens of that chain has a copy.
func Decide(row Row, generation uint32, p Presented, l Limits, now time.Time) Outcome {
	last := row.Generation
	sinceUse := now.Sub(row.RotatedAt)
	switch {
	// 1: the MAC stands before this function.
	// 2: a token that was begun elsewhere was carried off. Nothing is consumed,
	// so that a thief cannot end the session of the holder either.
	case p.Client != row.Client || p.Transport != row.Transport:
		return Foreign

	// 3, 4: see standing.
	case standing(row, l.Idle, now) != 0:
		return standing(row, l.Idle, now)

	// 5: an act on the account changes both in one transaction, so two copies
	// that differ were not read as of the same moment.
	case row.Holder.Version != row.AccountVersion:
		return Changed

	// 6: the token that was handed out last.
	case generation == last:
		return Rotate

	// 7: the one before, so soon after that it was sent twice.
	case generation == last-1 && sinceUse <= l.Grace:
		return Repeat

	// 8: the one before, later: the answer with the last one was lost, and that
	// was forgiven already at this very generation. Nobody has used the last
	// one since.
	case generation == last-1 && row.Forgiven == last:
		return RepeatLate

	// 9: the same for the first time, or for the first time in a long while.
	case generation == last-1 && (row.Forgiven == 0 || last-row.Forgiven >= ForgivenessGap):
		return Forgive

	// 10: two parties hold tokens of this chain (RFC 9700 §4.14.2). The grace is
	// no excuse for a token that has been succeeded twice.
	case generation < last:
		return Theft

	// 11: the MAC says that we handed this token out; the row says that we have
	// not yet. The store was restored, lags or was copied.
	default:
		return Behind
	}
}

// standing says whether a session and its account may still have tokens: 0, or
// the row of Decide that refuses. Everything that grants a token or trusts a
// session asks it.
func standing(row Row, idle time.Duration, now time.Time) Outcome {
	switch {
	// 3: over for good. The generations of one chain end here too, before they
	// could start again.
	case !row.EndedAt.IsZero(),
		!now.Before(row.RotatedAt.Add(idle)),
		!now.Before(row.ExpiresAt),
		row.Generation == math.MaxUint32:
		return Ended

	// 4: the account may have nothing any more.
	case row.Holder.Disabled:
		return Barred
	}
	return 0
}
