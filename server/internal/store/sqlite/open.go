package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/store/schema"
)

const (
	// applicationID marks the file as ours ("JOTS", PRAGMA application_id).
	applicationID = 0x4a4f5453

	// smallFile is the size up to which a file is checked whole when it is
	// opened, which takes a few milliseconds.
	smallFile = 4 << 20
)

var (
	errForeign = errors.New("it is a database of another program; name another file")
	errNewer   = errors.New("it was written by a newer version of jotsmith; run that version, or restore a backup that is older")
)

// locate makes path absolute and refuses what cannot be a database file
// without opening it.
func locate(path string) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("malformed path %q", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	switch info, err := os.Stat(abs); {
	case errors.Is(err, fs.ErrNotExist):
		// SQLite would make it readable by everybody; its log and shared memory
		// take the file's mode.
		f, err := os.OpenFile(abs, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err != nil {
			return "", fmt.Errorf("%w; its directory must exist and be writable by this user", err)
		}
		return abs, f.Close()
	case err != nil:
		return "", err
	case info.IsDir():
		return "", errors.New("it is a directory; name a file in it")
	case !info.Mode().IsRegular():
		return "", errors.New("it is no regular file")
	}
	return abs, nil
}

// inspect answers the version of the tables in the file, 0 where there are
// none yet. It writes nothing, so that what is refused stays as it is.
func inspect(ctx context.Context, path string) (version int64, err error) {
	c, err := connect(ctx, path, reading)
	if err == nil {
		version, err = c.version()
		c.close()
	}
	if code(err) == readonlyRollback || code(err) == readonlyRecovery || code(err) == readonlyCantInit {
		// A crash left a journal which only a writer may roll back.
		if c, err = connect(ctx, path, writing); err == nil {
			version, err = c.version()
			c.close()
		}
	}
	return version, err
}

func (c *conn) version() (int64, error) {
	var app, tables int64
	if err := c.row(`PRAGMA application_id`).Scan(&app); err != nil {
		return 0, err
	}
	if err := c.row(`SELECT count(*) FROM sqlite_schema`).Scan(&tables); err != nil {
		return 0, err
	}
	switch {
	case tables == 0 && (app == 0 || app == applicationID):
		return 0, nil
	case app != applicationID:
		return 0, errForeign
	}
	var version int64
	if err := c.row(`SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&version); err != nil {
		return 0, err
	}
	if newest := newest(); version > newest {
		return 0, fmt.Errorf("%w (its tables have version %d, this program knows %d)", errNewer, version, newest)
	}
	return version, nil
}

// prepare connects the writer and brings the tables from standing to the
// newest version.
func prepare(ctx context.Context, path string, standing int64, progress func(schema.Step, time.Duration)) (*conn, error) {
	c, err := connect(ctx, path, writing)
	if err != nil {
		return nil, err
	}
	if err := c.upgrade(ctx, path, standing, progress); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) upgrade(ctx context.Context, path string, standing int64, progress func(schema.Step, time.Duration)) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() <= smallFile {
		if err := c.check(ctx, `PRAGMA quick_check(3)`); err != nil {
			return err
		}
	}
	// The mark comes first: a file without it is never taken for ours.
	if standing == 0 {
		if _, err := c.exec(fmt.Sprintf(`PRAGMA application_id = %d`, applicationID)); err != nil {
			return err
		}
	}
	var mode string
	if err := c.row(`PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("write-ahead logging is not possible here (journal mode %s); move the file to a local disk", mode)
	}
	if standing == newest() {
		return nil
	}
	return migrate(ctx, path, standing, progress)
}

// identify reads the store's id and mark, and makes them and the feed's epoch
// where this is the first time.
func (s *Store) identify() (mark int64, err error) {
	for _, q := range []string{
		`INSERT INTO store (one, id, mark) VALUES (1, ?, 0) ON CONFLICT DO NOTHING`,
		`INSERT INTO feed_head (one, epoch, n) VALUES (1, ?, 0) ON CONFLICT DO NOTHING`,
	} {
		if _, err := s.writer.exec(q, strings.ToLower(rand.Text())); err != nil {
			return 0, err
		}
	}
	err = s.writer.row(`SELECT id, mark FROM store`).Scan(&s.id, &mark)
	return mark, err
}

// check runs an integrity pragma, which answers ok or what is wrong.
func (c *conn) check(ctx context.Context, pragma string) error {
	rows, err := c.QueryContext(ctx, pragma)
	if err != nil {
		return err
	}
	defer rows.Close()
	var faults []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		if text != "ok" {
			faults = append(faults, text)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %s", errDamaged, strings.Join(faults, "; "))
	}
	return nil
}
