package schema

import (
	"fmt"
	"testing"
	"testing/fstest"
	"time"
)

func TestPending(t *testing.T) {
	t.Parallel()
	steps := func(files ...string) []Step {
		dir := fstest.MapFS{}
		for i, text := range files {
			dir[fmt.Sprintf("%05d_x.sql", i+1)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
		}
		all, err := Pending(dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for text, want := range map[string]string{
		"CREATE TABLE b (id TEXT); CREATE INDEX b_i ON b (id); INSERT INTO b VALUES ('x')": "[]",
		"ALTER TABLE a\n  ADD COLUMN c TEXT; -- a DROP TABLE in a comment":                 "[{a reads and writes wait for an instant 0}]",
		"ALTER TABLE a ADD COLUMN c TEXT NOT NULL DEFAULT ''":                              "[{a reads and writes wait for an instant 0}]",
		"ALTER TABLE a ADD COLUMN c INTEGER NOT NULL DEFAULT 0 CHECK (c IN (0, 1))":        "[{a reads and writes wait for an instant 0}]",
		"ALTER TABLE a ADD COLUMN c TEXT NOT NULL":                                         "[{a reads and writes wait while it is changed 0}]",
		"ALTER TABLE a ADD COLUMN c BIGINT DEFAULT now()":                                  "[{a reads and writes wait while it is changed 0}]",
		"ALTER TABLE a ADD COLUMN c TEXT UNIQUE":                                           "[{a reads and writes wait while it is changed 0}]",
		"ALTER TABLE a ADD COLUMN c TEXT, DROP COLUMN d":                                   "[{a reads and writes wait while it is changed 0}]",
		"ALTER TABLE a ADD COLUMN c BIGINT DEFAULT nextval('s')":                           "[{a reads and writes wait while it is changed 0}]",
		"CREATE TABLE IF NOT EXISTS b (id TEXT)":                                           "[{unknown reads and writes wait while it is changed 0}]",
		"ALTER TABLE a DROP COLUMN c":                                                      "[{a reads and writes wait while it is changed 0}]",
		"ALTER TABLE a RENAME TO b":                                                        "[{a reads and writes wait while it is changed 0}]",
		"UPDATE a SET c = 1":                                                               "[{a reads and writes wait while it is changed 0}]",
		"INSERT INTO a VALUES (1)":                                                         "[{a reads and writes wait while it is changed 0}]",
		"DROP TABLE a":                                                                     "[{a reads and writes wait while it is changed 0}]",
		"CREATE INDEX a_c ON a (c)":                                                        "[{a writes wait while it is read 0}]",
		"VACUUM":                                                                           "[{unknown reads and writes wait while it is changed 0}]",
	} {
		if got := steps("CREATE TABLE a (id TEXT)", text); len(got) != 1 || fmt.Sprint(got[0].Effects) != want || got[0].Version != 2 || got[0].Name != "00002_x" {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
}

func TestTakes(t *testing.T) {
	t.Parallel()
	got := Takes([]Step{{Effects: []Effect{{"a", Extends, 1 << 40}, {"b", Reads, 1_000_000}}}, {Effects: []Effect{{"b", Other, 500_000}}}})
	if got != 15*time.Second {
		t.Errorf("%v", got)
	}
}
