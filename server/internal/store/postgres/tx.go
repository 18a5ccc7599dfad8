package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

const (
	// patience bounds one transition with all its attempts, also where the
	// database hangs. Nothing is begun in its second half.
	patience = 10 * time.Second

	// attempts bounds how often a transition is tried that was rolled back
	// because of others; the waits between them add up to about a second.
	attempts = 10

	// queue bounds how many wait for a connection. Who comes then is told at
	// once what he would be told after half of patience.
	queue = 2048
)

// A tx is what one transition may use of its transaction. Statements whose
// answers nobody needs are sent together with the next one whose answer
// somebody does, at last with the commit, so that each wait is one round trip.
type tx struct {
	s         *Store
	ctx       context.Context
	conn      *pgxpool.Conn
	now       time.Time // the store's time, see locked
	batch     pgx.Batch // not sent yet
	sent      bool
	published bool
}

// do runs f in a transaction and answers when that has been committed. An error
// of f undoes what f wrote. f is called again where the transaction was rolled
// back for no fault of its own.
func (s *Store) do(ctx context.Context, f func(*tx) error) error {
	return s.run(ctx, time.Now(), "BEGIN", f)
}

// snapshot lets f read one state of the database with several statements.
func (s *Store) snapshot(ctx context.Context, f func(*tx) error) error {
	return s.run(ctx, time.Now(), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", f)
}

// read lets f read; each statement sees what has been committed by then.
func (s *Store) read(ctx context.Context, f func(*tx) error) error {
	return s.run(ctx, time.Now(), "", f)
}

// run has patience from start on.
func (s *Store) run(ctx context.Context, start time.Time, begin string, f func(*tx) error) error {
	defer timing.Start(ctx, timing.Store).End()
	defer s.stats.latency.Since(start)
	for n := 0; ; n++ {
		err := s.attempt(ctx, start, begin, f)
		if err == nil || n == attempts || !again(err) || time.Since(start) > s.patience/2 {
			return explain(err)
		}
		s.stats.retries.Add(1)
		wait := rand.N(min(time.Millisecond<<n, 250*time.Millisecond))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.over.Done():
			return errClosed
		case <-time.After(wait):
		}
	}
}

// errLost says that the connection was lost before a commit was sent, and
// errAgain that somebody was faster and that the next attempt will find what
// they did.
var (
	errLost  = errors.New("the connection was lost")
	errAgain = errors.New("another transaction was faster")
)

// again reports whether err says that everything was rolled back for no fault
// of the transaction's own.
func again(err error) bool {
	if errors.Is(err, errLost) || errors.Is(err, errAgain) {
		return true
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == serializationFailure || e.Code == deadlockDetected)
}

func (s *Store) attempt(ctx context.Context, start time.Time, begin string, f func(*tx) error) error {
	if s.over.Err() != nil {
		return errClosed
	}
	now, err := s.clock.now()
	if err != nil && begin != "" {
		return err
	}
	conn, err := s.acquire(ctx, start)
	if err != nil {
		return err
	}
	// What has begun ends with an answer, also where its caller has gone.
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), start.Add(s.patience))
	defer cancel()
	t := &tx{s: s, ctx: ctx, conn: conn, now: now}
	defer t.release()
	if begin != "" {
		t.later(begin)
	}
	if err := f(t); err != nil {
		return t.lost(err)
	}
	if begin == "" || !t.sent && t.batch.Len() == 1 {
		return nil
	}
	if err := t.commit(); err != nil {
		return err
	}
	if t.published {
		s.started.Store(true)
		wake(s.committed)
		wake(s.published)
	}
	return nil
}

// acquire waits for a connection, in the first half of patience.
func (s *Store) acquire(ctx context.Context, start time.Time) (*pgxpool.Conn, error) {
	defer s.stats.waiting.Add(-1)
	if s.stats.waiting.Add(1) > queue {
		return nil, errBusy
	}
	waiting, cancel := context.WithDeadline(ctx, start.Add(s.patience/2))
	defer cancel()
	conn, err := s.pool.Acquire(waiting)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return nil, errBusy
	}
	return conn, err
}

// release gives the connection back, and rolls back what was not committed.
func (t *tx) release() {
	if c := t.conn.Conn(); !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
		if _, err := c.Exec(t.ctx, "ROLLBACK"); err != nil {
			c.Close(t.ctx)
		}
	}
	t.conn.Release()
}

