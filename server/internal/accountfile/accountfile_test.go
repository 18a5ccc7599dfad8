package accountfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/accountfile"
)

// shown is what was read, in one line for each account.
func shown(lines []account.ImportLine) string {
	var all []string
	for _, l := range lines {
		all = append(all, fmt.Sprintf("%d %s|%s|%s|%s|%v|%s", l.Line, l.Username, l.DisplayName, strings.Join(l.Roles, ","), l.PasswordHash, l.Disabled, l.Claims))
	}
	return strings.Join(all, "\n")
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, text, want, bad string }{
		{"lines", "a.jsonl", `{"username":"ada","display_name":"Ada","roles":["a","b"],"password_hash":"x","disabled":true,"claims":{"n":1}}` + "\n\n" + `{"username":"bob"}`,
			"1 ada|Ada|a,b|x|true|{\"n\":1}\n3 bob||||false|", ""},
		{"CRLF and a mark", "a.NDJSON", "\uFEFF{\"username\":\"ada\"}\r\n", "1 ada||||false|", ""},
		{"bad lines", "a.jsonl", "{\n[]\n\"x\"\n{} {}\nnull\n{\"username\":\"ok\"}\n{\"username\":1}\n{\"Username\":\"x\"}\n{\"username\":\"a\",\"\\u0075sername\":\"b\"}\n{\"roles\":\"a\"}\n{\"disabled\":\"no\"}",
			"6 ok||||false|", "1 2 3 4 5 7 8 9 10 11"},
		{"a table", "a.csv", "username,roles,password_hash,disabled,claims,display_name\nada,a  b,x,1,\"{\"\"n\"\":1}\",\"Ada,\nL.\"\nbob,,y,,,\n",
			"2 ada|Ada,\nL.|a,b|x|true|{\"n\":1}\n4 bob|||y|false|", ""},
		{"bad rows", "a.csv", "username,password_hash,disabled\na,b\nc,d,e\nf,\"g\"h,true\ni,j,false\nk,l,m,n\n", "5 i|||j|false|", "2 3 4 6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lines, bad, err := accountfile.Read(c.file, strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := shown(lines); got != c.want {
				t.Errorf("read %s\nwant %s", got, c.want)
			}
			var at []string
			for _, b := range bad {
				at = append(at, fmt.Sprint(b.Line))
			}
			if got := strings.Join(at, " "); got != c.bad {
				t.Errorf("bad lines %s, want %s: %v", got, c.bad, bad)
			}
		})
	}
}

func TestReadRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"nothing":         {"a.jsonl", "\n\n", "no accounts"},
		"an empty table":  {"a.csv", "", "no accounts"},
		"a heading only":  {"a.csv", "username,password_hash\n", "no accounts"},
		"another kind":    {"a.xml", "<a/>", "neither .jsonl nor .csv"},
		"no kind":         {"jsonl", "{}", "neither .jsonl nor .csv"},
		"a long line":     {"a.jsonl", `{"username":"` + strings.Repeat("x", 70<<10) + `"}`, "64 KiB"},
		"unknown column":  {"a.csv", "username,password_hash,is_admin\n", `"is_admin"`},
		"a column twice":  {"a.csv", "username,password_hash,username\n", "twice"},
		"missing column":  {"a.csv", "username,roles\n", `"password_hash"`},
		"no heading":      {"a.csv", "$2b$10$x,ada\n", `column "…"`},
		"quote in a head": {"a.csv", "\"username\n", "heading"},
	} {
		if lines, bad, err := accountfile.Read(c.file, strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) || len(lines) > 0 {
			t.Errorf("%s: %d lines, %v, %v", name, len(lines), bad, err)
		}
	}
	if _, _, err := accountfile.Read("a.jsonl", broken{}); !errors.Is(err, errBroken) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	if _, _, err := accountfile.Read("a.csv", broken{}); !errors.Is(err, errBroken) {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

// FuzzRead says that no file panics, and that each bad line has its number and a
// short reason.
func FuzzRead(f *testing.F) {
	f.Add(true, `{"username":"ada","password_hash":"SECRET"}`)
	f.Add(true, `{"password_hash":["SECRET"]}`)
	f.Add(false, "username,password_hash\nada,SECRET\nbob,\"SECRET\"x\n")
	f.Fuzz(func(t *testing.T, lines bool, text string) {
		name := "a.csv"
		if lines {
			name = "a.jsonl"
		}
		all, bad, err := accountfile.Read(name, strings.NewReader(text))
		if err == nil && len(all)+len(bad) == 0 {
			t.Error("neither accounts nor an error")
		}
		for _, b := range bad {
			if b.Line < 1 || b.Err == nil || len(b.Error()) > 300 {
				t.Errorf("%d: %v", b.Line, b.Err)
			}
		}
	})
}
