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
