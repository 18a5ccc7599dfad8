package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/store/schema"
)

// FLT-07: a migration only adds, as those of the other store do, which share
// their numbers.
func TestFLT07MigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	for version := int64(0); version < newest(); version++ {
		steps, err := schema.Pending(migrations(), version)
		if err != nil || len(steps[0].Breaking()) > 0 {
			t.Errorf("%s: %v, %v", steps[0].Name, steps[0].Breaking(), err)
		}
	}
}

// FLT-07: what every earlier version has written stands in the tables of today.
func TestFLT07EarlierTables(t *testing.T) {
	t.Parallel()
	all, err := schema.Pending(migrations(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, earlier := range all {
		t.Run(earlier.Name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "jotsmith.db")
			write(t, path, nil)
			execute(t, path, fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA journal_mode = WAL`, applicationID))
			if standing, steps, err := Plan(t.Context(), path); err != nil || standing != 0 || len(steps) != len(all) {
				t.Errorf("the plan of an empty file: %d, %v, %v", standing, steps, err)
			}
			db, err := database(path, writing)
			if err != nil {
				t.Fatal(err)
			}
			p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations(), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.UpTo(t.Context(), earlier.Version); err != nil {
				t.Fatal(err)
			}
			db.Close()
			for _, query := range []string{
				`INSERT INTO store (one, id, mark) VALUES (1, 'old', 1)`,
				`INSERT INTO feed_head (one, epoch, n) VALUES (1, 'old', 1)`,
				`INSERT INTO fact (position, kind, value, before_at, expires_at) VALUES (1, 1, 'gone', 0, 0)`,
				`INSERT INTO account (id, username, display_name, roles, password_hash, disabled, version, created_at, updated_at, password_changed_at)
					VALUES ('acc_1', 'user1', '', 'admin viewer', 'hash', 0, 3, 1, 2, 3)`,
				`INSERT INTO session (id, account, account_version, client, transport, audience, scope, device, address, generation, mac_key, forgiven, token_life, created_at, rotated_at, expires_at, ended_at, end_reason)
					VALUES ('ses_1', 'acc_1', 3, 'app_first_party', 'body', 'https://api.example', '', '', '', 7, '00000001', 0, 600000000, 1, 4102444800000000, 4102444800000000, 0, '')`,
			} {
				execute(t, path, query)
			}
			standing, steps, err := Plan(t.Context(), path)
			if err != nil || standing != earlier.Version || len(steps) != len(all)-i-1 {
				t.Errorf("the plan: %d, %v, %v", standing, steps, err)
			}
			done := 0
			if err := Migrate(t.Context(), path, func(schema.Step, time.Duration) { done++ }); err != nil || done != len(steps) {
				t.Fatalf("%d steps, %v", done, err)
			}
			s := open(t, Config{Path: path})
			row, _, err := s.Session(t.Context(), "ses_1")
			if err != nil || row.Generation != 7 || row.Holder.Version != 3 || row.Holder.External || row.Claims != nil {
				t.Errorf("%+v, %v", row, err)
			}
			if facts, head, _, err := s.FeedSince(t.Context(), 0); err != nil || len(facts) != 1 || head.Epoch != "old" {
				t.Errorf("%v, %v, %v", facts, head, err)
			}
			err = s.RefreshSession(t.Context(), "ses_1", func(session.Row, time.Time) (session.Step, error) {
				return session.Step{Rotate: true, MACKey: "00000002"}, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	if _, _, err := Plan(t.Context(), filepath.Join(t.TempDir(), "none.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
