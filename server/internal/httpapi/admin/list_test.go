package admin_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/wire"
)

// Pages fit together whatever is added and taken away meanwhile: nothing comes
// twice, and what was there all the time comes.
func TestListIsStable(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin").tokens.AccessToken
	var stay []string
	for range 12 {
		p := n.person("", "viewer")
		stay = append(stay, p.username)
	}
	slices.Sort(stay)
	for name, filter := range map[string]string{"all": "", "by role": "&role=viewer", "by state": "&role=viewer&disabled=false"} {
		t.Run(name, func(t *testing.T) {
			var seen []string
			for after := ""; ; {
				page := read[wire.AccountList](t, n.do("GET", "/v1/admin/accounts?limit=5&after="+url.QueryEscape(after)+filter, nil, boss), 200)
				if len(page.Accounts) > 5 {
					t.Fatalf("%d accounts", len(page.Accounts))
				}
				for _, a := range page.Accounts {
					seen = append(seen, a.Username)
					if filter != "" && !slices.Contains(a.Roles, "viewer") {
						t.Errorf("%s has the roles %v", a.Username, a.Roles)
					}
				}
				if page.Next == "" {
					break
				}
				after = page.Next
				for _, begin := range []string{"aaa", "person1", "zzz"} { // before, amid and behind
					if _, err := n.admin.CreateAccount(t.Context(), operator, account.NewAccount{Username: n.name(begin) + "x", Password: password}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
				t.Errorf("out of order or twice: %v", seen)
			}
			for _, s := range stay {
				if !slices.Contains(seen, s) {
					t.Errorf("%s is missing", s)
				}
			}
		})
	}
}

// APIs and roles have pages too, in the order of their names.
func TestCatalogPages(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin").tokens.AccessToken
	for range 7 {
		anAPI(n, person{})
		aRole(n, person{})
	}
	type list struct {
		APIs  []wire.API
		Roles []wire.Role
		Next  string
	}
	for what, want := range map[string]int{"apis": len(n.catalog.Now().APIs()), "roles": len(n.catalog.Now().Roles())} {
		var seen []string
		for after := ""; ; {
			page := read[list](t, n.do("GET", "/v1/admin/"+what+"?limit=3&after="+url.QueryEscape(after), nil, boss), 200)
			if len(page.APIs)+len(page.Roles) > 3 {
				t.Errorf("%s: %d on a page", what, len(page.APIs)+len(page.Roles))
			}
			for _, a := range page.APIs {
				seen = append(seen, a.Audience)
			}
			for _, r := range page.Roles {
				seen = append(seen, r.Name)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if len(seen) != want || !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != want {
			t.Errorf("%s: %d of %d: %q", what, len(seen), want, seen)
		}
	}
}

func TestListBySpelling(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin")
	for name, want := range map[string]int{"PERSON1": 1, "nobody": 0, "a b": 0, "\x00": 0} {
		found := read[wire.AccountList](t, n.do("GET", "/v1/admin/accounts?username="+url.QueryEscape(name), nil, boss.tokens.AccessToken), 200)
		if len(found.Accounts) != want {
			t.Errorf("%q finds %d", name, len(found.Accounts))
		}
	}
}

// A filter that is not understood never selects everything.
func TestQueryIsStrict(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin").tokens.AccessToken
	for _, target := range []string{
		"accounts?rol=admin", "accounts?role=admin&role=viewer", "accounts?disabled=yes", "accounts?disabled=TRUE", "accounts?limit=0",
		"accounts?limit=1001", "accounts?limit=-1", "accounts?limit=x", "accounts?limit=1e2", "accounts?username=a&role=admin", "accounts?role=%zz",
		"accounts?role=%ff", "accounts/x/sessions?limit=1&before=x", "apis?limit=0", "roles?name=x", "apps?name=x",
		"audit?since=yesterday", "audit?after=0", "audit?after=-1", "audit?after=x", "audit?until=2026-01-02",
	} {
		refused(t, n.do("GET", "/v1/admin/"+target, nil, boss), wire.CodeInvalidRequest)
	}
}

func TestAuditPages(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss := n.person("", "admin").tokens.AccessToken
	for range 7 {
		n.person("", "viewer")
	}
	var seen []uint64
	for after := ""; ; {
		target := "/v1/admin/audit?limit=3&act=account.create"
		if after != "" {
			target += "&after=" + after
		}
		page := read[wire.AuditList](t, n.do("GET", target, nil, boss), 200)
		for _, e := range page.Events {
			seen = append(seen, e.Seq)
			if e.Act != "account.create" || e.Actor.Kind != "operator" || e.Targets["account"] == "" {
				t.Errorf("event %+v", e)
			}
		}
		if after = page.Next; after == "" {
			break
		}
	}
	slices.Reverse(seen)
	if len(seen) != 8 || !slices.IsSorted(seen) {
		t.Errorf("events %v", seen)
	}
}
