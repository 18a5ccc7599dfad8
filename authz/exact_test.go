package authz_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
)

// Names are compared, not matched: what would be a pattern elsewhere stands for
// itself, and no name takes longer to refuse than to read.
func TestDOS07NoPatterns(t *testing.T) {
	t.Parallel()
	token := verified(t, jwt.Claims{Scope: []string{"tasks:read", strings.Repeat("a", 500)}, Roles: []string{"admin", strings.Repeat("a", 100)}})
	for _, pattern := range []string{"*", "tasks:*", "tasks:????", "tasks:.*", "(tasks:read)", "^tasks:read$", "tasks:{read,write}",
		"(a+)+b", strings.Repeat("(a*", 200) + strings.Repeat(")*", 200) + "b", strings.Repeat("a*", 400), strings.Repeat("**/", 400)} {
		began := time.Now()
		for _, rule := range []authz.Rule{authz.Scope(pattern), authz.Permission(pattern), authz.Role(pattern)} {
			if rule.Check(token) == nil {
				t.Errorf("%.20s is taken for a pattern by the rule %.20s", pattern, rule)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%.20s took %v", pattern, took)
		}
	}
}
