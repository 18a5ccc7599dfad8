package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Where everything is kept elsewhere, processes share a directory, which none
// of them makes.
func TestPlaceDataDir(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	for range 2 {
		dir, err := placeDataDir("postgres://db.example/jotsmith", path)
		if err != nil || dir.path != path {
			t.Fatal(dir, err)
		}
		defer dir.Close()
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	alone, err := placeDataDir("", path)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	if _, err := placeDataDir("", path); err == nil {
		t.Error("two processes work on one file")
	}
}
