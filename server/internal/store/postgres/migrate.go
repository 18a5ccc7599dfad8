package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/jotsmith/jotsmith/server/internal/store/schema"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

//go:embed migrations/*.sql
var files embed.FS

// migrations is what files holds.
func migrations() fs.FS {
	dir, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the name is a constant
	}
	return dir
}

var errNewer = errors.New("it was written by a newer version of jotsmith; run that version, or restore a backup that is older")

const (
	// lockPatience bounds how long a migration waits for a table that a long
	// transaction holds: everybody who comes later waits behind it.
	lockPatience = 2 * time.Second

	// lockTries is how often it comes back.
	lockTries = 20

	// away is how long whoever migrates may say nothing before the database takes
	// its machine for gone and lets the next one begin; it says something several
	// times in that time.
	away = 30 * time.Second
)

var errTaken = errors.New("the database took this node for gone and may let another one bring the tables up to date; start again")

// version reads the version of the tables, 0 where there are none yet.
func (s *Store) version(ctx context.Context) (version int64, err error) {
	var exists bool
	if err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'goose_db_version')`).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	err = s.pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&version)
	return version, err
}

// compatible refuses tables that a newer program made and that this one would
// do harm to. Most newer tables are not: during an upgrade, programs of both
// versions run beside each other.
func (s *Store) compatible(ctx context.Context, standing int64) error {
	if standing <= s.newest() {
		return nil
	}
	var oldest int64
	err := s.pool.QueryRow(ctx, `SELECT oldest FROM store`).Scan(&oldest)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if err != nil || oldest > s.newest() {
		return fmt.Errorf("%w (its tables have version %d, for programs that know %d or later; this one knows %d)", errNewer, standing, oldest, s.newest())
	}
	s.log.Info("the tables are those of a newer version, which this one can work with", "tables", standing, "known", s.newest())
	return nil
}

// upgrade brings the tables to the newest version where that is quick; what
// takes longer is left to an operator.
func (s *Store) upgrade(ctx context.Context) error {
	standing, err := s.version(ctx)
	if err != nil {
		return err
	}
	if standing >= s.newest() {
		return s.compatible(ctx, standing)
	}
	steps, err := s.pending(ctx, standing)
	if err != nil {
		return err
	}
	if takes := schema.Takes(steps); takes > schema.Quick {
		return fmt.Errorf("its tables have version %d and this program needs %d, which takes about %v while others wait; "+
			"see 'jotsmith migrate --dry-run', and run 'jotsmith migrate' when that suits", standing, s.newest(), takes.Round(time.Second))
	}
	return s.migrate(ctx, func(schema.Step, time.Duration) {})
}

// pending reads the migrations after a version, with the sizes of the tables.
func (s *Store) pending(ctx context.Context, standing int64) ([]schema.Step, error) {
	steps, err := schema.Pending(s.migrations, standing)
	if err != nil {
		return nil, err
	}
	return steps, schema.Count(ctx, steps, func(ctx context.Context, table string) (n int64, err error) {
		// The planner's estimate costs nothing, but is none for small tables.
		err = s.pool.QueryRow(ctx, `SELECT coalesce(max(reltuples), 0)::bigint FROM pg_class WHERE relname = $1 AND relkind = 'r'`, table).Scan(&n)
		if err != nil || n > 100_000 {
			return n, err
		}
		err = s.pool.QueryRow(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+pgx.Identifier{table}.Sanitize()+` LIMIT 1000000) t`).Scan(&n)
		return n, err
	})
}

// Plan says what Migrate would do to the database at a URL, and changes
// nothing. A database without tables has version 0.
func Plan(ctx context.Context, url string) (standing int64, steps []schema.Step, err error) {
	s, err := probe(ctx, url)
	if err != nil {
		return 0, nil, err
	}
	defer s.shut()
	if standing, err = s.version(ctx); err != nil {
		return 0, nil, explain(err)
	}
	if err := s.compatible(ctx, standing); err != nil {
		return standing, nil, explain(err)
	}
	steps, err = s.pending(ctx, standing)
	return standing, steps, explain(err)
}

// Migrate brings the tables to the newest version, however long that takes, and
// calls progress after each step with how long it took.
func Migrate(ctx context.Context, c Config, progress func(schema.Step, time.Duration)) error {
	s, err := probe(ctx, c.URL)
	if err != nil {
		return err
	}
	defer s.shut()
	if c.Log != nil {
		s.log = c.Log
	}
	if err = s.inspect(ctx); err == nil {
		err = s.migrate(ctx, progress)
	}
	return explain(err)
}

// probe connects, for whoever looks at a database that may not be ready to be
// worked with.
func probe(ctx context.Context, url string) (*Store, error) {
	s := &Store{log: slog.New(slog.DiscardHandler), migrations: migrations(), patience: patience, away: away}
	s.stats.latency = timing.NewLatency()
	s.over, s.stop = context.WithCancel(context.Background())
	config, err := configure(url)
	if err != nil {
		return nil, err
	}
	config.MinConns, config.MaxConns = 0, 2
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, explain(err)
	}
	return s, nil
}

func (s *Store) migrate(ctx context.Context, progress func(schema.Step, time.Duration)) error {
	ctx, unlock, err := s.lockTables(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	standing, err := s.version(ctx)
	if err != nil {
		return err
	}
	if standing >= s.newest() {
		return s.compatible(ctx, standing)
	}
	steps, err := schema.Pending(s.migrations, standing)
	if err != nil {
		return err
	}
	p, db, err := s.provider()
	if err != nil {
		return err
	}
	defer db.Close()
	defer s.pool.Reset() // what was prepared before may not fit any more
	for _, step := range steps {
		start := time.Now()
		if err := s.apply(ctx, p, step); err != nil {
			if errors.Is(context.Cause(ctx), errTaken) {
				err = errTaken
			}
			return fmt.Errorf("bringing the tables up to date: %s: %w", step.Name, err)
		}
		took := time.Since(start).Round(time.Millisecond)
		s.log.Info("brought the tables up to date", "step", step.Name, "of", s.newest(), "took", took)
		progress(step, took)
	}
	return nil
}

// provider answers what runs migrations, on connections of its own.
func (s *Store) provider() (*goose.Provider, *sql.DB, error) {
	config := s.pool.Config().ConnConfig.Copy()
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["lock_timeout"] = fmt.Sprint(lockPatience.Milliseconds())
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(noticeLoss))
	p, err := goose.NewProvider(goose.DialectPostgres, db, s.migrations,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		db.Close()
		return nil, nil, fmt.Errorf("reading migrations: %w", err)
	}
	return p, db, nil
}

// apply runs one migration, in a transaction of its own. Where a table is held
// by a long transaction it steps aside, so that those who wait behind it get on,
// and comes back.
func (s *Store) apply(ctx context.Context, p *goose.Provider, step schema.Step) error {
	for n := 1; ; n++ {
		_, err := p.ApplyVersion(ctx, step.Version, true)
		if err == nil || n == lockTries || !isHeld(err) {
			return err
		}
		s.log.Warn("a long transaction holds a table that is to be changed; trying again", "step", step.Name, "try", n)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second/2 + rand.N(time.Second)):
		}
	}
}

// newest is the version of the tables that this program knows.
func (s *Store) newest() (highest int64) {
	files, err := fs.Glob(s.migrations, "*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, f := range files {
		if n, err := goose.NumericComponent(f); err == nil {
			highest = max(highest, n)
		}
	}
	return highest
}
