package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/wire"
)

const bcryptHash = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"

// imported is a line of an import.
func imported(username, more string) string {
	return fmt.Sprintf(`{"username":%q,"password_hash":%q%s}`, username, bcryptHash, more)
}

// A batch is all or nothing, each bad line is named, and one that is sent again
// does no harm.
func TestImport(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin").tokens.AccessToken
	const route = "/v1/admin/import"
	batch := lines(imported("ada", `,"roles":["viewer"]`) + "\n\n" + imported("bob", `,"disabled":true`) + "\n")

	got := read[wire.AccountsImported](t, n.do("POST", route+"?dry_run=true", batch, boss), 200)
	if got.Imported != 0 || !got.DryRun || got.Hashes["bcrypt"] != 2 {
		t.Errorf("a dry run: %+v", got)
	}
	if got = read[wire.AccountsImported](t, n.do("POST", route, batch, boss), 200); got.Imported != 2 || got.DryRun {
		t.Errorf("imported %+v", got)
	}
	if got = read[wire.AccountsImported](t, n.do("POST", route+"?existing=skip", batch, boss), 200); got.Imported != 0 || got.Skipped != 2 {
		t.Errorf("again: %+v", got)
	}

	before := n.recorded()
	for name, c := range map[string]struct {
		body lines
		bad  string // numbers of lines
	}{
		"there already": {batch, "[1 3]"},
		"one of three":  {lines(imported("carl", "") + "\n" + imported("No Way", "") + "\n" + imported("dora", "")), "[2]"},
		"each otherwise": {lines(strings.Join([]string{"{", `{"username":"x","is_admin":true}`, imported("ADA", ""), imported("eve", `,"claims":{"sub":"root"}`),
			imported("eve", `,"roles":["Big Boss"]`), `{"username":"fay","password_hash":"s3cr3t"}`, "{\"username\":\"\xff\"}"}, "\n")), "[1 2 3 4 5 6 7]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := n.do("POST", route, c.body, boss)
			p := refused(t, w, wire.CodeInvalidRequest)
			var refusal struct{ Bad []wire.BadLine }
			if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil {
				t.Fatal(err)
			}
			var at []int
			for _, b := range refusal.Bad {
				at = append(at, b.Line)
			}
			if fmt.Sprint(at) != c.bad || !strings.HasPrefix(p.Detail, "nothing was imported") {
				t.Errorf("%s, want the lines %s", w.Body, c.bad)
			}
			if strings.Contains(w.Body.String(), "abcdefgh") || strings.Contains(w.Body.String(), "s3cr3t") {
				t.Errorf("a hash is told: %s", w.Body)
			}
		})
	}
	for name, c := range map[string]struct {
		target string
		body   any
		code   wire.Code
	}{
		"nothing":             {route, lines(""), wire.CodeInvalidRequest},
		"JSON, but no lines":  {route, `{"accounts":[]}`, wire.CodeUnsupportedMediaType},
		"too many":            {route, lines(strings.Repeat("{}\n", 1001)), wire.CodeInvalidRequest},
		"too large":           {route, lines(strings.Repeat(imported("x", "")+"\n", 12_000)), wire.CodeBodyTooLarge},
		"a line too long":     {route, lines(`{"username":"` + strings.Repeat("x", 70_000) + `"}`), wire.CodeInvalidRequest},
		"perhaps dry":         {route + "?dry_run=perhaps", batch, wire.CodeInvalidRequest},
		"what exists, anyhow": {route + "?existing=replace", batch, wire.CodeInvalidRequest},
		"another parameter":   {route + "?dryrun=true", batch, wire.CodeInvalidRequest},
	} {
		t.Run(name, func(t *testing.T) { refused(t, n.do("POST", c.target, c.body, boss), c.code) })
	}
	if after := n.recorded(); after != before {
		t.Errorf("%d events of what was refused", after-before)
	}
}

// Who may write accounts makes no administrators of them.
func TestADM03ImportedRoles(t *testing.T) {
	t.Parallel()
	n := open(t)
	writer := n.person("", only("jotsmith:accounts:write")).tokens.AccessToken
	w := n.do("POST", "/v1/admin/import", lines(imported("ada", "")+"\n"+imported("eve", `,"roles":["admin"]`)), writer)
	refused(t, w, wire.CodeInvalidRequest)
	if !strings.Contains(w.Body.String(), `"bad":[{"line":2,"error":"permission is missing`) {
		t.Errorf("%s", w.Body)
	}
	boss := n.person("", "admin").tokens.AccessToken
	if refused := n.do("GET", "/v1/admin/audit?act=admin.refuse", nil, boss).Body.String(); !strings.Contains(refused, `"rule":"jotsmith:accounts:write`) {
		t.Errorf("it is not on record: %s", refused)
	}
	if all := n.do("GET", "/v1/admin/accounts", nil, boss).Body.String(); strings.Contains(all, `"ada"`) || strings.Contains(all, `"eve"`) {
		t.Errorf("imported: %s", all)
	}
}

// The whole log by its parts, as whoever asks verifies it.
func TestExportByParts(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin").tokens.AccessToken
	for range 5 {
		n.person("", "viewer")
	}
	var seen, parts int
	var last string
	for after := "0"; ; {
		w := n.do("GET", "/v1/admin/audit/export?limit=4&after="+after, nil, boss)
		if w.Code != 200 || w.Header().Get("Content-Type") != wire.MediaTypeLines {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		r, err := audit.VerifyExport(w.Body, audit.Head{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen += int(r.Records)
		parts++
		if after, last = fmt.Sprint(r.Head.Seq), r.Head.String(); r.Records < 4 {
			break
		}
	}
	head, err := n.store.AuditHead(t.Context())
	if err != nil || uint64(seen) != head.Seq || last != head.String() || parts < 3 {
		t.Errorf("%d records in %d parts, up to %s, want %v, %v", seen, parts, last, head, err)
	}
	for _, target := range []string{"?after=-1", "?after=x", "?limit=0", "?limit=5001", "?before=1", "?after=1000000"} {
		refused(t, n.do("GET", "/v1/admin/audit/export"+target, nil, boss), wire.CodeInvalidRequest)
	}
}
