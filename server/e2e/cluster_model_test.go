package e2e

import (
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

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
