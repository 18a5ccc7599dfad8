package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/store/postgres"
	"github.com/jotsmith/jotsmith/server/internal/store/schema"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

type migrateCmd struct {
	Config string `env:"JOTSMITH_CONFIG" placeholder:"PATH" help:"Configuration file (TOML). Flags and environment variables stand over it. By default none."`
	Data   string `default:"./jotsmith-data" env:"JOTSMITH_DATA" placeholder:"DIR" help:"Directory that holds the database (${default})."`
	Store  string `env:"JOTSMITH_STORE" placeholder:"URL" help:"The PostgreSQL database that several nodes share, postgres://USER@HOST/NAME; by default a file in the data directory. A URL with a password belongs into the environment or the configuration file, not among the arguments."`
	DryRun bool   `help:"Say what would be done, what waits for it and about how long, and change nothing."`
	JSON   bool   `help:"Print JSON."`
}

func (migrateCmd) Help() string {
	return "Brings the tables of the database up to date. 'serve' does so by itself when it starts, but on PostgreSQL leaves to this command what would keep the other nodes waiting for more than " +
		schema.Quick.String() + ". Nodes of the version before go on working meanwhile and afterwards. Each step is one transaction; what was interrupted is begun again by the next run."
}

// A migrationJSON is one step as JSON.
type migrationJSON struct {
	Version int64           `json:"version"`
	Name    string          `json:"name"`
	Locks   []migrationLock `json:"locks"`
	TookMS  *int64          `json:"took_ms,omitempty"` // nil in a dry run
}

type migrationLock struct {
	Table   string  `json:"table"`
	Effect  string  `json:"effect"`
	Rows    int64   `json:"rows"`
	Seconds float64 `json:"seconds"` // an estimate
}

type migrationsJSON struct {
	Version int64           `json:"version"` // of the tables, as they were
	Steps   []migrationJSON `json:"steps"`
}

func (cmd *migrateCmd) Run(ctx context.Context, c *console, _ *commandLine) error {
	standing, steps, err := cmd.plan(ctx)
	if err != nil {
		return err
	}
	out := migrationsJSON{Version: standing, Steps: []migrationJSON{}}
	done := func(step schema.Step, took time.Duration) {
		out.Steps = append(out.Steps, newMigrationJSON(step, new(took.Milliseconds())))
		if !cmd.JSON {
			fmt.Fprintf(c.out, "%d of %d: %s, done in %v\n", len(out.Steps), len(steps), step.Name, took)
		}
	}
	if !cmd.JSON {
		c.migrations(standing, steps)
	}
	switch {
	case cmd.DryRun:
		for _, step := range steps {
			out.Steps = append(out.Steps, newMigrationJSON(step, nil))
		}
	case len(steps) > 0:
		if err := cmd.migrate(ctx, c, done); err != nil {
			return err
		}
	}
	if cmd.JSON {
		return c.json(out)
	}
	return nil
}

func newMigrationJSON(step schema.Step, tookMS *int64) migrationJSON {
	m := migrationJSON{Version: step.Version, Name: step.Name, Locks: []migrationLock{}, TookMS: tookMS}
	for _, e := range step.Effects {
		m.Locks = append(m.Locks, migrationLock{e.Table, string(e.Kind), e.Rows, e.Takes().Seconds()})
	}
	return m
}

func (cmd *migrateCmd) plan(ctx context.Context) (standing int64, steps []schema.Step, err error) {
	if cmd.Store != "" {
		if err := checkStore(cmd.Store); err != nil {
			return 0, nil, usageError{err}
		}
		return postgres.Plan(ctx, cmd.Store)
	}
	standing, steps, err = sqlite.Plan(ctx, filepath.Join(cmd.Data, databaseFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = hint(fmt.Errorf("there is no database in the data directory %s", cmd.Data), "'jotsmith serve' makes one; --data names another directory")
	}
	return standing, steps, err
}

func (cmd *migrateCmd) migrate(ctx context.Context, c *console, done func(schema.Step, time.Duration)) error {
	if cmd.Store != "" {
		log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
		return postgres.Migrate(ctx, postgres.Config{URL: cmd.Store, Log: log}, done)
	}
	dir, err := findDataDir(cmd.Data)
	if err != nil {
		return err
	}
	defer dir.Close()
	return sqlite.Migrate(ctx, dir.database(), done)
}

// migrations prints what steps will do.
func (c *console) migrations(standing int64, steps []schema.Step) {
	if len(steps) == 0 {
		fmt.Fprintf(c.out, "The tables are up to date, version %d.\n", standing)
		return
	}
	fmt.Fprintf(c.out, "The tables have version %d; %s to version %d.\n", standing, plural(int64(len(steps)), "step"), steps[len(steps)-1].Version)
	for _, step := range steps {
		fmt.Fprintf(c.out, "%s\n", step.Name)
		if len(step.Effects) == 0 {
			fmt.Fprintf(c.out, "  makes what is new; nobody waits\n")
		}
		for _, e := range step.Effects {
			fmt.Fprintf(c.out, "  %s: %s", e.Table, e.Kind)
			if e.Kind != schema.Extends {
				fmt.Fprintf(c.out, ", %s, about %v", plural(e.Rows, "row"), max(e.Takes().Round(time.Second), time.Second))
			}
			fmt.Fprintln(c.out)
		}
	}
}
