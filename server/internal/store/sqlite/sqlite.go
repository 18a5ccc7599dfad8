// Package sqlite keeps everything in one SQLite file: accounts (see account),
// sessions (session), keys (keyring), revocations (feed), and the outbox and the
// chain of audit events (audit). It is meant for production on one node.
//
// One connection writes. Its goroutine lets the transitions of many callers
// share one transaction, each under a savepoint of its own, and answers them
// when that transaction is on the disk (WAL, synchronous=FULL). A few
// read-only connections answer what changes nothing. Sessions that were read are
// kept in memory until the writer changes them; nobody is answered an older row
// than one whose change was answered.
//
// The package decides nothing: whether a refresh succeeds or who may change an
// account is the business of the functions that are passed in and of the
// packages that call it. It does not keep a second process away from the file;
// the command locks the data directory.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/store/schema"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

var (
	_ account.Store = (*Store)(nil)
	_ session.Store = (*Store)(nil)
	_ keyring.Store = (*Store)(nil)
	_ catalog.Store = (*Store)(nil)
	_ app.Store     = (*Store)(nil)
	_ feed.Store    = (*Store)(nil)
	_ audit.Log     = (*Store)(nil)
)

// Config says where a store is and what time it is.
type Config struct {
	Path string           // of the database file; required, made where absent
	Now  func() time.Time // the wall clock; default time.Now
	Log  *slog.Logger     // default slog.Default

	// DangerouslyAcceptClock opens a store whose highest time lies ahead of
	// the wall clock, and goes on from the wall clock: times that were already
	// handed out are handed out again.
	DangerouslyAcceptClock bool
}

// A Store is safe for concurrent use.
type Store struct {
	path    string
	id      string
	clock   *clock
	log     *slog.Logger
	writer  *conn
	readers chan *conn
	file    *os.File // for fold; closing it would take away SQLite's locks on the file
	cache   cache

	jobs      chan *job
	patience  time.Duration // how long a batch takes more jobs
	closing   chan struct{}
	stopped   chan struct{}
	close     func() error
	committed chan struct{}
	failed    atomic.Bool // the last commit did
	busy      atomic.Bool // a transaction is open or being committed

	opened     time.Time
	lastCommit atomic.Int64 // nanoseconds since then
	stats      counters

	started  bool          // the writer's: something was published since Open
	unfolded int           // the writer's: rows changed since it woke fold
	wrote    chan struct{} // wakes fold; closed when the writer has stopped
	between  chan func()   // run by the writer when no transaction is open
	folded   chan struct{} // closed when fold has ended
}

// readers is the number of connections that read.
const readers = 4

// Open opens the store at c.Path and brings its tables up to date. What is no
// database of this program, is damaged, or was written by a newer version is
// refused with an error that says what to do, and is left as it is.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &Store{
		clock:     newClock(c.Now, c.Log),
		log:       c.Log,
		readers:   make(chan *conn, readers),
		jobs:      make(chan *job, maxBatch),
		patience:  maxWait,
		closing:   make(chan struct{}),
		stopped:   make(chan struct{}),
		committed: make(chan struct{}, 1),
		wrote:     make(chan struct{}, 1),
		between:   make(chan func()),
		folded:    make(chan struct{}),
		stats:     newCounters(),
		opened:    time.Now(),
	}
	s.close = sync.OnceValue(s.shut)
	if err := s.open(ctx, c); err != nil {
		s.disconnect(len(s.readers))
		return nil, fmt.Errorf("opening database %s: %w", c.Path, err)
	}
	return s, nil
}

// open connects and, as its last step, begins to work.
func (s *Store) open(ctx context.Context, c Config) (err error) {
	if s.path, err = locate(c.Path); err != nil {
		return err
	}
	standing, err := inspect(ctx, s.path)
	if err != nil {
		return explain(err)
	}
	if s.writer, err = prepare(ctx, s.path, standing, func(step schema.Step, took time.Duration) {
		if standing > 0 {
			s.log.Info("brought the tables up to date", "step", step.Name, "of", newest(), "took", took)
		}
	}); err != nil {
		return explain(err)
	}
	mark, err := s.identify()
	if err != nil {
		return explain(err)
	}
	if err := s.clock.start(mark, c.DangerouslyAcceptClock); err != nil {
		return err
	}
	if c.DangerouslyAcceptClock {
		if _, err := s.writer.exec(`UPDATE store SET mark = ?`, micros(c.Now())); err != nil {
			return explain(err)
		}
	}
	for range readers {
		r, err := connect(ctx, s.path, reading)
		if err != nil {
			return explain(err)
		}
		s.readers <- r
	}
	if s.file, err = os.OpenFile(s.path, os.O_RDWR, 0); err != nil {
		return err
	}
	folder, err := connect(ctx, s.path, writing)
	if err != nil {
		return explain(err)
	}
	go s.write()
	go s.fold(folder)
	return nil
}

// Close commits what has been handed over, refuses what comes later with
// ErrUnavailable, and closes the file. Only the first call does anything.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	close(s.closing)
	<-s.stopped
	<-s.folded
	return s.disconnect(readers)
}

// disconnect closes n readers, waiting for those at work, then the writer,
// which as the last one folds the log into the file, and at last the file.
func (s *Store) disconnect(n int) error {
	var errs []error
	for range n {
		errs = append(errs, (<-s.readers).close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.file != nil {
		errs = append(errs, s.file.Close())
	}
	return errors.Join(errs...)
}

// Now answers the store's time: the wall clock, but never earlier than any
// time that was written. ErrClock while the wall clock is more than 2 s behind
// that.
func (s *Store) Now() (time.Time, error) { return s.clock.now() }

// Committed receives after a transaction that published a revocation has
// been committed. Several may share one wake-up.
func (s *Store) Committed() <-chan struct{} { return s.committed }

// Check says why the store cannot do its work now, if it cannot. Where the
// last commit failed, or is long ago, it makes another one, so that a disk that
// is full or cannot be written is noticed before somebody needs it, and one that
// was given room, too. A commit that the disk does not answer is waited for by
// whoever asks meanwhile.
func (s *Store) Check(ctx context.Context) error {
	if _, err := s.Now(); err != nil {
		return err
	}
	if s.failed.Load() || s.busy.Load() || time.Since(s.opened)-time.Duration(s.lastCommit.Load()) > commitEvery {
		return s.do(ctx, func(t *tx) error { t.wrote = true; return nil })
	}
	return s.read(ctx, func(r *conn) error {
		var one int
		return r.row(`SELECT one FROM store`).Scan(&one)
	})
}

// commitEvery is how often a check commits where nobody else does.
const commitEvery = 10 * time.Second

// Integrity reads the whole file and says what is damaged. It takes as long as
// reading the file takes.
func (s *Store) Integrity(ctx context.Context) error {
	return s.read(ctx, func(r *conn) error { return r.check(ctx, `PRAGMA integrity_check(3)`) })
}

func (s *Store) isClosed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// read lends a reading connection to f.
func (s *Store) read(ctx context.Context, f func(*conn) error) error {
	defer timing.Start(ctx, timing.Store).End()
	if s.isClosed() {
		return errClosed
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return errClosed
	case r := <-s.readers:
		defer func() { s.readers <- r }()
		return explain(f(r))
	}
}

var errClosed = fmt.Errorf("%w: the database is closed", fault.ErrUnavailable)
