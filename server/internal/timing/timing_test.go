package timing_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/timing"
)

func TestRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r timing.Record
		ctx := timing.NewContext(t.Context(), &r)
		for i := range 20 {
			s := timing.Start(ctx, timing.Store)
			time.Sleep(time.Duration(i) * time.Millisecond)
			s.End()
		}
		s := timing.Start(ctx, timing.Hash)
		time.Sleep(time.Second)
		s.End()
		if got := r.Spent(timing.Store); got != 190*time.Millisecond {
			t.Errorf("in the store %v", got)
		}
		if got := r.Spent(timing.Hash); got != time.Second {
			t.Errorf("hashing %v", got)
		}
		if kept := r.Stretches(); len(kept) != 8 || kept[7].Took != 7*time.Millisecond || kept[0].Part != timing.Store {
			t.Errorf("kept %+v", kept)
		}
	})
}

func TestNobodyAsks(t *testing.T) {
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() { timing.Start(ctx, timing.Store).End() }); n != 0 {
		t.Errorf("%v allocations for nobody", n)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	h := timing.NewHistogram(1, 2, 4)
	for _, v := range []float64{0, 1, 1.5, 2, 3, 100} {
		h.Observe(v)
	}
	s := h.Snapshot()
	if s.Count != 6 || s.Sum != 107.5 || s.Buckets[1] != 2 || s.Buckets[2] != 4 || s.Buckets[4] != 5 {
		t.Errorf("%+v", s)
	}
}
