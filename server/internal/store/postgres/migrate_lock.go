package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// lockTables holds a row, in a transaction that changes nothing, until it is
// let go or the node dies. Of nodes that start at once, one does the work and the
// others wait here. Held ends with errTaken where the database gave the lock away.
func (s *Store) lockTables(ctx context.Context) (held context.Context, unlock func(), err error) {
	// Two at once may both find that there is no such table.
	for range attempts {
		_, err = s.pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_lock (one INTEGER PRIMARY KEY)`)
		if err == nil || !isThere(err) {
			break
		}
	}
	if err == nil {
		_, err = s.pool.Exec(ctx, `INSERT INTO schema_lock (one) VALUES (1) ON CONFLICT DO NOTHING`)
	}
	if err != nil {
		return nil, nil, err
	}
	for said := (time.Time{}); ; {
		lock, err := s.pool.Begin(ctx)
		if err != nil {
			return nil, nil, err
		}
		// The migrations run on another connection meanwhile, for as long as they
		// take. A machine that has vanished says nothing on this one.
		_, err = lock.Exec(ctx, fmt.Sprintf(`SET LOCAL idle_in_transaction_session_timeout = %d`, s.away.Milliseconds()))
		if err == nil {
			_, err = lock.Exec(ctx, `SET LOCAL application_name = 'jotsmith migrate'`)
		}
		if err == nil {
			_, err = lock.Exec(ctx, `SELECT one FROM schema_lock FOR UPDATE`)
		}
		if err == nil {
			held, unlock = s.keep(ctx, lock)
			return held, unlock, nil
		}
		lock.Rollback(context.WithoutCancel(ctx))
		if !isHeld(err) {
			return nil, nil, err
		}
		if time.Since(said) > time.Minute {
			said = time.Now()
			s.sayHolder(ctx)
		}
	}
}

// keep says something on the connection that holds the lock now and then, so
// that the database knows that somebody is there.
func (s *Store) keep(ctx context.Context, lock pgx.Tx) (held context.Context, unlock func()) {
	held, lose := context.WithCancelCause(ctx)
	over, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(s.away / 5)
		defer tick.Stop()
		for {
			select {
			case <-over.Done():
				return
			case <-tick.C:
			}
			beat, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.away)
			_, err := lock.Exec(beat, `SELECT 1`)
			cancel()
			if err != nil {
				lose(errTaken)
				return
			}
		}
	}()
	return held, func() {
		stop()
		<-done
		lock.Rollback(context.WithoutCancel(ctx))
		lose(nil)
	}
}

// sayHolder logs for whom this node waits, and what to do where that one will
// not come back.
func (s *Store) sayHolder(ctx context.Context) {
	var pid int
	var name, from string
	var since time.Time
	// Whoever waits for the row has locked the table like its holder, and waits.
	err := s.pool.QueryRow(ctx, `SELECT a.pid, coalesce(a.application_name, ''), coalesce(host(a.client_addr), 'its own machine'), coalesce(a.xact_start, now())
		FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.relation = 'schema_lock'::regclass AND l.mode = 'RowShareLock' AND l.granted AND a.wait_event_type IS DISTINCT FROM 'Lock'
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		ORDER BY a.xact_start LIMIT 1`).Scan(&pid, &name, &from, &since)
	if err != nil { // it has just ended, or this engine does not tell
		s.log.Warn("waiting for another node, which brings the tables up to date")
		return
	}
	s.log.Warn("waiting for another node, which brings the tables up to date; where its machine is gone, the database notices by itself",
		"pid", pid, "application", name, "address", from, "since", since.UTC().Format(time.RFC3339), "notices_after", s.away.String(),
		"to_end_it_now", fmt.Sprintf("SELECT pg_terminate_backend(%d)", pid))
}

// noticeLoss has the database notice within half a minute that the other end of
// a connection has vanished, also while a statement runs: it would else hold its
// tables until that is done. What an engine does not know is left out.
func noticeLoss(ctx context.Context, c *pgx.Conn) error {
	for name, value := range map[string]string{
		"tcp_keepalives_idle": "15", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
		"client_connection_check_interval": "5s",
	} {
		if _, err := c.Exec(ctx, `SELECT set_config($1, $2, false)`, name, value); err != nil {
			if _, ok := errors.AsType[*pgconn.PgError](err); !ok {
				return err
			}
		}
	}
	return nil
}

// isThere reports whether err says that somebody else has just made the same.
func isThere(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == uniqueViolation || e.Code == duplicateTable || e.Code == duplicateObject)
}

// isHeld reports whether err says that somebody else kept a lock for too long.
func isHeld(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == lockNotAvailable || e.Code == queryCanceled)
}
