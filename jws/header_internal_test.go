package jws

import (
	"fmt"
	"strings"
	"testing"
)

// What is remembered of headers is the last few, and none of unusual length.
func TestHeaderCacheIsBounded(t *testing.T) {
	t.Parallel()
	var c headerCache
	for i := range 3 * maxKnownHeaders {
		text := fmt.Sprint("header", i)
		c.add(text, Header{KeyID: text})
		if h, ok := c.find(text); !ok || h.KeyID != text {
			t.Errorf("%s: %+v, %v", text, h, ok)
		}
	}
	if n := len(*c.known.Load()); n != maxKnownHeaders {
		t.Errorf("%d headers", n)
	}
	if _, ok := c.find("header0"); ok {
		t.Error("the oldest is still there")
	}
	long := strings.Repeat("x", 2000)
	c.add(long, Header{})
	if _, ok := c.find(long); ok {
		t.Error("a header of 2000 bytes is kept")
	}
}
