//go:build linux

package load

import (
	"os"
	"testing"
)

func TestReadUsage(t *testing.T) {
	t.Parallel()
	before, err := ReadUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 1_000_000 {
		bucket(1)
	}
	after, err := ReadUsage(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after.CPU <= before.CPU || after.Resident < 1<<20 || after.Threads < 1 || after.Descriptors < 1 {
		t.Errorf("used %+v, then %+v", before, after)
	}
	if _, err := ReadUsage(1 << 30); err == nil {
		t.Error("a process that is not there uses something")
	}
}
