package httpapi_test

import (
	"bufio"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/httpapi/admin"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/forward"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/oauth"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/user"
)

// routes is what a server routes: pattern to nothing.
type routes map[string]bool

func (r routes) HandleFunc(pattern string, _ func(http.ResponseWriter, *http.Request)) {
	r[pattern] = true
}

// What openapi.yaml describes is what the server routes, no more and no less,
// and each route of administration names the permission that it demands.
func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	routed := routes{}
	user.Routes(routed, user.Deps{})
	oauth.Routes(routed, oauth.Deps{Issuer: issuer})
	forward.Routes(routed, forward.Deps{Issuer: issuer})
	admin.Routes(routed, nil, admin.Gate{})
	demanded := map[string]string{}
	for _, r := range admin.Table() {
		demanded[r.Method+" "+r.Path] = r.Permission
	}
	described := describedRoutes(t)
	for pattern := range routed {
		permission, ok := described[pattern]
		switch {
		case !ok:
			t.Errorf("%s is routed and not described", pattern)
		case permission != demanded[pattern]:
			t.Errorf("%s demands %q, %q is described", pattern, demanded[pattern], permission)
		}
	}
	for pattern := range described {
		if !routed[pattern] {
			t.Errorf("%s is described and not routed", pattern)
		}
	}
}

// describedRoutes reads the paths of openapi.yaml: method and path to
// permission.
func describedRoutes(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open("../../../wire/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string]string{}
	var path, pattern string
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		text := strings.TrimLeft(line, " ")
		depth := len(line) - len(text)
		switch {
		case strings.HasPrefix(line, "components:"):
			return all
		case depth == 2 && strings.HasPrefix(text, "/"):
			path = strings.TrimSuffix(text, ":")
		case depth == 4 && path != "":
			pattern = strings.ToUpper(strings.TrimSuffix(text, ":")) + " " + path
			all[pattern] = ""
		case depth == 6 && strings.HasPrefix(text, "x-permission: "):
			all[pattern] = strings.TrimPrefix(text, "x-permission: ")
		}
	}
	t.Fatal("openapi.yaml ends before its components")
	return nil
}
