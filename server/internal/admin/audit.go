package admin

import (
	"context"
	"io"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// ListAudit answers one page of the audit log. Who reads it learns names and
// addresses, so reading is an act: what cannot be recorded is not shown.
func (s *Service) ListAudit(ctx context.Context, caller Caller, q audit.Query) (audit.Page, error) {
	if err := allow(caller, AuditRead); err != nil {
		return audit.Page{}, err
	}
	if err := audit.Chain(ctx, s.c.Audit); err != nil {
		return audit.Page{}, err
	}
	p, err := audit.List(ctx, s.c.Audit, q)
	if err != nil {
		return audit.Page{}, err
	}
	if err := s.c.Audit.Record(ctx, audit.Event{Act: "audit.list", Outcome: audit.OK, Actor: caller.Actor}); err != nil {
		return audit.Page{}, err
	}
	return p, nil
}

// ExportAudit writes the audit log from after a number on to w, at most so many
// records, its own event among them: see [audit.Export].
func (s *Service) ExportAudit(ctx context.Context, caller Caller, w io.Writer, after, most uint64) (audit.Result, error) {
	if err := allow(caller, AuditRead); err != nil {
		return audit.Result{}, err
	}
	if err := s.c.Audit.Record(ctx, audit.Event{Act: "audit.export", Outcome: audit.OK, Actor: caller.Actor}); err != nil {
		return audit.Result{}, err
	}
	if err := audit.Chain(ctx, s.c.Audit); err != nil {
		return audit.Result{}, err
	}
	return audit.Export(ctx, s.c.Audit, w, after, most)
}
