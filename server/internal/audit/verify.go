package audit

import (
	"context"
	"fmt"
)

// A Result is what a verification has found.
type Result struct {
	Records uint64 // that were checked and are good
	Erased  uint64 // of those, how many no longer tell who acted
	Head    Head   // of the last good one
	known   Head
}

// pageSize is how many entries are held in memory.
const pageSize = 500

// Verify reads the whole chain and answers a *[Fault] where it is not as it
// was written. known is a head that somebody noted before, which must still
// stand in the chain; the zero Head is none. progress, which may be nil, is
// told now and then how far it is, and of how many.
//
// Without a head that was noted elsewhere, this cannot find what somebody
// changed who may write to the database and made all links anew.
func Verify(ctx context.Context, log Log, known Head, progress func(done, all uint64)) (Result, error) {
	v := Result{known: known}
	end, err := log.AuditHead(ctx)
	if err != nil {
		return v, fmt.Errorf("reading the audit log's head: %w", err)
	}
	for {
		page, err := log.AuditAfter(ctx, v.Head.Seq, pageSize)
		if err != nil {
			return v, fmt.Errorf("reading the audit log after record %d: %w", v.Head.Seq, err)
		}
		for _, e := range page {
			if err := v.add(e); err != nil {
				return v, err
			}
		}
		if progress != nil {
			progress(v.Head.Seq, max(end.Seq, v.Head.Seq))
		}
		if len(page) > 0 {
			continue
		}
		// Somebody may have appended since.
		was := end
		if end, err = log.AuditHead(ctx); err != nil {
			return v, fmt.Errorf("reading the audit log's head: %w", err)
		}
		if end == was || end == v.Head {
			return v, v.finish(end)
		}
	}
}

// add checks the next entry.
func (v *Result) add(e Entry) error {
	if err := v.Head.Check(e); err != nil {
		return err
	}
	v.Head = e.Head()
	v.Records++
	if e.Erased() {
		v.Erased++
	}
	if v.known.Seq == v.Head.Seq && v.known != v.Head {
		return &Fault{Seq: v.Head.Seq, Why: "the head that was noted is another; this record or one before it was written anew"}
	}
	return nil
}

// finish checks that the chain stands where it must.
func (v *Result) finish(end Head) error {
	switch {
	case end.Seq > v.Head.Seq:
		return &Fault{Seq: v.Head.Seq + 1, Torn: true, Why: fmt.Sprintf("the log's head is record %d", end.Seq)}
	case end != v.Head:
		return &Fault{Seq: min(end.Seq+1, v.Head.Seq), Why: fmt.Sprintf("the log's head is another, of record %d", end.Seq)}
	case v.known.Seq > v.Head.Seq:
		return &Fault{Seq: v.Head.Seq + 1, Torn: true, Why: fmt.Sprintf("the head that was noted is record %d; the log was cut off, or an older one restored", v.known.Seq)}
	}
	return nil
}
