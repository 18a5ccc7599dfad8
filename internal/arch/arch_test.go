package arch

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/jotsmith/jotsmith"

// rules is the whole architecture of the library: each package and the only
// packages of this module that it may import. A package missing from this
// list fails the test.
const rules = `
internal/arch:
internal/b64:
internal/strictjson:
internal/vectors:
internal/fipstest:
internal/conformance:
wire:
jwk:               internal/b64 internal/strictjson
jws:               internal/b64 internal/strictjson jwk
jwe:               internal/b64 internal/strictjson jwk
jwt:               internal/b64 internal/strictjson jwe jwk jws
authz:             jwt
internal/fetch:
internal/metadata: internal/fetch wire
jwks:              internal/fetch internal/metadata jwk jwt
revocation:        internal/b64 internal/fetch jwt
guard:             authz internal/fetch internal/metadata jwks jwt revocation wire
jotsmithtest:      jwk jwt revocation
client:            wire
examples/hello:    authz guard jwk jwt revocation
examples/tasks:    authz guard
examples/tasks/cmd/tasks: examples/tasks guard
examples/browser:  examples/tasks guard
`

// never lists what must stay out of reach, even transitively: the token core
// neither dials nor starts programs.
const never = `
internal/b64:        net os/exec
internal/strictjson: net os/exec
jwk:   net/http os/exec
jws:   net/http os/exec
jwe:   net/http os/exec
jwt:   net/http os/exec
authz: net/http os/exec
`

func TestImports(t *testing.T) {
	allowed := table(rules)
	for _, line := range golist(t, `{{.ImportPath}} {{join .Imports " "}}`) {
		pkg, imports := split(line)
		may, known := allowed[pkg]
		if !known {
			t.Errorf("%s: not in the rules; decide where it belongs", pkg)
		}
		for _, imp := range imports {
			if in, ok := strings.CutPrefix(imp, module+"/"); ok && !slices.Contains(may, in) {
				t.Errorf("%s must not import %s", pkg, in)
			}
		}
	}
}

func TestNever(t *testing.T) {
	banned := table(never)
	for _, line := range golist(t, `{{.ImportPath}} {{join .Deps " "}}`) {
		pkg, deps := split(line)
		for _, b := range banned[pkg] {
			if slices.Contains(deps, b) {
				t.Errorf("%s must not reach %s", pkg, b)
			}
		}
	}
}

// The library is nobody's burden: it requires no other module.
func TestNoRequirements(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if strings.HasPrefix(strings.TrimSpace(line), "require") {
			t.Errorf("go.mod of the library: %s", strings.TrimSpace(line))
		}
	}
}

// golist lists the packages of the root module alone: neither the workspace's
// other modules nor anything below node_modules.
func golist(t *testing.T, format string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", format, module+"/...")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func split(line string) (pkg string, rest []string) {
	f := strings.Fields(line)
	return strings.TrimPrefix(f[0], module+"/"), f[1:]
}

func table(s string) map[string][]string {
	m := make(map[string][]string)
	for line := range strings.Lines(strings.TrimSpace(s)) {
		pkg, rest, _ := strings.Cut(line, ":")
		m[strings.TrimSpace(pkg)] = strings.Fields(rest)
	}
	return m
}
