package admin_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/admin"
)

// Who asks for what their roles do not give stands in the audit log, once for
// many times.
func TestADM05RefusalsAreRecorded(t *testing.T) {
	t.Parallel()
	n := open(t)
	nobody := n.person("")
	for range 3 {
		r := httptest.NewRequest("GET", "/v1/admin/keys", nil)
		r.Header.Set("Authorization", "Bearer "+nobody.tokens.AccessToken)
		w := httptest.NewRecorder()
		n.handler.ServeHTTP(w, r)
		if w.Code != 403 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
	}
	all, _, err := n.store.Records(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var refused []string
	for _, r := range all {
		if strings.Contains(string(r.What), "admin.refuse") {
			refused = append(refused, string(r.What))
		}
	}
	if len(refused) != 1 || !strings.Contains(refused[0], `"rule":"`+admin.KeysRead+`"`) || !strings.Contains(refused[0], string(nobody.id)) {
		t.Errorf("recorded %q", refused)
	}
}
