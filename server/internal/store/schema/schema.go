// Package schema reads migrations before they are run: which tables each one
// locks, for how long, and whether programs of the version before can go on
// beside it. It runs nothing; the stores do (see sqlite and postgres).
//
// A migration only adds: tables, columns that may be left out, and indexes. What
// it may not do has no words here, so that the stores' tests refuse it.
package schema

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Step is one migration.
type Step struct {
	Version int64
	Name    string // of its file
	Effects []Effect
}

// An Effect is what one statement does to a table that stands already.
type Effect struct {
	Table string
	Kind  Kind
	Rows  int64 // of the table, at most Most; what an Extends does not read
}

// A Kind says how a table is locked.
type Kind string

// The kinds. What is made in a table that is new locks nobody out and is no
// effect.
const (
	Extends Kind = "reads and writes wait for an instant"
	Reads   Kind = "writes wait while it is read"
	Other   Kind = "reads and writes wait while it is changed"
)

// Most is how far rows are counted.
const Most = 100_000_000

// perSecond is how many rows are read and indexed in a second by a machine that
// is not the fastest.
const perSecond = 100_000

// Quick is how long steps may take that nodes run by themselves when they start.
const Quick = 2 * time.Second

// Takes estimates how long e keeps others waiting.
func (e Effect) Takes() time.Duration {
	if e.Kind == Extends {
		return 0
	}
	return time.Duration(e.Rows) * time.Second / perSecond
}

// Takes is the sum of what steps keep others waiting for.
func Takes(steps []Step) (sum time.Duration) {
	for _, s := range steps {
		for _, e := range s.Effects {
			sum += e.Takes()
		}
	}
	return sum
}

var (
	comment = regexp.MustCompile(`(?m)--.*$`)
	creates = regexp.MustCompile(`(?i)^CREATE TABLE (\w+) ?\(`)
	indexes = regexp.MustCompile(`(?i)^CREATE (?:UNIQUE )?INDEX \w+ ON (\w+)`)
	extends = regexp.MustCompile(`(?i)^ALTER TABLE (\w+) ADD COLUMN (.+)`)
	fills   = regexp.MustCompile(`(?i)^INSERT INTO (\w+)`)
	others  = regexp.MustCompile(`(?i)^(?:ALTER TABLE|DROP TABLE|UPDATE|DELETE FROM|CREATE \w* ?INDEX .* ON) (\w+)`)
	checks  = regexp.MustCompile(`CHECK \((?:[^()]|\([^()]*\))*\)`) // in upper case
	spaces  = regexp.MustCompile(`\s+`)
)

// Pending reads the migrations in dir that come after a version, in their order.
func Pending(dir fs.FS, after int64) (steps []Step, err error) {
	files, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	made := make(map[string]bool)
	for _, name := range files {
		number, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s has no number", name)
		}
		if version <= after {
			continue
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, Step{version, strings.TrimSuffix(path.Base(name), ".sql"), effects(string(text), made)})
	}
	return steps, nil
}

// effects reads statements; made are the tables that are new.
func effects(text string, made map[string]bool) (all []Effect) {
	for statement := range strings.SplitSeq(comment.ReplaceAllString(text, ""), ";") {
		statement = strings.TrimSpace(spaces.ReplaceAllString(statement, " "))
		if statement == "" {
			continue
		}
		e := Effect{Table: "unknown", Kind: Other}
		if m := creates.FindStringSubmatch(statement); m != nil {
			made[m[1]] = true
			continue
		} else if m := indexes.FindStringSubmatch(statement); m != nil {
			e = Effect{Table: m[1], Kind: Reads}
		} else if m := extends.FindStringSubmatch(statement); m != nil && optional(m[2]) {
			e = Effect{Table: m[1], Kind: Extends}
		} else if m := fills.FindStringSubmatch(statement); m != nil {
			e.Table = m[1]
		} else if m := others.FindStringSubmatch(statement); m != nil {
			e.Table = m[1]
		}
		if !made[e.Table] {
			all = append(all, e)
		}
	}
	return all
}

// optional says whether rows can be written without a column of that
// definition, and those that stand need not be touched: its default is a
// constant, nothing else refers to it, and nothing else is done with it.
func optional(column string) bool {
	column = checks.ReplaceAllString(strings.ToUpper(column), "")
	if strings.Contains(column, "UNIQUE") || strings.Contains(column, "PRIMARY") || strings.Contains(column, "REFERENCES") || strings.ContainsAny(column, "(,") {
		return false
	}
	return strings.Contains(column, " DEFAULT ") || !strings.Contains(column, "NOT NULL")
}

// Count fills in the rows of the tables that steps read, as count finds them.
func Count(ctx context.Context, steps []Step, count func(ctx context.Context, table string) (int64, error)) error {
	for _, s := range steps {
		for i := range s.Effects {
			e := &s.Effects[i]
			if e.Table == "unknown" {
				e.Rows = Most
				continue
			}
			var err error
			if e.Rows, err = count(ctx, e.Table); err != nil {
				return fmt.Errorf("counting the rows of %s: %w", e.Table, err)
			}
		}
	}
	return nil
}

// Breaking are the effects that a program of the version before could notice,
// or that are not understood.
func (s Step) Breaking() (all []Effect) {
	for _, e := range s.Effects {
		if e.Kind == Other {
			all = append(all, e)
		}
	}
	return all
}
