package e2e

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A register is one session as docs/architecture.md has it: what a refresh is
// answered follows from it alone.
type register struct {
	generation, forgiven uint32
	ended                bool
	from, to             time.Duration // when it was rotated last
}

// forgivenessGap is how many generations lie between two lost answers that are
// forgiven, and slack how far two clocks may be apart.
const (
	forgivenessGap = 16
	slack          = time.Second
)

// model says which histories of one session are right: those that some order
// explains in which each request takes effect at one moment between its call
// and its answer. What was not answered may have taken effect at any later
// moment, or never.
func model(first uint32, grace time.Duration) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{register{generation: first, to: math.MaxInt64}} },
		Step: func(state, input, _ any) (next []any) {
			r, o := state.(register), input.(op)
			if o.outcome == unknown {
				next = append(next, r)
			}
			may := func(is outcome, r register) {
				if o.outcome == is || o.outcome == unknown {
					next = append(next, r)
				}
			}
			over := r
			over.ended = true
			switch o.kind {
			case opRead:
				if o.got == r.generation && o.ended == r.ended {
					next = append(next, r)
				}
			case opEnd:
				may(granted, over)
				if r.ended {
					may(refused, r)
				}
			case opRefresh:
				switch {
				case r.ended:
					may(refused, r)
				case o.presented == r.generation:
					if o.outcome == unknown || o.got == r.generation+1 {
						may(granted, register{r.generation + 1, r.forgiven, false, o.call, o.ret})
					}
				case o.presented == r.generation-1:
					right := o.outcome == unknown || o.got == r.generation
					if o.call-r.to <= grace+slack && right {
						may(granted, r)
					}
					if o.ret-r.from >= grace-slack {
						forgiven := r
						forgiven.forgiven = r.generation
						if r.forgiven != 0 && r.forgiven != r.generation && r.generation-r.forgiven < forgivenessGap {
							may(refused, over)
						} else if right {
							may(granted, forgiven)
						}
					}
				case o.presented < r.generation:
					may(refused, over)
				}
			}
			return next
		},
	}
	return m.ToModel()
}

// linear checks one session's history.
func (s *tracked) linear(first uint32, grace time.Duration) porcupine.CheckResult {
	var history []porcupine.Operation
	for _, o := range telling(s.ops, grace-slack) {
		history = append(history, porcupine.Operation{ClientId: o.client, Input: o, Call: int64(o.call), Return: int64(o.ret)})
	}
	return porcupine.CheckOperationsTimeout(model(first, grace), history, 20*time.Second)
}

// telling leaves out what is explained wherever the rest is, so that nobody
// searches all orders of dozens of equal answers.
//
// Of those that were given the same successor within the grace, two tell all:
// the one that was answered first, since it may as well be the one that rotated,
// and the one that was asked last, before which nothing else can have happened
// to the session. The others fit between the two.
//
// Of those without an answer, the first three tell all: one token can rotate
// its session, be forgiven and end it. Of log-outs it is the first.
//
// Of those that can have been refused for no other reason than that the session
// had ended, the one that was answered first tells all.
func telling(ops []op, grace time.Duration) (kept []op) {
	type pair struct{ presented, got uint32 }
	type group struct{ asked, answered, latest int }
	groups := map[pair]group{}
	lost := map[pair]int{}
	ops = slices.SortedFunc(slices.Values(ops), func(a, b op) int { return cmp.Compare(a.call, b.call) })
	last, since := uint32(0), time.Duration(math.MaxInt64) // the generation that it may have come to, and when
	for i, o := range ops {
		g := o.got
		if o.kind == opRefresh && o.outcome == unknown {
			g = o.presented + 1
		}
		if g > last {
			last, since = g, o.call
		} else if g == last {
			since = min(since, o.call)
		}
		if o.kind != opRefresh || o.outcome != granted {
			continue
		}
		p := pair{o.presented, o.got}
		r, ok := groups[p]
		if !ok {
			r = group{i, i, i}
		}
		if o.ret < ops[r.answered].ret {
			r.answered = i
		}
		r.latest = i
		groups[p] = r
	}
	over := -1 // which refusal was the first
	for i, o := range ops {
		switch {
		case o.kind == opRefresh && o.outcome == granted:
			r := groups[pair{o.presented, o.got}]
			if i != r.answered && i != r.latest && o.ret-ops[r.asked].call < grace {
				continue
			}
		case o.outcome == unknown:
			p := pair{presented: o.presented}
			if lost[p]++; lost[p] > 3 || o.kind == opEnd && lost[p] > 1 {
				continue
			}
		case o.kind == opRefresh && o.outcome == refused &&
			(o.presented >= last || o.presented == last-1 && o.ret-since < grace):
			if over < 0 || o.ret < ops[over].ret {
				over = i
			}
			continue
		}
		kept = append(kept, o)
	}
	if over >= 0 {
		o := ops[over]
		o.call = o.ret
		kept = append(kept, o)
	}
	return kept
}

