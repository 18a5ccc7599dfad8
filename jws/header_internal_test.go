package jws

import (
	"encoding/json"
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

// Whatever a header is taken for, encoding/json reads the same in it.
func FuzzHeader(f *testing.F) {
	for _, text := range []string{
		`{"alg":"HS256"}`, `{"alg":"HS256","kid":"k","typ":"at+jwt"}`, `{"alg":"HS256","b64":false,"crit":["b64"]}`,
		`{"\u0061lg":"HS256","kid":"\ud83d\ude00"}`, `{"alg":"HS256","alg":"none"}`, `{"alg":"x","crit":[]}`, `{}`, ``,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain, err := parseHeader(text, false)
		unencoded, errUnencoded := parseHeader(text, true)
		if err == nil && errUnencoded == nil {
			t.Fatalf("%q is taken for both", text)
		}
		for _, c := range []struct {
			h         Header
			err       error
			unencoded bool
		}{{plain, err, false}, {unencoded, errUnencoded, true}} {
			if c.err != nil {
				if c.h != (Header{}) {
					t.Fatalf("%q: %+v, %v", text, c.h, c.err)
				}
				continue
			}
			var m map[string]any
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			alg, hasAlg := m["alg"].(string)
			kid, _ := m["kid"].(string)
			typ, _ := m["typ"].(string)
			if !hasAlg || c.h != (Header{alg, kid, typ}) {
				t.Fatalf("%q: %+v", text, c.h)
			}
			_, hasCrit := m["crit"]
			b64, hasB64 := m["b64"]
			if hasCrit != c.unencoded || hasB64 != c.unencoded || c.unencoded && b64 != false {
				t.Fatalf("%q: %+v", text, c.h)
			}
		}
	})
}
