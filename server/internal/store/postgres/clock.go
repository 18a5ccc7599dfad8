package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/fault"
)

const (
	// drift is how far the database's clock may be behind what it said before
	// somebody has to look.
	drift = 2 * time.Second

	// measure is how often the database's clock is read.
	measure = 10 * time.Second
)

// A clock is the database's, read from afar: between two measurements it goes
// on with this node's monotonic clock, so that what the node's wall clock says
// is of no account. It never runs backwards.
//
// A machine that was suspended, or whose clock was set, shows that in the one of
// its two clocks that jumped. Which of them is right nobody here knows: nothing is
// decided until the database was asked again, which is at once.
type clock struct {
	log     *slog.Logger
	wall    func() time.Time     // this node's
	elapsed func() time.Duration // from its monotonic clock
	asks    chan struct{}        // wakes follow

	mu     sync.Mutex
	read   time.Duration // elapsed, when the database was asked
	shown  time.Time     // wall, then
	said   time.Time     // what the database said then; zero before the first time
	high   time.Time     // highest time that was handed out or that a node has seen
	behind bool
	jumped bool // this node's clock did, after the last measurement
}

func newClock(wall func() time.Time, log *slog.Logger) *clock {
	started := time.Now()
	return &clock{log: log, wall: wall, elapsed: func() time.Duration { return time.Since(started) }, asks: make(chan struct{}, 1)}
}

// set takes a measurement: the database said so when elapsed was read and wall
// was shown, and mark is the highest time that any node has seen.
func (c *clock) set(read time.Duration, shown, said, mark time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ahead := said.Sub(c.said.Add(read - c.read)); !c.said.IsZero() && !c.jumped && ahead > drift {
		c.log.Warn("the database's clock jumped ahead; the store's time follows", "by", ahead)
	}
	c.read, c.shown, c.said, c.jumped = read, shown.Round(0), said, false
	if mark.After(c.high) && mark.Sub(said) > drift {
		c.high = mark
	}
}

// now answers the time in microseconds, or ErrClock.
func (c *clock) now() (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	elapsed := c.elapsed() - c.read
	if off := c.wall().Round(0).Sub(c.shown) - elapsed; off > drift || off < -drift {
		if !c.jumped {
			c.log.Warn("this node's clock jumped, or the node slept; nothing is decided until the database's clock was read again", "by", off)
		}
		c.jumped = true
		wake(c.asks)
		return time.Time{}, fmt.Errorf("%w: this node's clock jumped by %v; the database's is being read again", fault.ErrClock, off.Round(time.Millisecond))
	}
	t := c.said.Add(elapsed).Truncate(time.Microsecond)
	late := c.high.Sub(t)
	if was := c.behind; was != (late > drift) {
		c.behind = !was
		if c.behind {
			c.log.Error("the database's clock is behind what it said before; nothing is decided until it has caught up", "behind", late)
		} else {
			c.log.Info("the database's clock has caught up with what it said before")
		}
	}
	if c.behind {
		return time.Time{}, fmt.Errorf("%w by %v; correct the clock of the database's machine", fault.ErrClock, late.Round(time.Millisecond))
	}
	if late < 0 {
		c.high = t
	}
	return c.high, nil
}

// databaseTime is the time of the database's clock in microseconds.
const databaseTime = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`

// ask reads the database's clock and raises the mark to it.
func (s *Store) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, measure/2)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	var said, mark int64
	before, shown := s.clock.elapsed(), s.clock.wall()
	if err := conn.QueryRow(ctx, `SELECT `+databaseTime).Scan(&said); err != nil {
		return err
	}
	trip := s.clock.elapsed() - before
	// Apart from that, since a commit takes its time.
	if err := conn.QueryRow(ctx, `UPDATE store SET mark = greatest(mark, $1) RETURNING mark`, said).Scan(&mark); err != nil {
		return err
	}
	s.clock.set(before+trip/2, shown.Add(trip/2), moment(said), moment(mark))
	return nil
}

// follow keeps up with the database's clock.
func (s *Store) follow() {
	tick := time.NewTicker(measure)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-s.over.Done():
			return
		case <-tick.C:
		case <-s.clock.asks:
		}
		err := s.ask(s.over)
		s.unwritten.Store(err != nil)
		if (err != nil) != failing && s.over.Err() == nil {
			failing = err != nil
			s.log.Warn("reading the database's clock", "failing", failing, "error", err)
		}
		if failing { // whoever asks for the time wakes this again at once
			select {
			case <-s.over.Done():
			case <-time.After(measure / 40):
			}
		}
	}
}

// micros is t as it stands in the database; 0 is the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// at scans a moment.
type at time.Time

func (t *at) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%w: a time is %T", errDamaged, src)
	}
	*t = at(moment(us))
	return nil
}

// span scans a duration that is kept in microseconds.
type span time.Duration

func (d *span) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%w: a duration is %T", errDamaged, src)
	}
	*d = span(time.Duration(us) * time.Microsecond)
	return nil
}
