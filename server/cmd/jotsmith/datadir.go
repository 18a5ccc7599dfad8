package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The files of a data directory.
const (
	databaseFile = "jotsmith.db"
	lockFile     = "lock"
	devMark      = "made-by-jotsmith-dev"
)

const devMarkText = "This directory belongs to 'jotsmith dev'. Its passwords were shown on a\n" +
	"terminal, so 'jotsmith serve' refuses it.\n"

// A dataDir is a directory that this process alone uses until Close.
type dataDir struct {
	path string
	lock *os.File // nil where nothing is kept in it
}

// openDataDir makes the directory where there is none, and locks it.
func openDataDir(path string) (*dataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, hint(fmt.Errorf("making the data directory: %w", err),
			"name a directory that you may write with --data")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, hint(fmt.Errorf("data directory %s may be written by others (mode %04o), who could replace the database", path, info.Mode().Perm()),
			"chmod 700 %s", path)
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	return &dataDir{path, lock}, nil
}

// placeDataDir is openDataDir where there is no store elsewhere. What several
// processes may work on at once is not in the directory then, and they may share
// it: nothing is made or locked.
func placeDataDir(store, path string) (*dataDir, error) {
	if store == "" {
		return openDataDir(path)
	}
	path, err := filepath.Abs(path)
	return &dataDir{path: path}, wrap(err, "data directory")
}

// findDataDir is openDataDir for commands that need one that exists.
func findDataDir(path string) (*dataDir, error) {
	if _, err := os.Stat(filepath.Join(path, databaseFile)); errors.Is(err, os.ErrNotExist) {
		return nil, hint(fmt.Errorf("there is no database in the data directory %s", path),
			"'jotsmith serve' and 'jotsmith account create' make one; --data names another directory")
	}
	return openDataDir(path)
}

// lockDir takes the directory's lock. The kernel gives it back when this
// process ends, however it ends, so no lock is ever stale.
func lockDir(path string) (*os.File, error) {
	name := filepath.Join(path, lockFile)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, hint(fmt.Errorf("locking the data directory: %w", err),
			"the directory and the files in it must belong to the user that runs jotsmith")
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer f.Close()
		pid := "another process"
		raw, _ := io.ReadAll(io.LimitReader(f, 32))
		if who := strings.TrimSpace(string(raw)); who != "" {
			pid = "process " + who
		}
		return nil, hint(fmt.Errorf("data directory %s is in use by %s", path, pid),
			"stop that process first (it ends cleanly on SIGTERM), or name another directory with --data")
	}
	if err != nil {
		f.Close()
		return nil, hint(fmt.Errorf("locking %s: %w", name, err),
			"the data directory must be on a file system that has locks")
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return f, nil
}

func (d *dataDir) database() string { return filepath.Join(d.path, databaseFile) }

// empty says whether the directory holds nothing but its lock.
func (d *dataDir) empty() (bool, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return false, fmt.Errorf("data directory: %w", err)
	}
	return len(entries) <= 1, nil
}

// isDev says whether the directory was made by the dev command.
func (d *dataDir) isDev() bool {
	_, err := os.Lstat(filepath.Join(d.path, devMark))
	return err == nil
}

// refuseDev refuses a directory whose passwords have been on a screen.
func (d *dataDir) refuseDev() error {
	if !d.isDev() {
		return nil
	}
	return hint(fmt.Errorf("data directory %s was made by 'jotsmith dev'; its passwords were shown on a terminal", d.path),
		"name another directory with --data")
}

// markDev marks an empty directory, and accepts one that is marked already.
func (d *dataDir) markDev() error {
	if d.isDev() {
		return nil
	}
	empty, err := d.empty()
	if err != nil {
		return err
	}
	if !empty {
		return hint(fmt.Errorf("data directory %s holds something that 'jotsmith dev' did not make", d.path),
			"name an empty directory with --data, or leave --data out")
	}
	return wrap(os.WriteFile(filepath.Join(d.path, devMark), []byte(devMarkText), 0o600), "marking the data directory")
}

// Close gives the directory free.
func (d *dataDir) Close() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Close()
}
