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
type clock struct {
	log *slog.Logger

	mu     sync.Mutex
	read   time.Time // ours, with its monotonic reading
	said   time.Time // what the database said then; zero before the first time
	high   time.Time // highest time that was handed out or that a node has seen
	behind bool
}

// set takes a measurement: the database said so when our clock said read, and
// mark is the highest time that any node has seen.
func (c *clock) set(read, said, mark time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.said = read, said
	if mark.After(c.high) && mark.Sub(said) > drift {
		c.high = mark
	}
}

// now answers the time in microseconds, or ErrClock.
func (c *clock) now() (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.said.Add(time.Since(c.read)).Truncate(time.Microsecond)
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
	before := time.Now()
	if err := conn.QueryRow(ctx, `SELECT `+databaseTime).Scan(&said); err != nil {
		return err
	}
	trip := time.Since(before)
	// Apart from that, since a commit takes its time.
	if err := conn.QueryRow(ctx, `UPDATE store SET mark = greatest(mark, $1) RETURNING mark`, said).Scan(&mark); err != nil {
		return err
	}
	s.clock.set(before.Add(trip/2), moment(said), moment(mark))
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
		}
		err := s.ask(s.over)
		if (err != nil) != failing && s.over.Err() == nil {
			failing = err != nil
			s.log.Warn("reading the database's clock", "failing", failing, "error", err)
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
