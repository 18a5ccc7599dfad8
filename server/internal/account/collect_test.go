package account

import (
	"net/netip"
	"runtime"
	"runtime/debug"
	"testing"
)

// What hashes leave is gone when they end, although so much is in use that the
// collector by itself would wait for three of them. Not parallel: it looks at the
// memory of the whole process.
func TestHashesLeaveNothing(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	s := &Service{params: DefaultHash, slots: newSlots(1, 1)}
	inUse := make([]byte, 64<<20)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for n := range 5 {
		if _, err := s.hash(t.Context(), netip.IPv4Unspecified(), "correct horse"); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if after.HeapAlloc > before.HeapAlloc+enough+1<<20 {
			t.Errorf("after hash %d: %d MB more than before", n+1, (after.HeapAlloc-before.HeapAlloc)>>20)
		}
	}
	runtime.KeepAlive(inUse)
}
