package arch

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const (
	library = "github.com/jotsmith/jotsmith"
	module  = library + "/server"
)

// rules is the whole architecture of the server: each package, and the only
// packages of this module ("i/" is internal/) and of the library ("l/") that
// it may import. A package missing from this list fails the test; so does an
// import of a store or a transport by a domain package, since none is listed.
const rules = `
internal/arch:
i/fault:
i/audit:
i/shared:           l/jwt
i/timing:
i/metrics:          i/timing
i/traces:           i/timing
i/checksum:
i/claims:
i/catalog:          i/audit i/claims i/fault l/jwk
i/mint:             i/claims i/keyring l/jwk l/jwt
i/account:          i/audit i/claims i/fault i/timing
i/accountfile:      i/account
i/keyring:          i/audit i/fault l/jwk l/jwt
i/status:           i/fault i/keyring l/jwk l/jws
i/app:              i/audit i/catalog i/checksum i/claims i/fault i/keyring i/mint i/status l/jwt
i/session:          i/account i/audit i/catalog i/checksum i/claims i/fault i/keyring i/mint i/status l/jwk l/jwt
i/feed:             i/audit i/fault i/keyring l/jwt l/revocation
i/admin:            i/account i/app i/audit i/catalog i/claims i/fault i/feed i/keyring i/session l/jwk l/jwt
i/store/schema:
i/store/sqlite:     i/account i/app i/audit i/catalog i/fault i/feed i/keyring i/session i/status i/store/schema i/timing l/jwk l/jwt
i/store/postgres:   i/account i/app i/audit i/catalog i/fault i/feed i/keyring i/session i/status i/store/schema i/timing l/jwk l/jwt
i/realtest:
i/load:             l/jwk l/jwt l/wire
i/store/storetest:  i/account i/app i/audit i/catalog i/fault i/feed i/keyring i/session i/status l/jwk l/jwt
i/httpapi:          i/account i/app i/audit i/catalog i/fault i/session i/timing l/authz l/guard l/jwt l/wire
i/httpapi/user:     i/account i/audit i/catalog i/fault i/httpapi i/session l/jwt l/wire
i/httpapi/admin:    i/account i/accountfile i/admin i/app i/audit i/catalog i/claims i/fault i/httpapi i/keyring i/mint i/session l/authz l/guard l/jwk l/jwt l/wire
i/httpapi/forward:  i/catalog i/httpapi l/authz l/guard l/jwt l/wire
i/httpapi/oauth:    i/account i/app i/audit i/catalog i/fault i/feed i/httpapi i/keyring i/session i/status l/jwt l/revocation l/wire
cmd/jotsmith:       *
e2e:                *
`

func TestImports(t *testing.T) {
	allowed := table(rules)
	for _, line := range golist(t, `{{.ImportPath}} {{join .Imports " "}}`) {
		f := strings.Fields(line)
		pkg := strings.TrimPrefix(f[0], module+"/")
		may, known := allowed[pkg]
		if !known {
			t.Errorf("%s: not in the rules; decide where it belongs", pkg)
			continue
		}
		for _, imp := range f[1:] {
			switch {
			case slices.Contains(may, "*"), !strings.HasPrefix(imp, library+"/"):
			case strings.HasPrefix(imp, library+"/internal/"):
				t.Errorf("%s must not import %s: only the library's public packages", pkg, imp)
			case strings.HasPrefix(imp, module+"/cmd/"):
				t.Errorf("%s must not import the command", pkg)
			case !slices.Contains(may, strings.TrimPrefix(imp, library+"/")):
				t.Errorf("%s must not import %s", pkg, strings.TrimPrefix(imp, library+"/"))
			}
		}
	}
}

// Only the store adapters know a database, only the transport knows HTTP.
func TestNever(t *testing.T) {
	for _, line := range golist(t, `{{.ImportPath}} {{join .Imports " "}}`) {
		f := strings.Fields(line)
		pkg := strings.TrimPrefix(f[0], module+"/internal/")
		for _, imp := range f[1:] {
			if imp == "database/sql" && !strings.HasPrefix(pkg, "store/") {
				t.Errorf("%s must not import %s", pkg, imp)
			}
			for library, owner := range map[string]string{"github.com/prometheus/": "metrics", "go.opentelemetry.io/otel": "traces"} {
				if strings.HasPrefix(imp, library) && pkg != owner {
					t.Errorf("%s must not import %s: only %s does", pkg, imp, owner)
				}
			}
			if imp == "net/http" && slices.Contains([]string{"audit", "catalog", "account", "app", "keyring", "session", "feed", "admin", "shared"}, pkg) {
				t.Errorf("%s must not import %s", pkg, imp)
			}
		}
	}
}

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

func table(s string) map[string][]string {
	full := strings.NewReplacer("i/", "server/internal/", "l/", "")
	m := make(map[string][]string)
	for line := range strings.Lines(strings.TrimSpace(s)) {
		pkg, rest, _ := strings.Cut(line, ":")
		pkg = strings.TrimSpace(pkg)
		if in, ok := strings.CutPrefix(pkg, "i/"); ok {
			pkg = "internal/" + in
		}
		m[pkg] = nil
		for _, imp := range strings.Fields(rest) {
			if strings.HasPrefix(imp, "i/") || strings.HasPrefix(imp, "l/") {
				imp = full.Replace(imp[:2]) + imp[2:]
			}
			m[pkg] = append(m[pkg], imp)
		}
	}
	return m
}
