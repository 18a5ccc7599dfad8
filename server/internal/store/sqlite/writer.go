package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// A batch takes whoever comes while it runs, up to these bounds: they keep the
// first one of it from waiting for ever.
const (
	maxBatch = 256
	maxWait  = 5 * time.Millisecond
)

// A tx is what one job may use of the transaction that it shares with others.
type tx struct {
	c         *conn
	now       time.Time // the store's time of this job
	savepoint bool      // the job has written
	wrote     bool      // somebody in this transaction has
	rows      int       // that it has changed, so far
	started   bool      // something was published before this transaction
	published bool
	touched   touched
}

// exec runs a statement that changes something, under the job's savepoint.
func (t *tx) exec(query string, args ...any) (int64, error) {
	if err := t.beginJob(); err != nil {
		return 0, err
	}
	n, err := t.c.exec(query, args...)
	t.rows += int(n)
	return n, err
}

// each is exec of a statement that answers the rows that it changes.
func (t *tx) each(query string, f func(scanner) error, args ...any) error {
	if err := t.beginJob(); err != nil {
		return err
	}
	return t.c.each(query, func(row scanner) error {
		t.rows++
		return f(row)
	}, args...)
}

// beginJob begins the job's savepoint, once.
func (t *tx) beginJob() error {
	if t.savepoint {
		return nil
	}
	if _, err := t.c.exec(`SAVEPOINT job`); err != nil {
		return err
	}
	t.savepoint, t.wrote = true, true
	return nil
}

// only runs the one statement that a job writes. It needs no savepoint, since
// a statement that fails undoes itself.
func (t *tx) only(query string, args ...any) error {
	t.wrote = true
	t.rows++
	_, err := t.c.exec(query, args...)
	return err
}

// record writes e to the outbox.
func (t *tx) record(e audit.Event) error {
	r, err := e.Record(t.now)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO audit_outbox (id, at, what, who, what_salt, who_salt) VALUES (?, ?, ?, ?, ?, ?)`,
		r.ID, micros(r.At), r.What, r.Who, r.WhatSalt, r.WhoSalt)
	return err
}

// A job is one transition on its way through the writer.
type job struct {
	run      func(*tx) error
	state    atomic.Int32
	err      error
	panicked any
	done     chan struct{}
}

// A job is waiting until either the writer takes it or its caller gives up.
const (
	waiting int32 = iota
	begun
	abandoned
)

// do has the writer run f and answers when the transaction has been committed.
// An error of f undoes what f wrote and nothing else. Once f has begun, do
// waits for the end, so that f may use the caller's variables; a panic of f
// goes on in the caller.
func (s *Store) do(ctx context.Context, f func(*tx) error) error {
	defer timing.Start(ctx, timing.Store).End()
	j := &job{run: f, done: make(chan struct{})}
	select {
	case <-s.closing:
		return errClosed
	default:
	}
	select {
	case s.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return errClosed
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, abandoned) {
			return ctx.Err()
		}
		<-j.done
	case <-s.stopped:
		// Handed over just when the writer looked for the last time.
		if j.state.CompareAndSwap(waiting, abandoned) {
			return errClosed
		}
		<-j.done
	}
	if j.panicked != nil {
		panic(j.panicked)
	}
	return j.err
}

// write is the writer's goroutine.
func (s *Store) write() {
	defer close(s.wrote)
	defer close(s.stopped)
	for {
		select {
		case j := <-s.jobs:
			s.batch(j)
		case f := <-s.between:
			f()
		case <-s.closing:
			select {
			case j := <-s.jobs:
				s.batch(j)
			default:
				return
			}
		}
	}
}

// batch runs first and whoever else is waiting in one transaction, commits it,
// and answers them all.
func (s *Store) batch(first *job) {
	t := &tx{c: s.writer, started: s.started}
	s.busy.Store(true)
	defer s.busy.Store(false)
	start := time.Now()
	_, err := s.writer.exec(`BEGIN IMMEDIATE`)
	var ran []*job
	for j := first; j != nil; j = s.next(len(ran), start) {
		if !j.state.CompareAndSwap(waiting, begun) {
			continue
		}
		ran = append(ran, j)
		if err == nil {
			err = s.attempt(t, j)
		}
	}
	if err == nil && t.wrote {
		t.rows++
		_, err = s.writer.exec(`UPDATE store SET mark = max(mark, ?)`, micros(t.now))
	}
	if err == nil {
		_, err = s.writer.exec(`COMMIT`)
	}
	s.settle(t, ran, err)
	s.stats.observe(len(ran), start)
}

// next is another job for the batch, nil where it is full or nobody waits.
func (s *Store) next(n int, start time.Time) *job {
	if n >= maxBatch || time.Since(start) > s.patience {
		return nil
	}
	select {
	case j := <-s.jobs:
		return j
	default:
		return nil
	}
}

// attempt runs one job. Its own error is kept in the job; the error that it
// answers is one of the transaction.
func (s *Store) attempt(t *tx, j *job) error {
	t.savepoint = false
	now, err := s.clock.now()
	if err != nil {
		j.err = err
		return nil
	}
	t.now = now
	published := t.published
	j.err = j.protected(t)
	if !t.savepoint {
		if ends(j.err) {
			return j.err
		}
		return nil
	}
	if j.err != nil {
		t.published = published
		if _, err := t.c.exec(`ROLLBACK TO job`); err != nil {
			// SQLite has given the whole transaction up, as it does when the
			// disk is full or fails; then the job's error is the cause.
			return fmt.Errorf("%w (then: %v)", j.err, err)
		}
	}
	_, err = t.c.exec(`RELEASE job`)
	return err
}

var errPanic = errors.New("panic in a transition")

func (j *job) protected(t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			j.panicked, err = p, errPanic
		}
	}()
	return explain(j.run(t))
}

// settle answers everybody in the batch. Where the transaction failed, none of
// it is kept, whoever's fault it was. (Should the machine die between a sync
// that failed and the next commit, the log may still hold it whole; then it is
// as if its answers had been lost on the way.)
func (s *Store) settle(t *tx, ran []*job, err error) {
	if err != nil {
		s.writer.exec(`ROLLBACK`) // an error says that SQLite has done so
		err = explain(err)
		if !errors.Is(err, fault.ErrUnavailable) {
			err = fmt.Errorf("%w: committing: %w", fault.ErrUnavailable, err)
		}
		s.log.Error("a transaction could not be committed", "callers", len(ran), "error", err)
		for _, j := range ran {
			j.err = err
		}
	}
	if t.wrote || err != nil {
		s.failed.Store(err != nil)
		s.lastCommit.Store(int64(time.Since(s.opened)))
	}
	s.cache.forget(t.touched)
	if err == nil && t.published {
		s.started = true
		wake(s.committed)
	}
	if s.unfolded += t.rows; s.unfolded >= foldAfter {
		s.unfolded = 0
		wake(s.wrote)
	}
	for _, j := range ran {
		close(j.done)
	}
}

// wake leaves a mark in c for whoever receives next.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
