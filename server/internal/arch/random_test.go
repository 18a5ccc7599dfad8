package arch

import (
	"slices"
	"strings"
	"testing"
)

// Numbers that somebody could guess are for spreading waits and choosing among
// equals, for the load generator and for the ports of tests; everything else takes them from the system,
// where a failure ends the process. Patterns are matched in statements that are
// part of the program, and nowhere else.
func TestFLT06DOS07RandomAndPatterns(t *testing.T) {
	may := map[string][]string{
		"math/rand/v2": {"cmd/jotsmith", "internal/load", "internal/store/postgres", "internal/httpapi/oauth", "internal/realtest"},
		"math/rand":    nil,
		"regexp":       {"internal/store/schema"},
	}
	for _, line := range golist(t, `{{.ImportPath}} {{join .Imports " "}}`) {
		f := strings.Fields(line)
		for _, imp := range f[1:] {
			if who, rare := may[imp]; rare && !slices.Contains(who, strings.TrimPrefix(f[0], module+"/")) {
				t.Errorf("%s must not import %s", f[0], imp)
			}
		}
	}
}
