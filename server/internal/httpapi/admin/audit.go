package admin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

func (s server) auditLog() []act {
	return []act{
		on("GET /audit", admin.AuditRead, s.listAudit),
		on("GET /audit/export", admin.AuditRead, s.exportAudit),
	}
}

// listAudit lists the newest events first.
func (s server) listAudit(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var q audit.Query
	var since, until, after, size string
	err := httpapi.ReadQuery(r, map[string]*string{
		"act": &q.Act, "outcome": &q.Outcome, "actor": &q.Actor, "target": &q.Target,
		"since": &since, "until": &until, "after": &after, "limit": &size,
	})
	if err != nil {
		return err
	}
	if q.Limit, err = httpapi.Limit(size, usualLimit, mostLimit); err != nil {
		return err
	}
	if q.Since, err = moment("since", since); err != nil {
		return err
	}
	if q.Until, err = moment("until", until); err != nil {
		return err
	}
	if after != "" {
		if q.Before, err = strconv.ParseUint(after, 10, 63); err != nil || q.Before == 0 {
			return httpapi.Refuse(wire.CodeInvalidRequest, "after is what an earlier answer named next", nil)
		}
	}
	page, err := s.admin.ListAudit(r.Context(), by, q)
	if err != nil {
		return err
	}
	answer := wire.AuditList{Events: []wire.AuditEvent{}}
	for _, e := range page.Shown {
		answer.Events = append(answer.Events, wire.AuditEvent{
			Seq: e.Seq, ID: e.ID, At: e.At, Act: e.Act, Outcome: e.Outcome, Rule: e.Rule, Targets: e.Targets, Actor: wire.AuditActor(e.Actor),
		})
	}
	if page.Next > 0 {
		answer.Next = strconv.FormatUint(page.Next, 10)
	}
	return c.JSON(http.StatusOK, answer)
}

// mostExported records are some megabytes, which anybody reads within the time
// of an answer.
const mostExported = 5000

// exportAudit writes one part of the chain as it is verified. What goes wrong
// after its first line is told by its end: see audit.Export.
func (s server) exportAudit(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var after, size string
	if err := httpapi.ReadQuery(r, map[string]*string{"after": &after, "limit": &size}); err != nil {
		return err
	}
	limit, err := httpapi.Limit(size, usualLimit, mostExported)
	if err != nil {
		return err
	}
	var seq uint64
	if after != "" {
		if seq, err = strconv.ParseUint(after, 10, 63); err != nil {
			return httpapi.Refuse(wire.CodeInvalidRequest, "after is the number of a record", nil)
		}
	}
	c.Header().Set("Content-Type", wire.MediaTypeLines)
	_, err = s.admin.ExportAudit(r.Context(), by, c, seq, uint64(limit))
	return err
}

// moment reads a time (RFC 3339); "" is none.
func moment(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, httpapi.Refuse(wire.CodeInvalidRequest, name+" is a time such as 2026-01-02T15:04:05Z", nil)
	}
	return t, nil
}
