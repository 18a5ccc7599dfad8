package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/store/postgres"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

// database examines the file, its time and the keys in it.
func (d *doctor) database(ctx context.Context, roots *keyring.RootKeys) {
	const check = "database"
	e, err := d.examine(ctx)
	switch {
	case errors.Is(err, fault.ErrUnavailable) && d.cmd.Store != "":
		d.fault(check, err, "the error says what to do")
		return
	case errors.Is(err, fs.ErrNotExist):
		d.say(check, skipped, "", "there is none yet")
		return
	case err != nil:
		d.fault(check, err, "keep a copy of "+d.data+", then restore a backup")
		return
	case e.Version < e.Newest:
		d.say(check, warning, "back the directory up; the next start brings the tables up to date", "whole, with tables of version %d; this program's are %d", e.Version, e.Newest)
	default:
		d.say(check, fine, "", "whole, tables of version %d", e.Version)
	}
	if late := e.Mark.Sub(d.now); d.cmd.Store == "" && late > 2*time.Second {
		d.say("clock", problem, "correct the clock; where it is right and that time was wrong, start once with --dangerously-accept-clock",
			"it is %v behind the database, which was written at %s", late.Round(time.Second), e.Mark.Format(time.RFC3339))
	}
	if roots == nil {
		d.say("keys", skipped, "", "they cannot be read without the root key")
		return
	}
	d.keys, err = keyring.Examine(e.Ring, *roots)
	if err != nil {
		d.fault("root key", err, "name the root key that belongs to this data with --root-key")
		return
	}
	d.ages()
}

// examine reads the database, wherever it is.
func (d *doctor) examine(ctx context.Context) (sqlite.Examination, error) {
	if d.cmd.Store == "" {
		return sqlite.Examine(ctx, filepath.Join(d.data, databaseFile))
	}
	if err := checkStore(d.cmd.Store); err != nil {
		return sqlite.Examination{}, err
	}
	e, err := postgres.Examine(ctx, d.cmd.Store)
	for _, w := range e.Warnings {
		d.say("database", warning, "", "%s", w)
	}
	return sqlite.Examination{Version: e.Version, Newest: e.Newest, Mark: e.Mark, Ring: e.Ring}, err
}

// ages examines whether keys rotate as configured.
func (d *doctor) ages() {
	const check = "keys"
	every := time.Duration(d.cmd.KeyRotateEvery)
	late := false
	for _, k := range d.keys {
		switch {
		case k.State == keyring.Announced && d.now.Sub(k.ActiveAt) > time.Minute:
			late = true
			d.say(check, warning, "start the server: it lets the key sign by itself", "the %s key %s should sign since %s", k.Purpose, k.ID, k.ActiveAt.Format(day))
		case k.State == keyring.Active && every > 0 && d.now.Sub(k.ActiveAt) > every+time.Hour:
			late = true
			d.say(check, problem, "start the server, which rotates it, or: jotsmith key rotate --purpose "+k.Purpose,
				"the %s key %s signs since %s, and is to be rotated every %v", k.Purpose, k.ID, k.ActiveAt.Format(day), d.cmd.KeyRotateEvery)
		}
	}
	switch {
	case len(d.keys) == 0:
		d.say(check, skipped, "", "there are none yet")
	case !late:
		d.say(check, fine, "", "%s, all open with the root key; the oldest was made %s", plural(int64(len(d.keys)), "key"), relative(d.keys[0].CreatedAt, d.now))
	}
}
