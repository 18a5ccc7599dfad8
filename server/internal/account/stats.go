package account

import (
	"errors"
	"sync/atomic"
)

// Stats say what a Service has done since it was made, and how busy it is.
type Stats struct {
	LogIns map[string]int64 // by outcome: ok, refused, throttled, busy, failed

	Slots, Busy, Waiting int // of password hashes: in all, taken, and who waits for one
}

// The outcomes of a log-in. Why one was refused is for the audit log.
const (
	succeeded = iota
	refused
	throttled
	busy
	failed
	outcomes
)

var outcomeNames = [outcomes]string{"ok", "refused", "throttled", "busy", "failed"}

type counts struct{ logIns [outcomes]atomic.Int64 }

func (c *counts) logIn(outcome int, err error) {
	var t *Throttled
	switch {
	case outcome == failed && errors.As(err, &t):
		outcome = throttled
	case outcome == failed && errors.Is(err, ErrBusy):
		outcome = busy
	}
	c.logIns[outcome].Add(1)
}

// Stats may be called at any time.
func (s *Service) Stats() Stats {
	st := Stats{LogIns: make(map[string]int64, outcomes), Slots: s.most}
	for i, name := range outcomeNames {
		st.LogIns[name] = s.counts.logIns[i].Load()
	}
	st.Busy, st.Waiting = s.slots.load(s.most, s.most*queuePerSlot)
	return st
}
