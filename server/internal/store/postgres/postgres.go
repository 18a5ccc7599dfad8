// Package postgres keeps everything in one PostgreSQL database that many nodes
// share: accounts (see account), sessions (session), keys (keyring), revocations
// (feed), and the outbox and the chain of audit events (audit).
//
// Each transition is one transaction, which locks the rows that it decides on
// before it reads them; the plain rotation of a refresh token is one statement
// (see [Store.RotateSession]). Nothing is kept in memory but the distance of the
// database's clock from this node's. Those who ask for sessions at the same time
// share a statement, which is sent after the last of them asked. Statements keep to what the engines that
// speak PostgreSQL's protocol share: no sequences, no advisory locks, no stored
// code. Where two transactions collide, the one that was rolled back is run
// again; where an answer was lost on its way, the caller is told
// fault.ErrUncertain and nothing is run again.
//
// The package decides nothing: whether a refresh succeeds or who may change an
// account is the business of the functions that are passed in, which may be
// called more than once, and of the packages that call it.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
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

	_ session.Rotator  = (*Store)(nil)
	_ account.Importer = (*Store)(nil)
)

// Config says where a store is.
type Config struct {
	URL string       // postgres://…, or keywords and values; required
	Log *slog.Logger // default slog.Default

	// DangerouslyAcceptClock opens a store whose highest time lies ahead of
	// the database's clock, and goes on from that clock: times that were
	// already handed out are handed out again.
	DangerouslyAcceptClock bool

	// Published is told after commits of this node that published a
	// revocation, for whoever has another way to wake the others; it must not
	// wait. Several commits may be told as one. May be nil.
	Published func()

	// Others than its own, in tests.
	migrations fs.FS
	patience   time.Duration
	wall       func() time.Time
}

// A Store is safe for concurrent use.
type Store struct {
	pool  *pgxpool.Pool
	id    string
	clock *clock
	log   *slog.Logger

	migrations fs.FS
	patience   time.Duration // patience, but in tests
	away       time.Duration // away, but in tests

	questions questions // of Session

	started   atomic.Bool  // something was published since Open
	seq       atomic.Int64 // of the last event that was recorded
	renewed   atomic.Int64 // when the pool was, in nanoseconds since the epoch
	unwritten atomic.Bool  // the last reading of the clock failed, which is a commit
	stats     counters
	committed chan struct{}
	published chan struct{} // wakes tell
	tellToo   func()        // Config.Published

	work  sync.WaitGroup
	stop  context.CancelFunc
	over  context.Context // ends with Close
	close func() error
}

// Open connects to the database at c.URL and brings its tables up to date. A
// database that a newer version wrote to, that may not be written or that loses
// what it answered is refused with an error that says what to do. No error and
// no line of the log holds the password.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.migrations == nil {
		c.migrations = migrations()
	}
	s := &Store{log: c.Log, migrations: c.migrations, patience: cmp.Or(c.patience, patience), away: away, committed: make(chan struct{}, 1), published: make(chan struct{}, 1), tellToo: c.Published}
	if c.wall == nil {
		c.wall = time.Now
	}
	s.clock = newClock(c.wall, c.Log)
	s.stats.latency = timing.NewLatency()
	s.over, s.stop = context.WithCancel(context.Background())
	s.close = sync.OnceValue(s.shut)
	if err := s.open(ctx, c); err != nil {
		s.Close()
		return nil, fmt.Errorf("opening database: %w", explain(err))
	}
	return s, nil
}

// open connects and, as its last step, begins to work.
func (s *Store) open(ctx context.Context, c Config) error {
	config, err := configure(c.URL)
	if err != nil {
		return err
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	if err := s.inspect(ctx); err != nil {
		return err
	}
	if err := s.upgrade(ctx); err != nil {
		return err
	}
	if err := s.identify(ctx, c.DangerouslyAcceptClock); err != nil {
		return err
	}
	s.work.Go(s.follow)
	s.work.Go(s.listen)
	s.work.Go(s.tell)
	return nil
}

// Close waits for what is under way and closes the connections; what comes
// later is refused with ErrUnavailable. Only the first call does anything.
func (s *Store) Close() error { return s.close() }

func (s *Store) shut() error {
	s.stop()
	s.work.Wait()
	if s.pool != nil {
		s.pool.Close()
	}
	return nil
}

// Now answers the store's time: the database's clock, but never earlier than
// any time that this node handed out. ErrClock while the database's clock is
// more than 2 s behind any time of it that a node has seen.
func (s *Store) Now() (time.Time, error) { return s.clock.now() }

// Committed receives after a transaction that published a revocation has been
// committed, on whichever node. Several may share one wake-up.
func (s *Store) Committed() <-chan struct{} { return s.committed }

// Check says why the store cannot do its work now, if it cannot. Where the last
// reading of the clock failed, which is a commit, it makes another one, so that a
// database that answers and does not commit, such as one that waits for a standby
// which is away, is noticed, and one that commits again, too.
func (s *Store) Check(ctx context.Context) error {
	if _, err := s.Now(); err != nil {
		return err
	}
	if s.unwritten.Load() {
		if err := s.ask(ctx); err != nil {
			return explain(err)
		}
		s.unwritten.Store(false)
	}
	return s.read(ctx, func(t *tx) error {
		var readOnly string
		if err := t.row(`SELECT current_setting('transaction_read_only')`).Scan(&readOnly); err != nil {
			return err
		}
		if readOnly != "off" {
			return errReadOnly
		}
		return nil
	})
}

var (
	errClosed   = fmt.Errorf("%w: the database is closed", fault.ErrUnavailable)
	errReadOnly = fmt.Errorf("%w: the database is read-only; connect to the primary, such as with target_session_attrs=read-write", fault.ErrUnavailable)
	errDamaged  = errors.New("the database holds what was never written to it; restore a backup")
)

// wake leaves a mark in c for whoever receives next.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
