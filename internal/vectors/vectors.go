// Package vectors finds public test vectors for the tests of this module. They
// are read where they lie and never copied into the module: without them, tests
// that need them are skipped, or fail where the environment says CI=true.
package vectors

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Dir returns a folder of the vectors: of that name in $JOTSMITH_VECTORS, or in
// ../shared/vectors beside the module.
func Dir(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("JOTSMITH_VECTORS")
	if root == "" {
		root = filepath.Join(moduleRoot(t), "..", "shared", "vectors")
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no vectors: %v", err)
		}
		t.Skip("no vectors: set JOTSMITH_VECTORS to a folder with wycheproof/ of github.com/C2SP/wycheproof, " +
			"rfc7520/ of github.com/ietf-jose/cookbook and jsontestsuite/ of github.com/nst/JSONTestSuite")
	}
	return dir
}

// JSON reads one file in a folder of the vectors into v.
func JSON(t testing.TB, folder, file string, v any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Dir(t, folder), filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// moduleRoot is the folder of go.mod, above that of the package under test.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
}
