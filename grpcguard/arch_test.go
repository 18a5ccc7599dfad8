package grpcguard_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// This module stands on what the library exports, and on gRPC.
func TestImports(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-f", `{{join .Imports " "}}`, ".")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	const library = "github.com/jotsmith/jotsmith/"
	for _, path := range strings.Fields(string(out)) {
		ours, is := strings.CutPrefix(path, library)
		switch first, _, _ := strings.Cut(path, "/"); {
		case is && slices.Contains([]string{"authz", "guard", "jwt", "wire"}, ours):
		case first == "google.golang.org", !strings.Contains(first, "."):
		default:
			t.Errorf("it must not import %s", path)
		}
	}
}
