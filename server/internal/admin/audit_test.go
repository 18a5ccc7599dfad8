package admin

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// oneRecord is an audit log of one record, which takes others or not.
type oneRecord struct {
	audit.Log
	entry    audit.Entry
	full     bool
	recorded []string
}

var errFull = errors.New("the disk is full")

func (l *oneRecord) Record(_ context.Context, e audit.Event) error {
	if l.full {
		return errFull
	}
	l.recorded = append(l.recorded, e.Act+" by "+e.Actor.Name)
	return nil
}

func (l *oneRecord) ChainAudit(context.Context, int) (int, error) { return 0, nil }

func (l *oneRecord) AuditHead(context.Context) (audit.Head, error) { return l.entry.Head(), nil }

func (l *oneRecord) AuditBefore(context.Context, uint64, int) ([]audit.Entry, error) {
	return []audit.Entry{l.entry}, nil
}

func (l *oneRecord) AuditAfter(context.Context, uint64, int) ([]audit.Entry, error) {
	return []audit.Entry{l.entry}, nil
}

// Who reads the audit log is on record, or reads nothing.
func TestADM05ReadingIsRecorded(t *testing.T) {
	t.Parallel()
	r, err := audit.Event{Act: "account.create", Outcome: audit.OK}.Record(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, full := range []bool{false, true} {
		log := &oneRecord{entry: audit.Head{}.Append(r), full: full}
		s := &Service{Config{Audit: log}}
		page, err := s.ListAudit(t.Context(), Operator("ada"), audit.Query{Limit: 10})
		if errors.Is(err, errFull) != full || (len(page.Shown) == 0) != full {
			t.Errorf("full %v: listed %d, %v", full, len(page.Shown), err)
		}
		var b bytes.Buffer
		_, err = s.ExportAudit(t.Context(), Operator("ada"), &b, 0, 0)
		if errors.Is(err, errFull) != full || (b.Len() == 0) != full {
			t.Errorf("full %v: exported %d bytes, %v", full, b.Len(), err)
		}
		if !full && (len(log.recorded) != 2 || log.recorded[0] != "audit.list by ada" || log.recorded[1] != "audit.export by ada") {
			t.Errorf("recorded %q", log.recorded)
		}
	}
}
