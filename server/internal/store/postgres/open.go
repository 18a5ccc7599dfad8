package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/jotsmith/jotsmith/server/internal/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

var errNewer = errors.New("it was written by a newer version of jotsmith; run that version, or restore a backup that is older")

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
	for name, value := range map[string]string{
		"application_name": "jotsmith",
		// Whoever has vanished with locks in its hands.
		"idle_in_transaction_session_timeout": "20s",
		"statement_timeout":                   "20s",
		"default_transaction_isolation":       "read committed",
	} {
		if c.ConnConfig.RuntimeParams[name] == "" {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
	return c, nil
}

// inspect refuses a database that could not keep what it is given.
func (s *Store) inspect(ctx context.Context) error {
	var encoding, synchronous, readOnly string
	if err := s.pool.QueryRow(ctx, `SELECT current_setting('server_encoding'), current_setting('synchronous_commit'), current_setting('transaction_read_only')`).
		Scan(&encoding, &synchronous, &readOnly); err != nil {
		return err
	}
	switch {
	case readOnly != "off":
		return errReadOnly
	case encoding != "UTF8":
		return fmt.Errorf("%w: its encoding is %s; make one with UTF8: createdb --encoding=UTF8 --template=template0", fault.ErrUnavailable, encoding)
	case synchronous == "off":
		return fmt.Errorf("%w: synchronous_commit is off, so that a crash would take what was answered; turn it on for this user or database", fault.ErrUnavailable)
	}
	return nil
}

// version reads the version of the tables, 0 where there are none yet.
func (s *Store) version(ctx context.Context) (version int64, err error) {
	var exists bool
	if err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'goose_db_version')`).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&version)
	return version, err
}

// upgrade brings the tables to the newest version. Nodes that start at once wait
// for the one that does it.
func (s *Store) upgrade(ctx context.Context) error {
	standing, err := s.version(ctx)
	switch newest := newest(); {
	case err != nil:
		return err
	case standing > newest:
		return fmt.Errorf("%w (its tables have version %d, this program knows %d)", errNewer, standing, newest)
	case standing == newest:
		return nil
	}
	unlock, err := s.lockTables(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.migrate(ctx)
}

// lockTables holds a row, in a transaction that changes nothing, until it is
// let go or the node dies.
func (s *Store) lockTables(ctx context.Context) (unlock func(), err error) {
	// Two at once may both find that there is no such table.
	for range attempts {
		_, err = s.pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_lock (one INTEGER PRIMARY KEY)`)
		if _, lost := taken(err); err == nil || !lost {
			break
		}
	}
	if err == nil {
		_, err = s.pool.Exec(ctx, `INSERT INTO schema_lock (one) VALUES (1) ON CONFLICT DO NOTHING`)
	}
	if err != nil {
		return nil, err
	}
	lock, err := s.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	// Tables with many rows take longer than the time-outs for callers allow.
	if _, err = lock.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err == nil {
		if _, err = lock.Exec(ctx, `SET LOCAL statement_timeout = 0`); err == nil {
			_, err = lock.Exec(ctx, `SELECT one FROM schema_lock FOR UPDATE`)
		}
	}
	if err != nil {
		lock.Rollback(context.WithoutCancel(ctx))
		return nil, err
	}
	return func() { lock.Rollback(context.WithoutCancel(ctx)) }, nil
}

func (s *Store) migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	config := s.pool.Config().ConnConfig.Copy()
	config.RuntimeParams["statement_timeout"] = "0"
	db := stdlib.OpenDB(*config)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, dir,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	defer s.pool.Reset() // what was prepared before may not fit any more
	start := time.Now()
	done, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("bringing the tables up to date: %w", err)
	}
	if len(done) > 0 {
		s.log.Info("brought the tables up to date", "version", done[len(done)-1].Source.Version, "took", time.Since(start).Round(time.Millisecond))
	}
	return nil
}

// newest is the version of the tables that this program knows.
func newest() int64 {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	highest := int64(0)
	for _, f := range files {
		if n, err := goose.NumericComponent(f); err == nil {
			highest = max(highest, n)
		}
	}
	return highest
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
