package sqlite

import (
	"context"
	"database/sql"
	"net/url"

	driver "modernc.org/sqlite"
)

// What a connection is for, as parameters of its name. Defensive mode and
// trusted_schema=0 keep a planted schema from running functions; the checks of
// cell sizes find damage where it is read. The log is folded into the file by
// fold; the limit on its length is for disks that are slower than the load.
const (
	both    = "_defensive=1&_dqs=0&_error_rc=1&_pragma=busy_timeout(5000)&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)"
	writing = both + "&mode=rw&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)&_pragma=fullfsync(1)&_pragma=checkpoint_fullfsync(1)" +
		"&_pragma=cache_size(-8000)&_pragma=wal_autocheckpoint(20000)&_pragma=journal_size_limit(67108864)"
	reading = both + "&mode=ro&_query_only=1&_pragma=cache_size(-2000)"
)

// A conn is one connection with its prepared statements, for one goroutine at
// a time. All SQL here is constant, and so is the number of statements.
type conn struct {
	*sql.Conn
	db    *sql.DB
	stmts map[string]*sql.Stmt
}

// database opens a pool of exactly one connection.
func database(path, purpose string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: purpose}
	c, err := driver.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	return db, nil
}

func connect(ctx context.Context, path, purpose string) (*conn, error) {
	db, err := database(path, purpose)
	if err != nil {
		return nil, err
	}
	c, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, err
	}
	return &conn{Conn: c, db: db, stmts: make(map[string]*sql.Stmt)}, nil
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		s.Close()
	}
	c.Conn.Close()
	return c.db.Close()
}

// A statement, once begun, is not interrupted by its caller's context: all of
// them are short, and an interrupted one would end the transaction that other
// callers share.
var uninterrupted = context.Background()

func (c *conn) prepare(query string) (*sql.Stmt, error) {
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	s, err := c.PrepareContext(uninterrupted, query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = s
	return s, nil
}

// exec answers how many rows were changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.prepare(query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(uninterrupted, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// A scanner is a row, or the error of asking for one.
type scanner interface{ Scan(dest ...any) error }

func (c *conn) row(query string, args ...any) scanner {
	s, err := c.prepare(query)
	if err != nil {
		return failed{err}
	}
	return s.QueryRowContext(uninterrupted, args...)
}

type failed struct{ err error }

func (f failed) Scan(...any) error { return f.err }

// each calls f for every row.
func (c *conn) each(query string, f func(scanner) error, args ...any) error {
	s, err := c.prepare(query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(uninterrupted, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
