package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// minFree is the room on the disk below which a server soon stands still.
const minFree = 200 << 20

// directory examines where everything is kept, and who may read and write it.
func (d *doctor) directory() {
	const check = "data directory"
	d.data, _ = filepath.Abs(d.cmd.Data)
	info, err := os.Stat(d.data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.say(check, warning, "'jotsmith account create' or 'jotsmith serve' makes it; --data names another", "%s is not there yet", d.data)
		return
	case err != nil:
		d.fault(check, err, "it must be readable by the user that runs jotsmith")
		return
	case !info.IsDir():
		d.say(check, problem, "name a directory with --data", "%s is no directory", d.data)
		return
	case (&dataDir{path: d.data}).isDev():
		d.fault(check, (&dataDir{path: d.data}).refuseDev(), "")
		return
	}
	d.running = locked(filepath.Join(d.data, lockFile))
	state := "no server works on it"
	if d.running {
		state = "a server works on it"
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(d.data, &disk); err == nil {
		free := disk.Bavail * uint64(disk.Bsize)
		state += fmt.Sprintf(", %d MiB free", free>>20)
		if free < minFree {
			d.say(check, problem, "make room on the disk: a server that cannot write answers 503", "%s: only %d MiB are free", d.data, free>>20)
			return
		}
	}
	d.say(check, fine, "", "%s: %s", d.data, state)
	d.modes(info)
}

// modes examines the directory and each file in it.
func (d *doctor) modes(dir fs.FileInfo) {
	const check = "file modes"
	var open []string
	user := os.Getuid()
	look := func(path string, info fs.FileInfo) {
		if perm := info.Mode().Perm(); perm&0o077 != 0 && info.Mode()&fs.ModeSymlink == 0 {
			open = append(open, fmt.Sprintf("%s (mode %04o)", path, perm))
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok && user != 0 && int(s.Uid) != user {
			open = append(open, fmt.Sprintf("%s (belongs to user %d)", path, s.Uid))
		}
	}
	look(d.data, dir)
	entries, err := os.ReadDir(d.data)
	if err != nil {
		d.fault(check, err, "the directory must belong to the user that runs jotsmith")
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			look(filepath.Join(d.data, e.Name()), info)
		}
	}
	if len(open) > 0 {
		d.say(check, problem, "chmod -R go= "+d.data+" and, where it belongs to somebody else, chown it to the user that runs jotsmith",
			"others have access:\n%s", strings.Join(open, "\n"))
		return
	}
	d.say(check, fine, "", "nobody but this user has access to the data")
}

// locked says whether somebody holds the lock, without making the file.
func locked(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// rootKey examines the root key's source and answers what it holds.
func (d *doctor) rootKey() *keyring.RootKeys {
	const check = "root key"
	source, err := parseRootKeySource(d.cmd.RootKey, d.cmd.Data)
	if err != nil {
		d.fault(check, err, "--root-key file:PATH or env:NAME")
		return nil
	}
	_, err = os.Stat(filepath.Join(d.data, databaseFile))
	if (d.cmd.Store != "" || errors.Is(err, fs.ErrNotExist)) && source.file != "" {
		if _, err := os.Stat(source.file); errors.Is(err, fs.ErrNotExist) {
			d.say(check, skipped, "", "there is none yet; it is made with the data")
			return nil
		}
	}
	keys, _, err := source.read(false)
	if err != nil {
		d.fault(check, err, "put it back from where you keep its copy")
		return nil
	}
	where := source.file
	if source.env != "" {
		where = "$" + source.env
	}
	d.say(check, fine, "", "%s in %s; keep a copy apart from backups of the data", keys, where)
	return &keys
}