// What the model of a session takes for right and for wrong. One second is one
// step of these histories; the grace is 30.
func TestSessionModel(t *testing.T) {
	t.Parallel()
	const s, never = time.Second, time.Duration(math.MaxInt64)
	refresh := func(from, to time.Duration, presented, got uint32) op {
		o := op{kind: opRefresh, presented: presented, got: got, call: from, ret: to}
		if got == 0 {
			o.outcome = refused
		}
		if to == never {
			o.outcome = unknown
		}
		return o
	}
	end := func(from, to time.Duration) op { return op{kind: opEnd, call: from, ret: to} }
	lostEnd := op{kind: opEnd, outcome: unknown, call: 2 * s, ret: never}
	read := func(at time.Duration, got uint32, ended bool) op {
		return op{kind: opRead, got: got, ended: ended, call: at, ret: at}
	}
	for name, tt := range map[string]struct {
		history []op
		right   bool
	}{
		"one after the other":                   {[]op{refresh(0, s, 1, 2), refresh(2*s, 3*s, 2, 3), read(4*s, 3, false)}, true},
		"two at once converge":                  {[]op{refresh(0, 3*s, 1, 2), refresh(0, 3*s, 1, 2), read(4*s, 2, false)}, true},
		"two at once make two":                  {[]op{refresh(0, 3*s, 1, 2), refresh(0, 3*s, 1, 3), read(4*s, 3, false)}, false},
		"one rotation is doubled":               {[]op{refresh(0, s, 1, 2), read(4*s, 3, false)}, false},
		"one rotation is lost":                  {[]op{refresh(0, s, 1, 2), read(4*s, 1, false)}, false},
		"one rotation is undone":                {[]op{refresh(0, s, 1, 2), refresh(2*s, 3*s, 2, 3), refresh(4*s, 5*s, 1, 2)}, false},
		"no answer, and it was done":            {[]op{refresh(0, never, 1, 0), refresh(2*s, 3*s, 1, 2), read(4*s, 2, false)}, true},
		"no answer, and it was done at last":    {[]op{refresh(0, never, 1, 0), read(4*s, 2, false)}, true},
		"no answer, and it was never done":      {[]op{refresh(0, never, 1, 0), read(4*s, 1, false)}, true},
		"no answer, and done twice":             {[]op{refresh(0, never, 1, 0), refresh(2*s, 3*s, 1, 3), read(4*s, 3, false)}, false},
		"a good token is refused":               {[]op{refresh(0, s, 1, 2), refresh(2*s, 3*s, 2, 0)}, false},
		"a repetition is refused in the grace":  {[]op{refresh(0, s, 1, 2), refresh(2*s, 3*s, 1, 0)}, false},
		"a repetition is forgiven once":         {[]op{refresh(0, s, 1, 2), refresh(50*s, 51*s, 1, 2), read(60*s, 2, false)}, true},
		"a second one within 16 is forgiven":    {[]op{refresh(0, s, 1, 2), refresh(50*s, 51*s, 1, 2), refresh(60*s, 61*s, 2, 3), refresh(100*s, 101*s, 2, 3)}, false},
		"a second one within 16 is theft":       {[]op{refresh(0, s, 1, 2), refresh(50*s, 51*s, 1, 2), refresh(60*s, 61*s, 2, 3), refresh(100*s, 101*s, 2, 0), read(102*s, 3, true)}, true},
		"theft ends it":                         {[]op{refresh(0, s, 1, 2), refresh(2*s, 3*s, 2, 3), refresh(4*s, 5*s, 1, 0), refresh(6*s, 7*s, 3, 0), read(8*s, 3, true)}, true},
		"theft does not end it":                 {[]op{refresh(0, s, 1, 2), refresh(2*s, 3*s, 2, 3), refresh(4*s, 5*s, 1, 0), read(8*s, 3, false)}, false},
		"what was used before, amid a race":     {[]op{refresh(0, s, 1, 2), refresh(2*s, 9*s, 2, 3), refresh(2*s, 9*s, 1, 2), refresh(2*s, 9*s, 2, 3), read(10*s, 3, false)}, true},
		"what was used before, after a race":    {[]op{refresh(0, s, 1, 2), refresh(2*s, 3*s, 2, 3), refresh(4*s, 9*s, 1, 2), refresh(2*s, 9*s, 2, 3), read(10*s, 3, false)}, false},
		"many at once, one too late":            {[]op{refresh(0, s, 1, 2), refresh(0, 5*s, 1, 2), refresh(0, 6*s, 1, 2), refresh(2*s, 3*s, 2, 3), refresh(4*s, 5*s, 1, 2), read(10*s, 3, false)}, false},
		"many at once, ended amid":              {[]op{refresh(0, 9*s, 1, 2), refresh(0, 8*s, 1, 2), refresh(0, 6*s, 1, 0), refresh(0, 7*s, 1, 0), end(s, 9*s), read(10*s, 2, true)}, true},
		"many at once, one after the end":       {[]op{refresh(0, 9*s, 1, 2), refresh(3*s, 8*s, 1, 2), refresh(0, 2*s, 1, 0), end(s, 9*s), read(10*s, 2, true)}, false},
		"theft amid a race":                     {[]op{refresh(0, s, 1, 2), refresh(2*s, 9*s, 2, 3), refresh(2*s, 9*s, 2, 0), refresh(2*s, 9*s, 1, 0), read(10*s, 3, true)}, true},
		"ended stays ended":                     {[]op{end(0, s), refresh(2*s, 3*s, 1, 0), read(4*s, 1, true)}, true},
		"ended, and refreshed":                  {[]op{end(0, s), refresh(2*s, 3*s, 1, 2)}, false},
		"ended, and the store forgot":           {[]op{end(0, s), read(4*s, 1, false)}, false},
		"an end without an answer may be done":  {[]op{lostEnd, refresh(3*s, 4*s, 1, 0), read(5*s, 1, true)}, true},
		"an end without an answer may not be":   {[]op{lostEnd, refresh(3*s, 4*s, 1, 2), read(5*s, 2, false)}, true},
		"an end without an answer comes late":   {[]op{lostEnd, refresh(3*s, 4*s, 1, 2), read(5*s, 2, true)}, true},
		"it comes back after its end":           {[]op{lostEnd, refresh(3*s, 4*s, 1, 0), refresh(5*s, 6*s, 1, 2)}, false},
		"an end is refused to a living session": {[]op{{kind: opEnd, outcome: refused, call: 0, ret: s}, read(2*s, 1, false)}, false},
	} {
		if got := (&tracked{ops: tt.history}).linear(1, 30*s); got == porcupine.Ok != tt.right {
			t.Errorf("%s: %v", name, got)
		}
	}
}
