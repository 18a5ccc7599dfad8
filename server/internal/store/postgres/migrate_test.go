package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/store/schema"
	"github.com/jotsmith/jotsmith/server/internal/store/storetest"
)

// FLT-07: while nodes are exchanged one by one, programs of two versions work
// on the same tables. So a migration only adds what can be left out; whoever
// writes another kind raises store.oldest in it, and names it here.
func TestFLT07MigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	all, err := schema.Pending(migrations(), 0)
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, s := range all {
		alone, err := schema.Pending(migrations(), s.Version-1)
		if err != nil || len(alone[0].Breaking()) > 0 {
			t.Errorf("%s: %v, %v", s.Name, alone[0].Breaking(), err)
		}
	}
}

// last is the version of the tables that this program knows.
func last() int64 {
	all := must(schema.Pending(migrations(), 0))
	return all[len(all)-1].Version
}

// tablesOf makes the tables of an earlier version.
func tablesOf(t *testing.T, url string, version int64) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations(), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// What a program of the first version writes: an account, a session, a
// revocation and an event, each named by n.
func firstVersionWrites(n int) []string {
	return []string{
		fmt.Sprintf(`INSERT INTO account (id, username, display_name, roles, password_hash, disabled, version, created_at, updated_at, password_changed_at)
			VALUES ('acc_%[1]d', 'user%[1]d', '', 'admin viewer', 'hash', false, 3, 1, 2, 3)`, n),
		fmt.Sprintf(`INSERT INTO session (id, account, account_version, client, transport, audience, scope, device, address, generation, mac_key, forgiven, token_life, created_at, rotated_at, expires_at, ended_at, end_reason)
			VALUES ('ses_%[1]d', 'acc_%[1]d', 3, 'app_first_party', 'body', 'https://api.example', '', '', '', 7, '00000001', 0, 600000000, 1, 4102444800000000, 4102444800000000, 0, '')`, n),
		`WITH head AS (UPDATE feed_head SET n = n + 1 RETURNING n) INSERT INTO fact (position, kind, value, before_at, expires_at) SELECT n, 1, 'gone' || n, 0, 0 FROM head`,
		fmt.Sprintf(`INSERT INTO audit_outbox (seq, id, at, what, who, what_salt, who_salt) VALUES (%[1]d, 'e%[1]d', 1, '{"act":"test"}', '', decode(repeat('00', 16), 'hex'), decode(repeat('00', 16), 'hex'))`, n),
	}
}

// FLT-07: the tables of every earlier version, with data in them, are brought up
// to date by whichever of several nodes is first, and a program of the first
// version goes on writing beside them.
func TestFLT07EarlierTables(t *testing.T) {
	t.Parallel()
	p := realtest.SharedPostgres(t)
	for version := int64(1); version <= last(); version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			url := p.NewDatabase(t)
			tablesOf(t, url, version)
			p.Exec(t, url, `INSERT INTO store (one, id, mark) VALUES (1, 'old', 1)`, `INSERT INTO feed_head (one, epoch, n) VALUES (1, 'old', 0)`)
			p.Exec(t, url, firstVersionWrites(1)...)
			standing, steps, err := Plan(t.Context(), url)
			if err != nil || standing != version || len(steps) == 0 && version < last() {
				t.Errorf("the plan: version %d, %v, %v", standing, steps, err)
			}
			nodes := 1
			if version == 1 {
				nodes = 3
			}
			stores := make([]*Store, nodes)
			var all sync.WaitGroup
			for i := range stores {
				all.Go(func() {
					s, err := Open(t.Context(), Config{URL: url, Log: quiet})
					if err != nil {
						t.Error(err)
					}
					stores[i] = s
				})
			}
			all.Wait()
			if t.Failed() {
				return
			}
			p.Exec(t, url, firstVersionWrites(2)...)
			for i, s := range stores {
				defer s.Close()
				for n := 1; n <= 2; n++ {
					row, _, err := s.Session(t.Context(), session.ID(fmt.Sprint("ses_", n)))
					if err != nil || row.Generation != uint32(7+(n-1)*i) || row.Holder.Version != 3 || fmt.Sprint(row.Holder.Roles) != "[admin viewer]" || row.Holder.External || row.Claims != nil {
						t.Errorf("%+v, %v", row, err)
					}
				}
				if facts, head, _, err := s.FeedSince(t.Context(), 0); err != nil || len(facts) != 2 || head.Epoch != "old" {
					t.Errorf("%v, %v, %v", facts, head, err)
				}
				err := s.RefreshSession(t.Context(), "ses_2", func(r session.Row, _ time.Time) (session.Step, error) {
					if int(r.Generation) != 7+i {
						t.Errorf("generation %d", r.Generation)
					}
					return session.Step{Rotate: true, MACKey: "00000002"}, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
			for range 10 {
				if _, err := stores[0].ChainAudit(t.Context(), 100); err != nil {
					t.Fatal(err)
				}
			}
			if r, err := audit.Verify(t.Context(), stores[0], audit.Head{}, nil); err != nil || r.Head.Seq < 2 {
				t.Errorf("the chain: %+v, %v", r, err)
			}
		})
	}
}

