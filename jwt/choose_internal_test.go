package jwt

import (
	"slices"
	"testing"

	"github.com/jotsmith/jotsmith/internal/strictjson"
)

// The quick search for "iss" finds what the parser of the claims finds, in every
// text that the parser accepts. What it says of any other text does not matter.
func FuzzFindIssuer(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"iss":"a"}`, ` { "x" : 1 , "iss" : "a" } `, `{"x":{"iss":"b"},"iss":"a"}`, `{"x":["iss","b",{"iss":"c"}],"iss":"a"}`,
		`{"x":"\"iss\":\"b\"","iss":"a"}`, `{"\u0069ss":"a"}`, `{"iss":"a\\"}`, `{"iss":["a"]}`, `{"iss":null,"x":"iss"}`, `{"x":"iss","y":"a"}`, `{"issuer":"b"}`,
		`{"iss`, `"iss"`, `["iss","a"]`, `{"iss":"a","iss":"b"}`, `{"x":"\\`, `}{"iss":"a"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw, found := findIssuer([]byte(text))
		members, err := strictjson.Object(text, strictjson.MaxDepth, nil)
		if err != nil {
			return
		}
		want := ""
		i := slices.IndexFunc(members, func(m strictjson.Member) bool { return m.Name == "iss" })
		if i >= 0 {
			want, _ = strictjson.String(members[i].Value)
		}
		got, _ := strictjson.Literal(raw)
		if found != (i >= 0) || got != want {
			t.Fatalf("%q: %q, %v; want %q", text, got, found, want)
		}
	})
}

func TestFindIssuerKeepsNothing(t *testing.T) {
	text := []byte(`{"a":1`)
	for len(text) < 12<<10 {
		text = append(text, `,"b":[{"c":"d\\"}]`...)
	}
	text = append(text, '}')
	if n := testing.AllocsPerRun(10, func() { findIssuer(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
