package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// File keeps states by name in a file that only its owner may read, so that a
// program may be signed in at several servers, and several processes share what
// keeps them signed in. They change it one after the other.
type File struct {
	path, name string
}

// NewFile is a store in the file of that path, made when it is needed with its
// folder. name tells its states apart: the issuer's URL, and the audience behind
// it where one program has tokens for several.
func NewFile(path, name string) *File { return &File{path, name} }

// maxFile is far beyond any number of log-ins.
const maxFile = 4 << 20

// Update implements [Store].
func (f *File) Update(ctx context.Context, change func(*State) error) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return fmt.Errorf("keeping the log-in: %w", err)
	}
	unlock, err := f.lock(ctx)
	if err != nil {
		return fmt.Errorf("keeping the log-in: %w", err)
	}
	defer unlock()
	all, err := f.read()
	if err != nil {
		return fmt.Errorf("reading the log-in: %w", err)
	}
	was := all[f.name]
	s := was
	if err := change(&s); err != nil {
		return err
	}
	if s == was {
		return nil
	}
	all[f.name] = s
	if s == (State{}) {
		delete(all, f.name)
	}
	if err := f.write(all); err != nil {
		return fmt.Errorf("keeping the log-in: %w", err)
	}
	return nil
}

func (f *File) read() (map[string]State, error) {
	all := map[string]State{}
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	about, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !about.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", f.path)
	case about.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return nil, fmt.Errorf("%s can be read by others, who could be you: chmod 600 it, and log in again", f.path)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return nil, err
	}
	if len(text) > 0 && json.Unmarshal(text, &all) != nil { // whose error may quote it
		return nil, fmt.Errorf("%s is damaged: remove it and log in again", f.path)
	}
	return all, nil
}

// write replaces the file whole, so that nobody reads half of it.
func (f *File) write(all map[string]State) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), f.path)
}

// lock waits for its turn among all processes.
func (f *File) lock(ctx context.Context) (unlock func(), err error) {
	file, err := openLock(f.path + ".lock")
	if err != nil {
		return nil, err
	}
	for {
		taken, err := tryLock(file)
		switch {
		case err != nil:
			file.Close()
			return nil, err
		case taken:
			return func() { file.Close() }, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("another process holds %s.lock: %w", f.path, context.Cause(ctx))
		}
	}
}
