package b64_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"one byte", "Zg", "f"},
		{"two bytes", "Zm8", "fo"},
		{"three bytes", "Zm9v", "foo"},
		{"eleven characters", "Zm9vYmFyYmE", "foobarba"},
		{"url alphabet", "-_-_", "\xfb\xff\xbf"},
		{"long", strings.Repeat("Zm9v", 50), strings.Repeat("foo", 50)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := b64.Decode([]byte("before "), c.in)
			if err != nil || string(got) != "before "+c.want {
				t.Errorf("Decode = %q, %v", got, err)
			}
		})
	}
}

func TestJWS12Base64(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in string }{
		{"padding", "Zg=="},
		{"padding alone", "="},
		{"standard alphabet", "+/+/"},
		{"space", "Zm9v Zm9v"},
		{"line feed inside", "Zm9v\nZm9v"},
		{"line feed at the end", "Zm9v\n"},
		{"carriage return", "Zm9v\r"},
		{"tab", "\tZm9v"},
		{"question mark", "Zm9?"},
		{"bits left over in two", "Zh"},
		{"bits left over in three", "Zm9"},
		{"length 1", "Z"},
		{"length 5", "Zm9vZ"},
		{"length 9", "Zm9vZm9vZ"},
		{"not ASCII", "Zm9ü"},
		{"NUL", "Zm9\x00"},
		{"in the first eight of many", "Zm=vZm9vZm9vZm9vZm9v"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got, err := b64.Decode(nil, c.in); err == nil {
				t.Errorf("accepted as %q", got)
			}
			if got, err := b64.Decode(nil, []byte(c.in)); err == nil {
				t.Errorf("bytes accepted as %q", got)
			}
		})
	}
}

// Every text has one meaning and every meaning one text.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "Zg", "Zh", "Zm8", "Zm9v", "Zg==", "Zm9v\n", "-_-_-_-_-_-_", "Zm9vZm9vZm9vZm9vZ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := b64.Decode(nil, s)
		want, wantErr := base64.RawURLEncoding.Strict().DecodeString(s)
		if strings.ContainsAny(s, "\r\n") {
			if err == nil {
				t.Fatalf("%q accepted", s)
			}
			return
		}
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("Decode(%q) = %x, %v; encoding/base64 says %x, %v", s, got, err, want, wantErr)
		}
		if err == nil && string(b64.Append(nil, got)) != s {
			t.Fatalf("%q is not the encoding of its own meaning", s)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text := b64.Encode(make([]byte, 450))
	var buf []byte
	for b.Loop() {
		buf, _ = b64.Decode(buf[:0], text)
	}
}
