package jws_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// vectors reads one file of the public test vectors into v.
func vectors(t *testing.T, file string, v any) {
	t.Helper()
	root := os.Getenv("JOTSMITH_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "vectors")
	}
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no vectors: %v", err)
		}
		t.Skip("no vectors: set JOTSMITH_VECTORS to a folder with wycheproof/ of github.com/C2SP/wycheproof and rfc7520/ of github.com/ietf-jose/cookbook")
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatal(err)
	}
}
