package jwt

import (
	"strings"
	"testing"
	"time"
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

// Texts that end alike share a hash, and none is taken for another.
func TestCacheComparesTheWholeText(t *testing.T) {
	t.Parallel()
	c := newCache(1<<20, 1<<14)
	end := "." + strings.Repeat("s", 43)
	for _, payload := range []string{"one", "two"} {
		e := &entry{compact: "header." + payload + end}
		e.token.claims.expires = 1 << 40
		c.add(e, time.Unix(0, 0))
	}
	for payload, want := range map[string]bool{"one": true, "two": true, "six": false, "": false} {
		text := "header." + payload + end
		if e := c.find(text); (e != nil) != want || want && e.compact != text {
			t.Errorf("%q: %v", text, e)
		}
	}
	if c.find("") != nil || c.find("s") != nil {
		t.Error("a text shorter than what is hashed was found")
	}
}
