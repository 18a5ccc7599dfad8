package e2e

import (
	"debug/elf"
	"testing"
)

// TestSizeOfBinary fails above 30 MB of what a stripped binary holds. A library
// that finds methods by names which the linker cannot know costs 12 MB: every
// exported method of every type stays.
func TestSizeOfBinary(t *testing.T) {
	t.Parallel()
	f, err := elf.Open(jotsmith)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var size uint64
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOBITS {
			size += s.Size
		}
	}
	if size > 30e6 {
		t.Errorf("the binary has %.1f MB: at most 30", float64(size)/1e6)
	}
	t.Logf("%.1f MB", float64(size)/1e6)
}