// lost marks an error that left no connection.
func (t *tx) lost(err error) error {
	e, answered := errors.AsType[*pgconn.PgError](err)
	if answered && e.Code == readOnlyTransaction { // a primary that is one no more
		t.s.renew()
	}
	if t.conn.Conn().IsClosed() && t.ctx.Err() == nil {
		t.s.renew()
		if errors.Is(err, fault.ErrUncertain) {
			return err
		}
		if !answered || isShutdown(err) {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	}
	return err
}

// renew has the pool make its connections anew, at most once in a second: those
// that were made beside one that was lost probably are as well.
func (s *Store) renew() {
	now, last := time.Now().UnixNano(), s.renewed.Load()
	if now-last > int64(time.Second) && s.renewed.CompareAndSwap(last, now) {
		s.pool.Reset()
	}
}

func (t *tx) commit() error {
	t.batch.Queue("COMMIT")
	var tag pgconn.CommandTag
	err := t.flush(func(r pgx.BatchResults) (err error) {
		tag, err = r.Exec()
		return err
	})
	switch {
	case err == nil && tag.String() != "COMMIT":
		return fmt.Errorf("%w: the database answered %s to a commit", fault.ErrUnavailable, tag)
	case err == nil:
		return nil
	case pgconn.SafeToRetry(err):
		return t.lost(err)
	}
	return t.s.uncertain(err)
}

// uncertain counts what the caller cannot know.
func (s *Store) uncertain(err error) error {
	err = uncertain(err)
	if errors.Is(err, fault.ErrUncertain) {
		s.stats.uncertain.Add(1)
	}
	return err
}

// uncertain tells what the database refused from what it may have done.
func uncertain(err error) error {
	// Severity is in the language of the database, its other form is not.
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && cmp.Or(e.SeverityUnlocalized, e.Severity) == "ERROR" && e.Code != completionUnknown {
		return err
	}
	return fmt.Errorf("%w: %w", fault.ErrUncertain, err)
}

// later queues a statement whose answer nobody needs but for its error.
func (t *tx) later(query string, args ...any) { t.batch.Queue(query, args...) }

// flush sends what is queued; last reads the answer to the last statement.
func (t *tx) flush(last func(pgx.BatchResults) error) (err error) {
	batch := t.batch
	t.batch, t.sent = pgx.Batch{}, true
	r := t.conn.SendBatch(t.ctx, &batch)
	defer func() {
		if e := r.Close(); err == nil {
			err = e
		}
	}()
	for range batch.Len() - 1 {
		if _, err := r.Exec(); err != nil {
			return err
		}
	}
	return last(r)
}

// exec answers how many rows a statement has changed.
func (t *tx) exec(query string, args ...any) (n int64, err error) {
	t.later(query, args...)
	err = t.flush(func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// row reads one row, or pgx.ErrNoRows.
func (t *tx) row(query string, args ...any) row { return row{t, query, args} }

type row struct {
	t     *tx
	query string
	args  []any
}

func (r row) Scan(to ...any) error {
	r.t.later(r.query, r.args...)
	return r.t.flush(func(b pgx.BatchResults) error { return b.QueryRow().Scan(to...) })
}

// each hands every row to f.
func (t *tx) each(query string, f func(pgx.Rows) error, args ...any) error {
	t.later(query, args...)
	return t.flush(func(b pgx.BatchResults) error {
		rows, err := b.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := f(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// locked reads the time anew, once the transaction has waited for those whose
// rows it decides on: what it writes is later than what they wrote.
func (t *tx) locked() (err error) {
	t.now, err = t.s.clock.now()
	return err
}

// record writes e to the outbox.
func (t *tx) record(e audit.Event) error {
	r, err := e.Record(t.now)
	if err != nil {
		return err
	}
	t.later(`INSERT INTO audit_outbox (seq, id, at, what, who, what_salt, who_salt) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		t.s.nextSeq(t.now), r.ID, micros(r.At), bytes(r.What), bytes(r.Who), r.WhatSalt, r.WhoSalt)
	return nil
}

// bytes is b where a column may not be NULL.
func bytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// nextSeq orders the events of this node as they were recorded and those of all
// nodes by time, to about a microsecond.
func (s *Store) nextSeq(now time.Time) int64 {
	for {
		last := s.seq.Load()
		next := max(last+1, now.UnixMicro()<<10)
		if s.seq.CompareAndSwap(last, next) {
			return next
		}
	}
}