// later are migrations of a version to come, which adds to every table.
func later(tables []string, more ...string) fs.FS {
	dir := fstest.MapFS{}
	for _, s := range must(schema.Pending(migrations(), 0)) {
		dir[s.Name+".sql"] = &fstest.MapFile{Data: must(fs.ReadFile(migrations(), s.Name+".sql"))}
	}
	text := "-- +goose Up\nCREATE TABLE later (id TEXT PRIMARY KEY);\n"
	for _, table := range tables {
		text += "ALTER TABLE " + table + " ADD COLUMN later_a TEXT;\nALTER TABLE " + table + " ADD COLUMN later_b BIGINT NOT NULL DEFAULT 7;\n"
	}
	dir["00099_later.sql"] = &fstest.MapFile{Data: []byte(text + strings.Join(append(more, ""), ";\n"))}
	return dir
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var tables = []string{"store", "feed_head", "fact", "account", "session", "ring", "ring_key", "audit_outbox", "catalog", "api", "role", "app", "app_secret", "audit_log", "audit_head"}

// FLT-07: this program keeps all its promises on tables that a later one has
// added to, before it started or while it runs.
func TestFLT07LaterTables(t *testing.T) {
	t.Parallel()
	p := realtest.SharedPostgres(t)
	var mu sync.Mutex
	database := func(t *testing.T) string {
		mu.Lock()
		defer mu.Unlock()
		return p.NewDatabase(t)
	}
	upgrade := func(t *testing.T, url string, dir fs.FS) {
		t.Helper()
		s, err := Open(t.Context(), Config{URL: url, Log: quiet, migrations: dir})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	t.Run("while it runs", func(t *testing.T) {
		t.Parallel()
		url := database(t)
		s := open(t, Config{URL: url})
		p.Exec(t, url, firstVersionWrites(1)...)
		read := func() {
			t.Helper()
			for range 8 {
				if row, _, err := s.Session(t.Context(), "ses_1"); err != nil || row.Generation != 7 {
					t.Fatal(row, err)
				}
				if err := s.Record(t.Context(), event("test")); err != nil {
					t.Fatal(err)
				}
			}
		}
		read()
		upgrade(t, url, later(tables))
		read()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, Config{URL: url}) // as after a crash
		read()
	})
	t.Run("that it would harm", func(t *testing.T) {
		t.Parallel()
		url := database(t)
		upgrade(t, url, later(tables, `UPDATE store SET oldest = 99`, `ALTER TABLE store ALTER COLUMN oldest SET DEFAULT 99`))
		_, err := Open(t.Context(), Config{URL: url, Log: quiet})
		if !errors.Is(err, errNewer) || !strings.Contains(err.Error(), "run that version") {
			t.Errorf("opened: %v", err)
		}
		if _, err := Examine(t.Context(), url); !errors.Is(err, errNewer) {
			t.Errorf("examined: %v", err)
		}
		if _, _, err := Plan(t.Context(), url); !errors.Is(err, errNewer) {
			t.Errorf("planned: %v", err)
		}
		if err := Migrate(t.Context(), Config{URL: url}, nil); !errors.Is(err, errNewer) {
			t.Errorf("migrated: %v", err)
		}
	})
	t.Run("the whole suite", func(t *testing.T) {
		if testing.Short() || os.Getenv("JOTSMITH_UPGRADE") == "" {
			t.Skip("set JOTSMITH_UPGRADE=1 to run it")
		}
		storetest.Run(t, func(t *testing.T) (storetest.Store, func() storetest.Store) {
			url := database(t)
			upgrade(t, url, later(tables))
			s := open(t, Config{URL: url})
			return s, func() storetest.Store {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, Config{URL: url})
				return s
			}
		})
	})
}

