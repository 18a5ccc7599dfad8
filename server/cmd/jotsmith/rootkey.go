package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// dataFlags say where a server keeps everything, and what opens it.
type dataFlags struct {
	Config                 string `env:"JOTSMITH_CONFIG" placeholder:"PATH" help:"Configuration file (TOML). Flags and environment variables stand over it. By default none."`
	Data                   string `default:"./jotsmith-data" env:"JOTSMITH_DATA" placeholder:"DIR" help:"Directory that holds the database (${default}); made 0700 where there is none."`
	Store                  string `env:"JOTSMITH_STORE" placeholder:"URL" help:"The PostgreSQL database that several nodes share, postgres://USER@HOST/NAME; by default a file in the data directory. A URL with a password belongs into the environment or the configuration file, not among the arguments."`
	RootKey                string `env:"JOTSMITH_ROOT_KEY" placeholder:"SOURCE" help:"The key that unseals all others: file:PATH or env:NAME. By default the file DIR.root-key beside the data directory, made on the first run. Keep a copy apart from backups of the data: without it the keys in there are lost."`
	DangerouslyAcceptClock bool   `env:"JOTSMITH_DANGEROUSLY_ACCEPT_CLOCK" help:"Start although the clock is behind the database's time, and take the clock's word for it. Only where the database's time was wrong."`

	keyLead time.Duration // of a key that is announced; 0 is the usual one
}

// A rootKeySource is where the root key comes from.
type rootKeySource struct {
	file string // a path, or
	env  string // the name of an environment variable
}

// maxRootKeys bounds the size of what a source holds.
const maxRootKeys = 16 << 10

func parseRootKeySource(source, data string) (rootKeySource, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return rootKeySource{}, fmt.Errorf("data directory: %w", err)
	}
	if source == "" {
		return rootKeySource{file: data + ".root-key"}, nil
	}
	kind, name, _ := strings.Cut(source, ":")
	switch {
	case kind == "env" && name != "":
		return rootKeySource{env: name}, nil
	case kind != "file" || name == "":
		// The value is not repeated: somebody may have put the key itself here.
		return rootKeySource{}, usagef("--root-key must be file:PATH or env:NAME")
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return rootKeySource{}, fmt.Errorf("root key file: %w", err)
	}
	if inside(path, data) {
		return rootKeySource{}, hint(fmt.Errorf("root key file %s lies in the data directory, so that one stolen backup would hold both", path),
			"move it beside the directory and name it with --root-key file:PATH")
	}
	return rootKeySource{file: path}, nil
}

// inside says whether path lies in dir, also by way of symbolic links.
func inside(path, dir string) bool {
	if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(real, filepath.Base(path))
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// read answers the root keys, and whether a file was made for them. That is
// only on the first run: where a database stands already, a new key would not
// open it.
func (s rootKeySource) read(first bool) (keys keyring.RootKeys, made bool, err error) {
	if s.env != "" {
		value, ok := os.LookupEnv(s.env)
		if !ok {
			return keys, false, hint(fmt.Errorf("the environment variable %s, which should hold the root key, is not set", s.env),
				"set it, or name another source with --root-key")
		}
		keys, err = keyring.ParseRootKeys([]byte(value))
		return keys, false, wrap(err, "root key in "+s.env)
	}
	raw, err := readSecretFile(s.file, "root key", maxRootKeys)
	switch {
	case errors.Is(err, os.ErrNotExist) && first:
		if raw, err = s.create(); err != nil {
			return keys, false, err
		}
		made = true
	case errors.Is(err, os.ErrNotExist):
		return keys, false, hint(fmt.Errorf("root key file %s is missing, and the database was made with one", s.file),
			"put it back from where you keep its copy, or name it with --root-key file:PATH; nothing was changed")
	case err != nil:
		return keys, false, err
	}
	keys, err = keyring.ParseRootKeys(raw)
	return keys, made, hint(wrap(err, "root key file "+s.file), "put the file back from where you keep its copy; nothing was changed")
}

// create writes a new root key, never over another.
func (s rootKeySource) create() ([]byte, error) {
	line := []byte(keyring.NewRootKey() + "\n")
	if err := writeSecretFile(s.file, line, false); err != nil {
		return nil, hint(fmt.Errorf("making the root key: %w", err), "name a place that you may write with --root-key file:PATH")
	}
	return line, nil
}

// readSecretFile reads the file of a what, of at most limit bytes, and refuses
// one that others may read.
func readSecretFile(path, what string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w", what, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the %s: %w", what, err)
	}
	switch perm := info.Mode().Perm(); {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s %s is not a regular file", what, path)
	case perm&0o077 != 0:
		return nil, hint(fmt.Errorf("%s file %s may be read by others (mode %04o)", what, path, perm),
			"chmod 600 %s, and make a new %s if others have had access", path, what)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s file %s has %d bytes: at most %d", what, path, info.Size(), limit)
	}
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	return raw, wrap(err, "reading the "+what)
}
