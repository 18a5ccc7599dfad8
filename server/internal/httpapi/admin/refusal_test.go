package admin_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/wire"
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
	refused := n.refusals()
	if len(refused) != 1 || !strings.Contains(refused[0], `"rule":"`+admin.KeysRead+`"`) || !strings.Contains(refused[0], string(nobody.id)) {
		t.Errorf("recorded %q", refused)
	}
}

// So does who has the permission and reaches for what goes beyond their own,
// also where they were refused something else a moment ago.
func TestADM05ReachingTooFarIsRecorded(t *testing.T) {
	t.Parallel()
	n := open(t)
	clerk, starter := n.person("", only(admin.AccountsWrite)), n.person("", only(admin.SessionsStart))
	n.do("GET", "/v1/admin/keys", nil, clerk.tokens.AccessToken)
	for range 3 {
		roles := map[string][]string{"roles": {"admin"}}
		refused(t, n.do("PUT", "/v1/admin/accounts/"+string(clerk.id)+"/roles", roles, clerk.tokens.AccessToken), wire.CodeForbidden)
		refused(t, n.do("POST", "/v1/admin/sessions", `{"subject":"eve","audience":"`+audience+`"}`, starter.tokens.AccessToken), wire.CodeForbidden)
	}
	got := n.refusals()
	if len(got) != 3 || !strings.Contains(got[1], `"rule":"`+admin.AccountsWrite+`, beyond`) || !strings.Contains(got[2], `"rule":"`+admin.SessionsStart+`, beyond`) {
		t.Errorf("recorded %q", got)
	}
}

// refusals are the events that say that somebody was refused.
func (n *node) refusals() (found []string) {
	n.t.Helper()
	all, _, err := n.store.Records(n.t.Context(), 0, 1000)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, r := range all {
		if strings.Contains(string(r.What), "admin.refuse") {
			found = append(found, string(r.What))
		}
	}
	return found
}

// An import that reaches too far is told line by line, and on record.
func TestADM05ImportReachingTooFarIsRecorded(t *testing.T) {
	t.Parallel()
	n := open(t)
	clerk := n.person("", only(admin.AccountsWrite))
	body := lines(imported("eve", `,"roles":["admin"]`))
	for range 2 {
		refused(t, n.do("POST", "/v1/admin/import", body, clerk.tokens.AccessToken), wire.CodeInvalidRequest)
	}
	if got := n.refusals(); len(got) != 1 || !strings.Contains(got[0], `"rule":"`+admin.AccountsWrite+`, beyond`) {
		t.Errorf("recorded %q", got)
	}
}

// What a route says of an error stands before what all routes say.
func TestSessionForAnUnknownAPI(t *testing.T) {
	t.Parallel()
	n := open(t)
	starter := n.person("", only(admin.SessionsStart))
	refused(t, n.do("POST", "/v1/admin/sessions", `{"subject":"eve","audience":"https://nowhere.example"}`, starter.tokens.AccessToken), wire.CodeInvalidTarget)
	refused(t, n.do("POST", "/v1/admin/sessions", `{"subject":"eve","scope":"tasks:read"}`, starter.tokens.AccessToken), wire.CodeInvalidScope)
}
