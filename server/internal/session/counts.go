package session

import "sync/atomic"

// Counts are what refreshes came to. Several services, one after the other, may
// share them.
type Counts struct{ refreshes [Behind + 1]atomic.Int64 }

// forged is row 1 of the table in [Decide], which Decide never sees.
const forged Outcome = 1

var caseNames = [Behind + 1]string{
	forged: "forged", Foreign: "foreign", Ended: "ended", Barred: "barred", Changed: "changed", Rotate: "rotate",
	Repeat: "repeat", RepeatLate: "repeat_late", Forgive: "forgive", Theft: "theft", Behind: "behind",
}

// Refreshes answers how many refreshes came to each case of [Decide], forged
// tokens to "forged".
func (c *Counts) Refreshes() map[string]int64 {
	all := make(map[string]int64, len(caseNames))
	for o := forged; o <= Behind; o++ {
		all[caseNames[o]] = c.refreshes[o].Load()
	}
	return all
}

func (c *Counts) refresh(o Outcome) {
	if o != 0 && o <= Behind { // 0: there was no row
		c.refreshes[o].Add(1)
	}
}
