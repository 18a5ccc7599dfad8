package postgres

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// What the database refused was not done, in whatever language it says so.
func TestRefusalsAreCertain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err       pgconn.PgError
		uncertain bool
	}{
		"refused":                     {pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: uniqueViolation}, false},
		"refused, in German":          {pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: "ERROR", Code: uniqueViolation}, false},
		"of an old server":            {pgconn.PgError{Severity: "ERROR", Code: uniqueViolation}, false},
		"ended":                       {pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P01"}, true},
		"nobody knows":                {pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: completionUnknown}, true},
		"of an old server, in German": {pgconn.PgError{Severity: "FEHLER", Code: uniqueViolation}, true},
	} {
		if got := errors.Is(uncertain(&c.err), fault.ErrUncertain); got != c.uncertain {
			t.Errorf("%s: uncertain: %v", name, got)
		}
	}
}
