package strictjson_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/internal/strictjson"
)

func TestObject(t *testing.T) {
	t.Parallel()
	got, err := strictjson.Object(" {\"a\" : 1 , \"\\u0062\":[ {\"c\":null} ], \"\":\"x\\ny\"}\n", 3, nil)
	want := []strictjson.Member{{"a", "1"}, {"b", `[ {"c":null} ]`}, {"", `"x\ny"`}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Object = %q, %v", got, err)
	}
	for _, text := range []string{"", " ", "[]", "null", "{", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{a:1}`, `{"a":1}x`, `{"a":1}{}`} {
		if _, err := strictjson.Object(text, 3, nil); err == nil {
			t.Errorf("Object(%q) accepted", text)
		}
	}
}

func TestArray(t *testing.T) {
	t.Parallel()
	got, err := strictjson.Array(` [1, "a" ,{"b":[]}] `, 3, nil)
	if want := []string{"1", `"a"`, `{"b":[]}`}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Array = %q, %v", got, err)
	}
	for _, text := range []string{"", "{}", "[", "[1,]", "[,1]", "[1 2]", "[]]", "1"} {
		if _, err := strictjson.Array(text, 3, nil); err == nil {
			t.Errorf("Array(%q) accepted", text)
		}
	}
}

func TestJWS13Duplicates(t *testing.T) {
	t.Parallel()
	many := func(n int, extra string) string {
		var b strings.Builder
		b.WriteString("{")
		for i := range n {
			fmt.Fprintf(&b, `"n%d":0,`, i)
		}
		return b.String() + extra + ":1}"
	}
	for _, c := range []struct {
		name, text string
		ok         bool
	}{
		{"twice", `{"alg":"a","alg":"b"}`, false},
		{"twice the same", `{"alg":"a","alg":"a"}`, false},
		{"escaped is the same name", `{"alg":"a","\u0061lg":"b"}`, false},
		{"nested", `{"a":{"b":1,"b":2}}`, false},
		{"nested in an array", `{"a":[{"b":1,"b":2}]}`, false},
		{"empty names", `{"":1,"":2}`, false},
		{"names are case sensitive", `{"alg":"a","ALG":"b","Alg":"c"}`, true},
		{"same name at two depths", `{"a":{"a":{"a":1}}}`, true},
		{"same name in two siblings", `{"x":{"a":1},"y":{"a":1}}`, true},
		{"the first of 15", many(15, `"n0"`), false},
		{"the 16th of 16", many(16, `"n15"`), false},
		{"the 17th of 20", many(20, `"n16"`), false},
		{"the last of 1000", many(1000, `"n999"`), false},
		{"the first of 1000", many(1000, `"n0"`), false},
		{"1001 names", many(1000, `"n1000"`), true},
		{"byte order mark", "\ufeff{}", false},
		{"UTF-16", "{\x00}\x00", false},
		{"trailing bytes", `{}{}`, false},
		{"trailing NUL", "{}\x00", false},
		{"lone high surrogate", `{"a":"\ud800"}`, false},
		{"lone low surrogate", `{"a":"\udc00"}`, false},
		{"surrogates in the wrong order", `{"a":"\udc00\ud800"}`, false},
		{"high surrogate before a letter", `{"a":"\ud800\u0061"}`, false},
		{"pair", `{"a":"\ud83d\ude00"}`, true},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", false},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", false},
		{"overlong UTF-8", "{\"a\":\"\xc0\xaf\"}", false},
		{"invalid UTF-8 in a name", "{\"\xff\":1}", false},
		{"number out of range", `{"a":1e400}`, false},
		{"number too long", `{"a":` + strings.Repeat("1", 129) + `}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := strictjson.Object(c.text, 16, nil)
			if (err == nil) != c.ok {
				t.Errorf("Object: %v", err)
			}
			if err := strictjson.Check(c.text, 16); (err == nil) != c.ok {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct {
		name, text string
		depth      int
		ok         bool
	}{
		{"no container", "1", 0, true},
		{"one container too many", "[]", 0, false},
		{"as deep as allowed", nested(16), 16, true},
		{"one deeper", nested(17), 16, false},
		{"objects", strings.Repeat(`{"a":`, 16) + "1" + strings.Repeat("}", 16), 16, true},
		{"objects, one deeper", strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17), 16, false},
		{"a million", strings.Repeat("[", 1_000_000), 16, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := strictjson.Check(c.text, c.depth); (err == nil) != c.ok {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// A hostile object of many names costs time in proportion to its size.
func TestManyNames(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("{")
	for i := range 200_000 {
		fmt.Fprintf(&b, `"%06d":0,`, i)
	}
	b.WriteString(`"x":0}`)
	began := time.Now()
	if err := strictjson.Check(b.String(), 1); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw, want string
		ok        bool
	}{
		{`""`, "", true},
		{`"abc"`, "abc", true},
		{`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t", true},
		{`"a\u0000b"`, "a\x00b", true},
		{`"\ud83d\ude00\u20AC\u00e4"`, "😀€ä", true},
		{`1`, "", false},
		{`null`, "", false},
		{`["a"]`, "", false},
		{``, "", false},
	} {
		if got, ok := strictjson.String(c.raw); got != c.want || ok != c.ok {
			t.Errorf("String(%s) = %q, %v", c.raw, got, ok)
		}
		if got, ok := strictjson.Literal(c.raw); got != c.want || ok != c.ok {
			t.Errorf("Literal(%s) = %q, %v", c.raw, got, ok)
		}
	}
	for _, text := range []string{`"`, `"\`, `"\0`, `"\0"`, `"\u00"`, `"\ud800"`, `"a`, `"a""`, `"a" `, ` "a"`, "\"\x00\"", "\"\xff\""} {
		if got, ok := strictjson.Literal(text); ok {
			t.Errorf("Literal(%q) = %q", text, got)
		}
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw  string
		want []string
		ok   bool
	}{
		{`[]`, nil, true},
		{`[ ]`, nil, true},
		{`["a"]`, []string{"a"}, true},
		{`[ "a" , "\u0062" ]`, []string{"a", "b"}, true},
		{`["a","b","c"]`, []string{"a", "b", "c"}, true},
		{`["a","b","c","d"]`, nil, false},
		{`"a"`, nil, false},
		{`[1]`, nil, false},
		{`["a",1]`, nil, false},
		{`["a",["b"]]`, nil, false},
		{`[null]`, nil, false},
		{`{}`, nil, false},
		{``, nil, false},
	} {
		got, ok := strictjson.Strings(c.raw, 3, nil)
		if ok != c.ok || ok && !reflect.DeepEqual(got, c.want) {
			t.Errorf("Strings(%s) = %q, %v", c.raw, got, ok)
		}
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw      string
		seconds  int64
		fraction bool
		ok       bool
	}{
		{"0", 0, false, true},
		{"1300819380", 1300819380, false, true},
		{"1300819380.0", 1300819380, false, true},
		{"1300819380.9", 1300819380, true, true},
		{"1.3e9", 1300000000, false, true},
		{"253402300799", 253402300799, false, true},
		{"253402300800", 0, false, false},
		{"292277026596", 0, false, false},
		{"1e18", 0, false, false},
		{"999999999999999999", 0, false, false},
		{"9999999999999999999999", 0, false, false},
		{"-1", 0, false, false},
		{"-0", 0, false, false},
		{`"1300819380"`, 0, false, false},
		{"true", 0, false, false},
		{"null", 0, false, false},
		{"NaN", 0, false, false},
		{"", 0, false, false},
	} {
		seconds, fraction, ok := strictjson.Date(c.raw)
		if ok != c.ok || ok && (seconds != c.seconds || fraction != c.fraction) {
			t.Errorf("Date(%s) = %d, %v, %v", c.raw, seconds, fraction, ok)
		}
	}
}

type inner struct {
	Role string `json:"role"`
}

type embedded struct {
	Tenant string `json:"tenant"`
}

type outer struct {
	embedded
	Plan    string           `json:"plan"`
	Bare    int              // no tag
	Hidden  string           `json:"-"`
	Inner   inner            `json:"inner"`
	Pointer *inner           `json:"pointer"`
	List    []inner          `json:"list"`
	ByName  map[string]inner `json:"by_name"`
	Raw     json.RawMessage  `json:"raw"`
	When    time.Time        `json:"when"`
	Any     any              `json:"any"`
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       outer
	}{
		{"exact names", `{"plan":"team","Bare":1,"tenant":"t","inner":{"role":"a"}}`,
			outer{embedded: embedded{"t"}, Plan: "team", Bare: 1, Inner: inner{"a"}}},
		{"another case fills nothing", `{"PLAN":"x","Plan":"y","bare":1,"TENANT":"t","hidden":"h","Hidden":"h"}`, outer{}},
		{"another case cannot override", `{"plan":"team","PLAN":"free"}`, outer{Plan: "team"}},
		{"nested, another case", `{"inner":{"ROLE":"admin"},"pointer":{"ROLE":"admin"},"list":[{"Role":"admin"},{"role":"b"}],"by_name":{"X":{"ROLE":"admin"}}}`,
			outer{Pointer: &inner{}, List: []inner{{}, {"b"}}, ByName: map[string]inner{"X": {}}}},
		{"folding beyond ASCII", `{"\u212aey":1,"inner":{"\u017fole":"x"}}`, outer{}},
		{"raw and self-decoding", `{"raw":{"A":1},"when":"2026-03-01T12:00:00Z"}`,
			outer{Raw: json.RawMessage(`{"A":1}`), When: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}},
		{"any keeps names", `{"any":{"A":1,"a":2}}`, outer{Any: map[string]any{"A": 1.0, "a": 2.0}}},
		{"escaped name", `{"pl\u0061n":"team"}`, outer{Plan: "team"}},
		{"null", `{"inner":null,"pointer":null,"list":null}`, outer{}},
		{"white space", " \n{ \"plan\" : \"team\" } \n", outer{Plan: "team"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got outer
			if err := strictjson.Unmarshal([]byte(c.text), &got, 16); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	for _, text := range []string{`{"plan":"a","plan":"b"}`, `{"plan":1}`, `{"unknown":"\ud800"}`, `[]`, ``, `{} x`} {
		if err := strictjson.Unmarshal([]byte(text), new(outer), 16); err == nil {
			t.Errorf("Unmarshal(%s) accepted", text)
		}
	}
	if err := strictjson.Unmarshal([]byte("{}"), nil, 16); err == nil {
		t.Error("nil target accepted")
	}
}

type Recursive struct {
	*Recursive
	Name  string       `json:"name"`
	Below []*Recursive `json:"below"`
}

func TestUnmarshalRecursiveType(t *testing.T) {
	t.Parallel()
	var v Recursive
	if err := strictjson.Unmarshal([]byte(`{"name":"a","below":[{"name":"b","NAME":"x"}]}`), &v, 16); err != nil || v.Below[0].Name != "b" {
		t.Errorf("%+v, %v", v, err)
	}
}

// Whatever is accepted, encoding/json accepts too and understands alike.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `{"a":1,"b":[true,false,null,"x"]}`, `{"a":{"b":1,"b":2}}`, `"\ud83d\ude00"`, `"\ud800"`,
		`-0.1e+10`, `1e400`, `{"a":1}x`, "\ufeff{}", `{"iss":"x","aud":["a","b"],"exp":1300819380}`, `[1,`, `"\u00`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strictjson.Check(s, 16) != nil {
			return
		}
		var want any
		if err := json.Unmarshal([]byte(s), &want); err != nil {
			t.Fatalf("%q accepted, and encoding/json says %v", s, err)
		}
		if str, ok := want.(string); ok {
			if got, ok := strictjson.String(strings.Trim(s, " \t\r\n")); !ok || got != str {
				t.Fatalf("String(%q) = %q, %v", s, got, ok)
			}
		}
		if object, ok := want.(map[string]any); ok {
			members, err := strictjson.Object(s, 16, nil)
			if err != nil || len(members) != len(object) {
				t.Fatalf("Object(%q) = %q, %v", s, members, err)
			}
			for _, m := range members {
				var v any
				if err := json.Unmarshal([]byte(m.Value), &v); err != nil || !reflect.DeepEqual(v, object[m.Name]) {
					t.Fatalf("member %q of %q: %q", m.Name, s, m.Value)
				}
			}
			var same map[string]any
			if err := strictjson.Unmarshal([]byte(s), &same, 16); err != nil || !reflect.DeepEqual(same, object) {
				t.Fatalf("Unmarshal(%q) = %v, %v", s, same, err)
			}
		}
	})
}

func BenchmarkObject(b *testing.B) {
	text := `{"iss":"https://auth.example.com","sub":"acc_01jd3s9f0m7v8q2k4x6z","aud":"https://tasks.example.com","exp":1772366460,"iat":1772366400,"nbf":1772366400,"jti":"Zk3Wc0t6q8mQv2n5y7b9Aw","sid":"Zk3Wc0t6q8mQv2n5y7b9Aw","client_id":"app_dashboard","scope":"tasks:read tasks:write profile","roles":["editor","reviewer"],"tenant":"org_7f3a9c","plan":"team"}`
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var room [24]strictjson.Member
		if _, err := strictjson.Object(text, 16, room[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

// Every byte at every place of a string is judged alike.
func TestEveryByteEverywhere(t *testing.T) {
	t.Parallel()
	for place := range 20 {
		for c := range 256 {
			text := []byte(`"` + strings.Repeat("a", 20) + `"`)
			text[1+place] = byte(c)
			want := c >= 0x20 && c < 0x80 && c != '"' && c != '\\'
			if err := strictjson.Check(string(text), 1); (err == nil) != want {
				t.Errorf("byte %#x at place %d: %v", c, place, err)
			}
		}
	}
}

func TestBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		limit int
		ok    bool
	}{
		{`{}`, 0, true},
		{`{"a":1}`, 0, false},
		{`{"a":1,"b":2}`, 2, true},
		{`{"a":1,"b":2}`, 1, false},
		{`{"a":{"b":{"c":1}}}`, 3, true},
		{`{"a":{"b":{"c":1}}}`, 2, false},
		{`{"a":[{"b":1},{"b":1}]}`, 3, true},
		{`{"a":[{"b":1},{"b":1}]}`, 2, false},
	} {
		if members, err := strictjson.BoundedObject(c.text, 8, c.limit, nil); (err == nil) != c.ok || len(members) > c.limit {
			t.Errorf("%s with at most %d members: %v, %v", c.text, c.limit, members, err)
		}
	}
	for _, c := range []struct {
		text  string
		limit int
		ok    bool
	}{
		{`[]`, 0, true},
		{`[1]`, 0, false},
		{`[1,[2,3]]`, 2, true},
		{`[1,2,3]`, 2, false},
		{`[1,2,`, 2, false},
	} {
		if elements, err := strictjson.BoundedArray(c.text, 8, c.limit, nil); (err == nil) != c.ok || len(elements) > c.limit {
			t.Errorf("%s with at most %d elements: %v, %v", c.text, c.limit, elements, err)
		}
	}
}
