package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

func testAudit(t *testing.T, open Opener) {
	t.Run("moves from the outbox to the chain in order", func(t *testing.T) {
		w := newWorld(t, open)
		head, err := w.AuditHead(w.ctx)
		check(t, "error", err, nil)
		check(t, "an empty chain", head, audit.Head{})
		n, err := w.ChainAudit(w.ctx, 10)
		check(t, "nothing to chain", []any{n, err}, []any{0, nil})

		for i := range 25 {
			check(t, "error", w.Record(w.ctx, event(fmt.Sprintf("act.%d", i))), nil)
		}
		recorded, _, err := w.Records(w.ctx, 0, 100)
		check(t, "error", err, nil)
		var steps []int
		for range 4 {
			n, err := w.ChainAudit(w.ctx, 10)
			check(t, "error", err, nil)
			steps = append(steps, n)
		}
		check(t, "in steps", steps, []int{10, 10, 5, 0})
		check(t, "the outbox is empty", len(w.acts()), 0)

		all, err := w.AuditAfter(w.ctx, 0, 100)
		check(t, "error", err, nil)
		check(t, "entries", len(all), 25)
		for i, e := range all {
			if e.Seq != uint64(i+1) || fmt.Sprint(e.Record) != fmt.Sprint(recorded[i]) || e.Erased() || e.WhoCommit != (audit.Hash{}) {
				t.Errorf("entry %d is %+v, want %+v", i+1, e, recorded[i])
			}
		}
		check(t, "it is good", audit.Head{}.Check(all[0]), nil)
		_, err = audit.Verify(w.ctx, w, all[24].Head(), nil)
		check(t, "all of it is good", err, nil)
	})
	t.Run("pages", func(t *testing.T) {
		w := newWorld(t, open)
		for range 9 {
			check(t, "error", w.Record(w.ctx, event("act")), nil)
		}
		check(t, "error", audit.Chain(w.ctx, w), nil)
		seqs := func(all []audit.Entry, err error) (seqs []uint64) {
			check(t, "error", err, nil)
			for _, e := range all {
				seqs = append(seqs, e.Seq)
			}
			return seqs
		}
		check(t, "after 0", seqs(w.AuditAfter(w.ctx, 0, 3)), []uint64{1, 2, 3})
		check(t, "after 7", seqs(w.AuditAfter(w.ctx, 7, 3)), []uint64{8, 9})
		check(t, "before 0", seqs(w.AuditBefore(w.ctx, 0, 3)), []uint64{9, 8, 7})
		check(t, "before 3", seqs(w.AuditBefore(w.ctx, 3, 3)), []uint64{2, 1})
		for _, seq := range []uint64{9, 10, 1 << 63, 1<<64 - 1} {
			check(t, "after the end", seqs(w.AuditAfter(w.ctx, seq, 3)), []uint64(nil))
		}
		check(t, "before the beginning", seqs(w.AuditBefore(w.ctx, 1, 3)), []uint64(nil))
		check(t, "before more than there is", seqs(w.AuditBefore(w.ctx, 1<<64-1, 2)), []uint64{9, 8})
		check(t, "none", seqs(w.AuditAfter(w.ctx, 0, 0)), []uint64(nil))
	})
	t.Run("ADM-06 never forks and loses nothing, while everybody acts and several chain", func(t *testing.T) {
		w := newWorld(t, open)
		var mu sync.Mutex
		moved := 0
		together(20, func(i int) {
			for k := range 20 {
				if i < 4 {
					n, err := w.ChainAudit(w.ctx, 7)
					check(t, "error", err, nil)
					mu.Lock()
					moved += n
					mu.Unlock()
					continue
				}
				check(t, "error", w.Record(w.ctx, event(fmt.Sprintf("act.%d.%d", i, k))), nil)
			}
		})
		check(t, "error", audit.Chain(w.ctx, w), nil)
		r, err := audit.Verify(w.ctx, w, audit.Head{}, nil)
		check(t, "verified", []any{r.Records, err}, []any{320, nil})
		all, _ := w.AuditAfter(w.ctx, 0, 1000)
		var ids []string
		for _, e := range all {
			ids = append(ids, e.ID)
		}
		slices.Sort(ids)
		check(t, "none twice", len(slices.Compact(ids)), 320)
		if moved > 320 {
			t.Errorf("%d were said to be moved", moved)
		}
	})
	t.Run("stays over a restart", func(t *testing.T) {
		s, reopen := open(t)
		w := &world{Store: s, t: t, ctx: t.Context()}
		for i := range 3 {
			check(t, "error", w.Record(w.ctx, event(fmt.Sprint("act.", i))), nil)
			if i == 1 {
				check(t, "error", audit.Chain(w.ctx, w), nil)
			}
		}
		head, _ := w.AuditHead(w.ctx)
		before, _ := w.AuditAfter(w.ctx, 0, 10)
		w.Store = reopen()
		again, err := w.AuditHead(w.ctx)
		check(t, "head", []any{again, err}, []any{head, nil})
		after, err := w.AuditAfter(w.ctx, 0, 10)
		check(t, "entries", []any{after, err}, []any{before, nil})
		check(t, "what was not chained waits", w.acts(), []string{"act.2"})
		check(t, "error", audit.Chain(w.ctx, w), nil)
		r, err := audit.Verify(w.ctx, w, head, nil)
		check(t, "goes on from there", []any{r.Records, err}, []any{3, nil})
	})
}
