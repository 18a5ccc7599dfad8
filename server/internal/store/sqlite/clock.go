package sqlite

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// drift is how far the wall clock may be off before somebody has to look.
const drift = 2 * time.Second

// A clock is the store's time: it never runs backwards, not even over a
// restart. While the wall clock is a little behind, it stands still.
type clock struct {
	wall    func() time.Time
	elapsed func() time.Duration // from the monotonic clock
	log     *slog.Logger

	mu     sync.Mutex
	high   time.Time     // highest time handed out or found in the file
	offset time.Duration // of the wall clock against elapsed, as measured last
	leapt  time.Duration // ahead at once, in all
	behind bool          // the wall clock was more than drift behind at last
}

func newClock(wall func() time.Time, log *slog.Logger) *clock {
	started := time.Now()
	return &clock{wall: wall, elapsed: func() time.Duration { return time.Since(started) }, log: log}
}

// read answers the wall clock in microseconds and how far it has jumped ahead
// of the monotonic clock since the last reading.
func (c *clock) read() (t time.Time, jump time.Duration) {
	t = c.wall().UTC().Truncate(time.Microsecond)
	was := c.offset
	c.offset = time.Duration(t.UnixNano()) - c.elapsed()
	return t, c.offset - was
}

// start begins at mark, the highest time in the file.
func (c *clock) start(mark int64, accept bool) error {
	now, _ := c.read()
	c.high = moment(mark)
	late := c.high.Sub(now)
	switch {
	case mark == 0 || late <= drift:
		return nil
	case accept:
		c.log.Warn("going on from the wall clock, which is behind the database", "behind", late, "database_time", c.high)
		c.high = time.Time{}
		return nil
	}
	return fmt.Errorf("%w by %v: it says %s and the database was written at %s; correct the clock, or, where the clock is right and that time was wrong, start once with --dangerously-accept-clock",
		fault.ErrClock, late.Round(time.Millisecond), now.Format(time.RFC3339), c.high.Format(time.RFC3339))
}

// now answers the time in microseconds, or ErrClock.
func (c *clock) now() (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, jump := c.read()
	if jump > drift || jump < -drift {
		c.leapt = max(c.leapt+jump, 0)
	}
	if jump > drift {
		c.log.Warn("the wall clock jumped ahead; the store's time follows", "by", jump)
	}
	late := c.high.Sub(t)
	if was := c.behind; was != (late > drift) {
		c.behind = !was
		if c.behind {
			c.log.Error("the wall clock is behind the store's time; nothing is decided until it has caught up", "behind", late)
		} else {
			c.log.Info("the wall clock has caught up with the store's time")
		}
	}
	if c.behind {
		return time.Time{}, fmt.Errorf("%w by %v; correct the clock", fault.ErrClock, late.Round(time.Millisecond))
	}
	if late < 0 {
		c.high = t
	}
	return c.high, nil
}

// doubted is by how much the wall clock has jumped ahead since the store was
// opened. Nobody knows whether it was right before or is right now.
func (c *clock) doubted() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leapt
}

// micros is t as it stands in the file; 0 is the zero time.
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

// span reads a duration that is kept in microseconds.
type span time.Duration

func (d *span) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("%w: a duration is %T", errDamaged, src)
	}
	*d = span(time.Duration(us) * time.Microsecond)
	return nil
}