// What takes long is left to an operator, who is told before what it locks and
// for how long; and it never keeps others waiting behind a long transaction.
func TestMigrate(t *testing.T) {
	t.Parallel()
	p := realtest.SharedPostgres(t)
	ready := func(t *testing.T) string {
		url := p.NewDatabase(t)
		open(t, Config{URL: url}).Close()
		return url
	}
	t.Run("slow", func(t *testing.T) {
		url := ready(t)
		p.Exec(t, url, `INSERT INTO fact (position, kind, value, before_at, expires_at) SELECT n, 1, '', 0, 0 FROM generate_series(1, 250000) n`, `ANALYZE fact`)
		dir := later(nil, `CREATE INDEX fact_later ON fact (value)`)
		_, err := Open(t.Context(), Config{URL: url, Log: quiet, migrations: dir})
		if err == nil || !strings.Contains(err.Error(), "jotsmith migrate --dry-run") {
			t.Fatalf("started: %v", err)
		}
		s := must(probe(t.Context(), url))
		defer s.shut()
		s.migrations = dir
		steps := must(s.pending(t.Context(), last()))
		if len(steps) != 1 || fmt.Sprint(steps[0].Effects) != "[{fact writes wait while it is read 250000}]" {
			t.Errorf("planned %v", steps)
		}
		var done []string
		if err := s.migrate(t.Context(), func(s schema.Step, _ time.Duration) { done = append(done, s.Name) }); err != nil || fmt.Sprint(done) != "[00099_later]" {
			t.Errorf("%v, %v", done, err)
		}
		open(t, Config{URL: url, migrations: dir})
	})
	t.Run("behind a long transaction", func(t *testing.T) {
		url := ready(t)
		holder, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer holder.Close(context.Background())
		for _, q := range []string{`BEGIN`, `SELECT * FROM account`} { // which keeps nobody from reading
			if _, err := holder.Exec(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		beside := open(t, Config{URL: url})
		opened := make(chan error)
		go func() {
			s, err := Open(t.Context(), Config{URL: url, Log: quiet, migrations: later(tables)})
			if err == nil {
				s.Close()
			}
			opened <- err
		}()
		longest := time.Duration(0)
		for end := time.Now().Add(lockPatience + time.Second/2); time.Now().Before(end); {
			start := time.Now()
			if _, err := beside.Accounts(t.Context(), "", 1); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, time.Since(start))
		}
		if longest > lockPatience+2*time.Second {
			t.Errorf("a reader waited for %v", longest)
		}
		if _, err := holder.Exec(t.Context(), `COMMIT`); err != nil {
			t.Fatal(err)
		}
		if err := <-opened; err != nil {
			t.Errorf("when the transaction was over: %v", err)
		}
	})
}
