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
