package feed_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/feed"
)

// FLT-07: who stands where only a store that was lost has been is told all that
// the copy says, and who stands where both have been is told what followed.
func TestFLT07CursorsOfALostStore(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	m := newMemory()
	for i := range 20 {
		m.end(time.Hour, fmt.Sprint(i))
	}
	// Until 5 positions were told as they are. The copy was made at 10, and what
	// was lost had gone on to 1,016 from there; the copy begins at 5,000.
	m.starts = []feed.Start{{After: 5, Added: 1000}, {After: 10, Added: 4990}, {After: 15, Added: 9000}}
	f := newFeed(t, feed.Config{Store: m, Ring: ring})
	if d := read(t, ring, answer(t, f, "", 0)); !d.Snapshot || d.To != 9020 {
		t.Errorf("a snapshot to %d", d.To)
	}
	for at, facts := range map[uint64]int{ // -1: a snapshot
		0: 20, 3: 17, 5: 15, 6: -1, 1005: -1,
		1006: 14, 1010: 10, 1011: -1, 1016: -1, 5000: -1,
		5001: 9, 5005: 5, 5006: -1, 9015: -1,
		9016: 4, 9020: 0, 9021: -1,
	} {
		cursor := revocation.Cursor{Epoch: "epoch1", Position: at}
		d := read(t, ring, answer(t, f, cursor.String(), 0))
		want := revocation.Document{Snapshot: facts < 0, From: at, To: 9020}
		if facts < 0 {
			facts, want.From = 20, 0
		}
		if d.Snapshot != want.Snapshot || d.From != want.From || d.To != want.To || len(d.Entries) != facts {
			t.Errorf("at %d: %d to %d with %d facts, snapshot %v", at, d.From, d.To, len(d.Entries), d.Snapshot)
		}
	}
	m.starts = make([]feed.Start, feed.MaxStarts)
	for i := range m.starts {
		m.starts[i] = feed.Start{After: 10, Added: uint64(i)}
	}
	f = newFeed(t, feed.Config{Store: m, Ring: ring})
	if d := read(t, ring, answer(t, f, "epoch1.3", 0)); !d.Snapshot {
		t.Error("a place before all starts that are kept is taken for one of this feed")
	}
}
