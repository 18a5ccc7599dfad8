package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/feed"
)

func (c *conn) head() (h feed.Head, err error) {
	err = c.row(`SELECT epoch, n FROM feed_head`).Scan(&h.Epoch, &h.Position)
	return h, err
}

// FeedSince reads facts and head as of one moment. The time is that just
// before: what was committed until then is in the answer.
func (s *Store) FeedSince(ctx context.Context, after uint64) (facts []feed.Fact, h feed.Head, now time.Time, err error) {
	if now, err = s.Now(); err != nil {
		return nil, h, now, err
	}
	err = s.read(ctx, func(c *conn) error {
		return c.snapshot(func() error {
			if h, err = c.head(); err != nil || after >= h.Position {
				return err
			}
			return c.each(`SELECT kind, value, before_at, expires_at, position FROM fact WHERE position > ? AND (expires_at = 0 OR expires_at > ?) ORDER BY position, kind, value`,
				func(row scanner) error {
					var f feed.Fact
					if err := row.Scan(&f.Kind, &f.Value, (*at)(&f.Before), (*at)(&f.Expires), &f.Position); err != nil {
						return err
					}
					facts = append(facts, f)
					return nil
				}, int64(after), micros(now))
		})
	})
	return facts, h, now, err
}

// FeedStarts answers the starts by position.
func (s *Store) FeedStarts(ctx context.Context) (all []feed.Start, err error) {
	err = s.read(ctx, func(c *conn) error {
		return c.each(`SELECT after, added FROM feed_start ORDER BY after`, func(row scanner) error {
			var one feed.Start
			err := row.Scan(&one.After, &one.Added)
			all = append(all, one)
			return err
		})
	})
	return all, err
}

// startFeed comes before the first position that this store takes since it was
// opened, in one transaction with it: what follows is told in numbers of its own.
func (t *tx) startFeed() error {
	if t.started || t.published {
		return nil
	}
	if _, err := t.exec(`INSERT INTO feed_start (after, added)
		SELECT n, max(?, n + (SELECT coalesce(max(added), 0) FROM feed_start)) - n FROM feed_head`, micros(t.now)); err != nil {
		return fmt.Errorf("starting the feed: %w", err)
	}
	if _, err := t.exec(`DELETE FROM feed_start WHERE after NOT IN (SELECT after FROM feed_start ORDER BY after DESC LIMIT ?)`, feed.MaxStarts); err != nil {
		return fmt.Errorf("starting the feed: %w", err)
	}
	return nil
}

// Publish publishes one fact.
func (s *Store) Publish(ctx context.Context, f feed.Fact, e audit.Event) error {
	return s.do(ctx, func(t *tx) error {
		if err := t.record(e); err != nil {
			return err
		}
		return t.publish(f.Kind, f.Value, f.Before, f.Expires)
	})
}

// snapshot lets f read one state of the database with several statements. It
// ends however f does: a connection that went on with that state would never
// see a later revocation.
func (c *conn) snapshot(f func() error) error {
	if _, err := c.exec(`BEGIN`); err != nil {
		return err
	}
	defer c.exec(`ROLLBACK`) // nothing was written
	return f()
}
