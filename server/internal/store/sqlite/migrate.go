package sqlite

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/jotsmith/jotsmith/server/internal/store/schema"
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

// newest is the version of the tables that this program knows.
func newest() int64 {
	steps, err := schema.Pending(migrations(), 0)
	if err != nil {
		panic(err) // they are part of the program
	}
	return steps[len(steps)-1].Version
}

// Plan says what Migrate would do to the file, and changes nothing. A file
// without tables has version 0. fs.ErrNotExist.
func Plan(ctx context.Context, path string) (standing int64, steps []schema.Step, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, nil, err // locate would make it
	}
	if path, err = locate(path); err != nil {
		return 0, nil, err
	}
	if standing, err = inspect(ctx, path); err != nil {
		return 0, nil, explain(err)
	}
	if steps, err = schema.Pending(migrations(), standing); err != nil || len(steps) == 0 {
		return standing, nil, err
	}
	c, err := connect(ctx, path, reading)
	if err != nil {
		return standing, nil, explain(err)
	}
	defer c.close()
	err = schema.Count(ctx, steps, func(_ context.Context, table string) (n int64, err error) {
		err = c.row(`SELECT count(*) FROM "` + table + `"`).Scan(&n)
		return n, err
	})
	return standing, steps, explain(err)
}

// Migrate brings the tables in the file to the newest version, and calls
// progress after each step with how long it took. Open does so as well.
func Migrate(ctx context.Context, path string, progress func(schema.Step, time.Duration)) error {
	path, err := locate(path)
	if err != nil {
		return err
	}
	standing, err := inspect(ctx, path)
	if err != nil {
		return explain(err)
	}
	c, err := prepare(ctx, path, standing, progress)
	if err != nil {
		return explain(err)
	}
	return c.close()
}

// migrate runs what comes after standing, each migration in a transaction of its
// own.
func migrate(ctx context.Context, path string, standing int64, progress func(schema.Step, time.Duration)) error {
	steps, err := schema.Pending(migrations(), standing)
	if err != nil {
		return err
	}
	db, err := database(path, writing)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations(),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	for _, step := range steps {
		start := time.Now()
		if _, err := p.ApplyVersion(ctx, step.Version, true); err != nil {
			return fmt.Errorf("bringing the tables up to date: %s: %w", step.Name, err)
		}
		progress(step, time.Since(start).Round(time.Millisecond))
	}
	return nil
}
