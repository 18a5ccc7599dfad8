package admin

import (
	"fmt"
	"testing"
	"time"
)

// Refusals are counted by who asks, so that nobody fills the audit log.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	var r refusals
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		who   string
		after time.Duration
		want  bool
	}{
		{"acc_1", 0, true}, {"acc_1", 0, false}, {"acc_2", 0, true},
		{"acc_1", refusedEvery - 1, false}, {"acc_1", refusedEvery, true}, {"acc_2", refusedEvery, true}, {"acc_2", refusedEvery + 1, false},
	} {
		if got := r.due(c.who, now.Add(c.after)); got != c.want {
			t.Errorf("%s after %v: %v", c.who, c.after, got)
		}
	}
	recorded := 0
	for i := range 3 * maxRefused {
		if r.due(fmt.Sprint("acc_", i), now.Add(2*refusedEvery)) {
			recorded++
		}
	}
	if recorded != maxRefused {
		t.Errorf("%d in a minute", recorded)
	}
}
