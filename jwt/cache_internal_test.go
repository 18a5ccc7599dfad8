package jwt

import (
	"testing"
	"unsafe"
)

// An entry must not take more than it is charged for.
func TestEntrySize(t *testing.T) {
	t.Parallel()
	// Two allocations are rounded up to a size class, by an eighth at most.
	if need := unsafe.Sizeof(entry{}) * 9 / 8; need > entrySize {
		t.Errorf("an entry takes %d bytes and is charged for %d", need, entrySize)
	}
	t.Logf("%d bytes", unsafe.Sizeof(entry{}))
}
