package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// Codes of PostgreSQL's appendix A.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	completionUnknown    = "40003"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	duplicateTable       = "42P07"
	duplicateObject      = "42710"
	queryCanceled        = "57014"
	readOnlyTransaction  = "25006"
	idleInTransaction    = "25P03"
)

// advice says what to do about what PostgreSQL reports, by code or by class.
var advice = map[string]string{
	"25P03": "this node was silent in a transaction for too long; it may lack processors",
	"25006": "it is read-only; connect to the primary, such as with target_session_attrs=read-write",
	"28":    "it refuses this user; correct the user, the password or pg_hba.conf",
	"3D000": "there is no such database; make it with createdb, or correct the name in the URL",
	"42501": "this user lacks a permission; it must own the database's tables",
	"53100": "its disk is full; make room on it",
	"53200": "it has no memory left",
	"53300": "it has no connection left; raise max_connections, or lower pool_max_conns in the URL of each node",
	"53":    "it has no room left",
	"55P03": "a lock was held for too long",
	"57014": "a statement took too long",
	"57":    "it is being shut down or started",
	"58":    "its disk cannot be read or written; check it",
	"XX001": "it is damaged; restore a backup",
	"XX002": "an index of it is damaged; REINDEX it",
}

var errBusy = fmt.Errorf("%w: no connection to the database became free in time", fault.ErrUnavailable)

// explain turns what the database or the way to it refuses into ErrUnavailable
// with advice, and leaves everything else as it is.
func explain(err error) error {
	if err == nil || errors.Is(err, fault.ErrUnavailable) {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, code := range []string{e.Code, e.Code[:min(2, len(e.Code))]} {
			if text, ok := advice[code]; ok {
				return fmt.Errorf("%w: %s (%w)", fault.ErrUnavailable, text, err)
			}
		}
		if again(err) {
			return fmt.Errorf("%w: others change the same all the time (%w)", fault.ErrUnavailable, err)
		}
		return err
	}
	if _, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fmt.Errorf("%w: the database cannot be reached; it must run and be reachable from here (%w)", fault.ErrUnavailable, err)
	}
	switch text := err.Error(); {
	case text == "closed pool":
		return errClosed
	case errors.Is(err, errLost), errors.Is(err, errAgain), pgconn.Timeout(err) && !errors.Is(err, context.Canceled), strings.Contains(text, "conn closed"):
		return fmt.Errorf("%w: the database does not answer (%w)", fault.ErrUnavailable, err)
	}
	return err
}

// taken reports whether err says that a row of that key is there already, and
// names the constraint that does.
func taken(err error) (constraint string, ok bool) {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || e.Code != uniqueViolation {
		return "", false
	}
	return e.ConstraintName, true
}

// isShutdown reports whether err ended the connection from the other side: it
// was shut down, or this side had been silent in a transaction for too long.
func isShutdown(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(e.Code, "57P") || e.Code == idleInTransaction)
}

// absent names the error of a row that is not there.
func absent(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.ErrNotFound
	}
	return err
}
