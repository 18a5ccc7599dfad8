package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/jotsmith/jotsmith/server/internal/fault"
)

const (
	readonlyRollback = lib.SQLITE_READONLY_ROLLBACK
	readonlyRecovery = lib.SQLITE_READONLY_RECOVERY
	readonlyCantInit = lib.SQLITE_READONLY_CANTINIT
)

var errDamaged = errors.New("the database is damaged; keep a copy of its files and restore a backup")

// advice says what to do about what SQLite reports, by primary result code.
var advice = map[int]string{
	lib.SQLITE_FULL:     "the disk is full; make room on it",
	lib.SQLITE_IOERR:    "the disk cannot be read or written; check it and the room on it",
	lib.SQLITE_CORRUPT:  errDamaged.Error(),
	lib.SQLITE_NOTADB:   "it is no SQLite database, or its first page is damaged; name another file, or restore a backup",
	lib.SQLITE_READONLY: "the file or its directory is read-only; make both writable by this user",
	lib.SQLITE_PERM:     "the file may not be opened by this user; correct its owner and mode",
	lib.SQLITE_CANTOPEN: "it cannot be opened; its directory must exist and be writable by this user",
	lib.SQLITE_BUSY:     "another program holds the database; stop that one",
	lib.SQLITE_NOMEM:    "there is no memory left",
}

// code is SQLite's extended result code, 0 where err is not SQLite's.
func code(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code()
	}
	return 0
}

// explain turns what the file or the disk refuses into ErrUnavailable with
// advice, and leaves everything else as it is.
func explain(err error) error {
	if err == nil || errors.Is(err, fault.ErrUnavailable) {
		return err
	}
	if text, ok := advice[code(err)&0xff]; ok {
		return fmt.Errorf("%w: %s (%w)", fault.ErrUnavailable, text, err)
	}
	return err
}

// taken reports whether err says that a row of that key is there already.
func taken(err error) bool {
	c := code(err)
	return c == lib.SQLITE_CONSTRAINT_UNIQUE || c == lib.SQLITE_CONSTRAINT_PRIMARYKEY
}

// ends reports whether SQLite may have rolled the whole transaction back, which
// it does for these codes (https://sqlite.org/lang_transaction.html).
func ends(err error) bool {
	switch code(err) & 0xff {
	case lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_NOMEM, lib.SQLITE_BUSY, lib.SQLITE_INTERRUPT:
		return true
	}
	return false
}
