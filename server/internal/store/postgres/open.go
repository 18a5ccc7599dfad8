package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// connections is how many a node has at most, where the URL does not say
// pool_max_conns: a commit waits for the disk, and many wait together.
const connections = 32

// configure says how to connect.
func configure(url string) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err // without the password
	}
	if !strings.Contains(url, "pool_max_conns") {
		c.MaxConns = connections
	}
	c.MinConns = min(c.MaxConns, 4)
	// A pool that closes what is idle between two bursts opens it again in the
	// next one, which costs far more than the statement.
	c.MaxConnIdleTime = 30 * time.Minute
	c.MaxConnLifetime = 12 * time.Hour
	c.MaxConnLifetimeJitter = time.Hour
	c.ConnConfig.ConnectTimeout = cmp.Or(c.ConnConfig.ConnectTimeout, patience/2)
	// A peer that has vanished without a word is noticed within half a minute
	// also by who only listens to it.
	c.ConnConfig.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}).DialContext
	for name, value := range map[string]string{
		"application_name": "jotsmith",
		// The database gives up before this node does, and says so: then it is
		// certain that nothing was done, and the connection stays good.
		"lock_timeout":      "4s",
		"statement_timeout": "8s",
		// Whoever has vanished with locks in its hands.
		"idle_in_transaction_session_timeout": "5s",
		"default_transaction_isolation":       "read committed",
	} {
		if c.ConnConfig.RuntimeParams[name] == "" {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, durably)
		return err
	}
	return c, nil
}

// durably keeps what is answered from being lost in a crash, also where
// synchronous_commit is off for the user, the database or the server, or is
// turned off there later: what a session says itself goes before all these.
const durably = `SELECT set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'on'), false)`

// inspect refuses a database that could not keep what it is given.
func (s *Store) inspect(ctx context.Context) error {
	var encoding, readOnly string
	if err := s.pool.QueryRow(ctx, `SELECT current_setting('server_encoding'), current_setting('transaction_read_only')`).
		Scan(&encoding, &readOnly); err != nil {
		return err
	}
	switch {
	case readOnly != "off":
		return errReadOnly
	case encoding != "UTF8":
		return fmt.Errorf("%w: its encoding is %s; make one with UTF8: createdb --encoding=UTF8 --template=template0", fault.ErrUnavailable, encoding)
	}
	return nil
}

// identify reads the store's id and its time, and makes them and the feed's
// epoch where this is the first time.
func (s *Store) identify(ctx context.Context, accept bool) error {
	for _, q := range []string{
		`INSERT INTO store (one, id, mark) VALUES (1, $1, 0) ON CONFLICT DO NOTHING`,
		`INSERT INTO feed_head (one, epoch, n) VALUES (1, $1, 0) ON CONFLICT DO NOTHING`,
	} {
		if _, err := s.pool.Exec(ctx, q, strings.ToLower(rand.Text())); err != nil {
			return err
		}
	}
	if accept {
		s.log.Warn("going on from the database's clock, whatever it said before")
		if _, err := s.pool.Exec(ctx, `UPDATE store SET mark = `+databaseTime); err != nil {
			return err
		}
	}
	if err := s.pool.QueryRow(ctx, `SELECT id FROM store`).Scan(&s.id); err != nil {
		return err
	}
	if err := s.ask(ctx); err != nil {
		return err
	}
	if _, err := s.Now(); err != nil {
		return fmt.Errorf("%w, or, where it is right and its earlier time was wrong, start once with --dangerously-accept-clock", err)
	}
	return nil
}
