package sqlite

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// disk is what a disk holds of a database.
type disk struct{ base, log []byte }

func diskOf(t *testing.T, s *Store) disk {
	return disk{read(t, s.path), read(t, s.path+"-wal")}
}

// cut is what a disk may hold when the power goes while it writes what turns
// was into is, before that was synced: of the sectors that differ, any.
func cut(was, is []byte, rnd *rand.Rand) []byte {
	const sector = 512
	left := bytes.Clone(is)
	if rnd.IntN(2) == 0 { // whether the file had its new length already
		left = left[:min(len(is), max(len(was), rnd.IntN(len(is)+1)))]
	}
	kept := rnd.Float64()
	for at := 0; at < len(left); at += sector {
		if rnd.Float64() < kept {
			continue
		}
		end := min(at+sector, len(left))
		clear(left[at:end]) // what was never written
		if at < len(was) {
			copy(left[at:end], was[at:])
		}
	}
	return left
}

// FLT-04: the power goes in the middle of a commit or of folding the log into
// the file, and any of what was not synced is lost, in any order. What was
// answered before is there, and nothing by half.
func TestFLT04PowerCut(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	s := open(t, Config{})
	add(t, s, 0, 20)
	n := 20
	try := func(t *testing.T, name string, left disk, answered int) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "jotsmith.db")
		write(t, path, left.base)
		write(t, path+"-wal", left.log)
		again, err := Open(t.Context(), Config{Path: path, Log: quiet})
		if err != nil {
			t.Fatalf("%s: not opened: %v", name, err)
		}
		defer again.Close()
		got := names(t, again)
		want := slices.Clone(names(t, s))
		slices.Sort(want)
		if len(got) < answered || fmt.Sprint(got) != fmt.Sprint(want[:len(got)]) {
			t.Errorf("%s: %d were answered, %d are there: %v", name, answered, len(got), got)
		}
		records, _, err := again.Records(t.Context(), 0, 10_000)
		if err != nil || len(records) != len(got) {
			t.Errorf("%s: %d events for %d accounts, %v", name, len(records), len(got), err)
		}
		if err := again.Integrity(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	grew := func(step func()) (was, is disk) {
		was = diskOf(t, s)
		step()
		return was, diskOf(t, s)
	}
	for range damages(12, 16) {
		// A commit, of which the log's tail may not be there.
		answered := n
		was, is := grew(func() { add(t, s, n, 1) })
		n++
		try(t, "while committing", disk{was.base, cut(was.log, is.log, rnd)}, answered)

		// The log was synced before any of it is written to the file.
		was, is = grew(func() { execute(t, s.path, `PRAGMA wal_checkpoint(PASSIVE)`) })
		if bytes.Equal(was.base, is.base) || !bytes.Equal(was.log, is.log) {
			t.Fatal("the log was not folded into the file")
		}
		try(t, "while folding", disk{cut(was.base, is.base, rnd), is.log}, n)

		// The file was synced before the log begins anew.
		answered = n
		was, is = grew(func() { add(t, s, n, 1) })
		n++
		if bytes.Equal(was.log[:32], is.log[:32]) {
			t.Fatal("the log did not begin anew")
		}
		try(t, "while beginning a new log", disk{was.base, cut(was.log, is.log, rnd)}, answered)
	}
}
