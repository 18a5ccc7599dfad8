package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/feed"
)

// FeedSince reads the head and then the facts up to it. A head that can be seen
// was committed with all the facts before it, since whoever raises it holds it
// until the commit, so that the two statements see one state. The time is that
// just before: what was committed until then is in the answer.
func (s *Store) FeedSince(ctx context.Context, after uint64) (facts []feed.Fact, h feed.Head, now time.Time, err error) {
	if now, err = s.Now(); err != nil {
		return nil, h, now, err
	}
	err = s.read(ctx, func(t *tx) error {
		facts = nil
		if err := t.row(`SELECT epoch, n FROM feed_head`).Scan(&h.Epoch, &h.Position); err != nil || after >= h.Position {
			return err
		}
		return t.each(`SELECT kind, value, before_at, expires_at, position FROM fact
			WHERE position > $1 AND position <= $2 AND (expires_at = 0 OR expires_at > $3) ORDER BY position, kind, value`,
			func(row pgx.Rows) error {
				var f feed.Fact
				var kind int64
				if err := row.Scan(&kind, &f.Value, (*at)(&f.Before), (*at)(&f.Expires), &f.Position); err != nil {
					return err
				}
				f.Kind = jwt.FactKind(kind)
				facts = append(facts, f)
				return nil
			}, int64(after), int64(h.Position), micros(now))
	})
	return facts, h, now, err
}

// FeedStarts answers the starts by position.
func (s *Store) FeedStarts(ctx context.Context) (all []feed.Start, err error) {
	err = s.read(ctx, func(t *tx) error {
		all = nil
		return t.each(`SELECT after, added FROM feed_start ORDER BY after`, func(row pgx.Rows) error {
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
// The head is locked from here.
func (t *tx) startFeed() {
	if t.s.started.Load() || t.published {
		return
	}
	t.later(`SELECT n FROM feed_head FOR UPDATE`)
	t.later(`INSERT INTO feed_start (after, added)
		SELECT n, greatest(` + databaseTime + `, n + (SELECT coalesce(max(added), 0) FROM feed_start)) - n FROM feed_head`)
	t.later(`DELETE FROM feed_start WHERE after NOT IN (SELECT after FROM feed_start ORDER BY after DESC LIMIT $1)`, feed.MaxStarts)
}

// Publish publishes one fact.
func (s *Store) Publish(ctx context.Context, f feed.Fact, e audit.Event) error {
	return s.do(ctx, func(t *tx) error {
		if err := t.record(e); err != nil {
			return err
		}
		t.publish(f.Kind, f.Value, f.Before, f.Expires)
		return nil
	})
}

// publish writes one fact in a position of its own. The head is locked from
// here to the commit: nothing that waits for anything may come after it. A zero
// before is always, a zero expires never.
func (t *tx) publish(kind jwt.FactKind, value string, before, expires time.Time) {
	t.startFeed()
	t.later(`WITH head AS (UPDATE feed_head SET n = n + 1 RETURNING n)
		INSERT INTO fact (position, kind, value, before_at, expires_at) SELECT n, $1, $2, $3, $4 FROM head`,
		int64(kind), value, micros(before), micros(expires))
	t.published = true
}

// channel is where nodes tell each other that something was published.
const channel = "jotsmith_feed"

// tell wakes the other nodes after commits of this one. It comes after the
// commit and apart from it, so that a commit waits for nobody; a node that hears
// nothing looks by itself.
func (s *Store) tell() {
	for {
		select {
		case <-s.over.Done():
			return
		case <-s.published:
		}
		if s.tellToo != nil {
			s.tellToo()
		}
		ctx, cancel := context.WithTimeout(s.over, patience)
		if _, err := s.pool.Exec(ctx, `NOTIFY `+channel); err != nil && s.over.Err() == nil {
			s.log.Debug("telling other nodes of a revocation; they find it when they look next", "error", err)
		}
		cancel()
	}
}

// listen is woken by other nodes, for as long as the database knows how.
func (s *Store) listen() {
	for wait := time.Second; s.over.Err() == nil; wait = min(2*wait, 30*time.Second) {
		start := time.Now()
		err := s.hear()
		if time.Since(start) > time.Minute {
			wait = time.Second
		}
		if s.over.Err() == nil {
			s.log.Debug("not woken by other nodes; looking regularly instead", "error", err)
		}
		select {
		case <-s.over.Done():
		case <-time.After(wait):
		}
	}
}

func (s *Store) hear() error {
	c, err := pgx.ConnectConfig(s.over, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(s.over, `LISTEN `+channel); err != nil {
		return err
	}
	for {
		wake(s.committed) // also for what was missed until now
		if _, err := c.WaitForNotification(s.over); err != nil {
			return err
		}
	}
}
