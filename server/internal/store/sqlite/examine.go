package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// An Examination is what can be said about a store from its file.
type Examination struct {
	Version int64     // of the tables
	Newest  int64     // version that this program knows; Open brings older tables up to it
	Mark    time.Time // the highest time that was written
	Ring    keyring.Sealed
}

// Examine reads the whole file and changes nothing, also while a server works
// on it: fs.ErrNotExist, and otherwise what is damaged and what to do.
func Examine(ctx context.Context, path string) (e Examination, err error) {
	if _, err := os.Stat(path); err != nil {
		return e, err // locate would make it
	}
	if path, err = locate(path); err != nil {
		return e, err
	}
	if e.Version, err = inspect(ctx, path); err != nil {
		return e, explain(err)
	}
	if e.Newest = newest(); e.Version == 0 {
		return e, fmt.Errorf("it is empty: %w", fs.ErrNotExist)
	}
	err = e.read(ctx, path, reading)
	if c := code(err); c == readonlyRollback || c == readonlyRecovery || c == readonlyCantInit {
		// Its log is to be read by somebody who may write.
		err = e.read(ctx, path, writing)
	}
	return e, explain(err)
}

func (e *Examination) read(ctx context.Context, path, purpose string) error {
	c, err := connect(ctx, path, purpose)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.check(ctx, `PRAGMA integrity_check(3)`); err != nil {
		return err
	}
	var id string
	err = c.row(`SELECT id, mark FROM store`).Scan(&id, (*at)(&e.Mark))
	if err != nil {
		return errors.Join(errDamaged, err)
	}
	return c.snapshot(func() error {
		e.Ring, err = c.ring(id)
		return err
	})
}
