package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/status"
	"github.com/jotsmith/jotsmith/server/internal/store/postgres"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

// A store is what a node keeps everything in.
type store interface {
	account.Store
	account.Importer
	session.Store
	catalog.Store
	app.Store
	keyring.Store
	feed.Store
	status.Store
	audit.Log

	Now() (time.Time, error)
	Check(ctx context.Context) error
	Committed() <-chan struct{}
	Sweep(ctx context.Context, deadAfter time.Duration, limit int) (deleted map[string]int, err error)
	Sizes(ctx context.Context) (map[string]int64, error)
	Close() error
}

// openStore opens the database at a URL or, where there is none, the file in
// the data directory. Published is told of revocations that were committed for
// other nodes to see.
func openStore(ctx context.Context, at string, dir *dataDir, acceptClock bool, log *slog.Logger, published func()) (store, error) {
	if at == "" {
		s, err := sqlite.Open(ctx, sqlite.Config{Path: dir.database(), Log: log, DangerouslyAcceptClock: acceptClock})
		if err != nil {
			return nil, err // a nil *sqlite.Store is not a nil store
		}
		return s, nil
	}
	if err := checkStore(at); err != nil {
		return nil, usageError{err}
	}
	s, err := postgres.Open(ctx, postgres.Config{URL: at, Log: log, DangerouslyAcceptClock: acceptClock, Published: published})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// checkStore refuses what names no database, and a password where every user of
// the machine can read it. What it refuses it does not repeat.
func checkStore(at string) error {
	if at == "" {
		return nil
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("--store must be a URL such as postgres://jotsmith@db.example.com/jotsmith?sslmode=verify-full")
	}
	if hideStore(at) != at && slices.ContainsFunc(os.Args, func(arg string) bool { return strings.Contains(arg, at) }) {
		return hint(errors.New("--store holds a password, which every user of this machine can read among the arguments of processes"),
			"put the URL into the environment variable JOTSMITH_STORE or into the configuration file, or the password into PGPASSWORD or ~/.pgpass")
	}
	return nil
}

// hideStore is the URL of a database without its password.
func hideStore(at string) string {
	u, err := url.Parse(at)
	if err != nil || u.Scheme == "" {
		return "(hidden)"
	}
	if _, set := u.User.Password(); !set && !strings.Contains(u.RawQuery, "password") {
		return at
	}
	q := u.Query()
	q.Del("password")
	q.Del("sslpassword")
	u.RawQuery = q.Encode()
	return u.Redacted()
}

// fresh says whether nothing stands in the store yet, so that a root key may be
// made for it.
func fresh(ctx context.Context, s store) (bool, error) {
	ring, _, err := s.LoadRing(ctx)
	return ring.Version == 0, err
}
