package audit_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// act is what an act is called.
var act = regexp.MustCompile(`^(account|admin|session|token|key|keyring|api|role|app|store|audit)(\.[a-z_]+)+$`)

// TestActsAreDocumented looks for each act that the server's packages name in
// the table of docs/audit.md.
func TestActsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	look := func(path string) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if s, err := strconv.Unquote(lit.Value); err == nil && act.MatchString(s) {
				found++
				if !bytes.Contains(page, []byte("`"+s+"`")) {
					t.Errorf("%s: the act %s does not stand in docs/audit.md", path, s)
				}
			}
			return true
		})
	}
	for _, pkg := range []string{"account", "admin", "app", "catalog", "feed", "httpapi", "keyring", "session"} {
		err := filepath.WalkDir("../"+pkg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				look(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	look("../../cmd/jotsmith/node_store.go")
	if found < 20 {
		t.Errorf("only %d acts were found: they are looked for in the wrong place", found)
	}
}
