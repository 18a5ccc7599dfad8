package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/claims"
	"github.com/jotsmith/jotsmith/server/internal/mint"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

var starter = audit.Actor{Kind: audit.KindApp, ID: "app_shop", Address: "198.51.100.1", Device: "shop/1"}

func (h *house) startExternal(req session.ExternalRequest) (session.Tokens, error) {
	h.t.Helper()
	return h.StartExternal(context.Background(), starter, req)
}

func (h *house) mustStartExternal(req session.ExternalRequest) session.Tokens {
	h.t.Helper()
	got, err := h.startExternal(req)
	if err != nil {
		h.t.Fatal(err)
	}
	return got
}

func (h *house) tenant(access, audience string) string {
	h.t.Helper()
	c, err := jwt.Decode[struct {
		Tenant string `json:"tenant"`
	}](h.verify(access, audience))
	if err != nil {
		h.t.Fatal(err)
	}
	return c.Tenant
}

func TestStartExternal(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	got := h.mustStartExternal(session.ExternalRequest{
		Subject: "user/42", Roles: []string{"viewer"}, Claims: []byte(`{"tenant": "acme for ${subject}"}`),
		Device: "Fire\x1b[2J\u202efox\n", Address: "192.0.2.7",
	})
	token := h.verify(got.AccessToken, tasks)
	if token.Subject() != "user/42" || !token.HasRole("viewer") || scopes(token) != "tasks:read" || token.SessionID() != string(got.Session) || token.ClientID() != session.FirstParty {
		t.Errorf("token of %q with %s", token.Subject(), scopes(token))
	}
	row := h.row(got.Session)
	if row.Device != "Fire[2Jfox" || row.Address != "192.0.2.7" || !row.Holder.External || row.Holder.Username != "external:user/42" {
		t.Errorf("row %+v", row)
	}
	if got.RefreshToken == "" || got.Holder.ID != "user/42" {
		t.Errorf("answered %+v", got)
	}
	// The session keeps its claims.
	for range 2 {
		got = h.refresh(got.RefreshToken)
		if tenant := h.tenant(got.AccessToken, tasks); tenant != "acme for user/42" {
			t.Errorf("tenant %q", tenant)
		}
	}
	// Another session of the same person has its own, or none.
	other := h.mustStartExternal(session.ExternalRequest{Subject: "user/42", Roles: []string{"viewer"}, Audience: files})
	if tenant := h.tenant(other.AccessToken, files); tenant != "" {
		t.Errorf("tenant %q", tenant)
	}
	h.wantActs("session.start_external ok", "session.start_external ok")
	if list, err := h.List(context.Background(), "user/42", "", 10); err != nil || len(list) != 2 {
		t.Errorf("%d sessions, %v", len(list), err)
	}
	if _, err := h.Standing(context.Background(), other.Session); err != nil {
		t.Error(err)
	}
}

// The roles are those that the other system said last, in all of the person's
// sessions.
func TestADM07ExternalRoles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.mustStartExternal(session.ExternalRequest{Subject: "42", Roles: []string{"editor"}})
	second := h.mustStartExternal(session.ExternalRequest{Subject: "42", Roles: []string{"viewer", "viewer"}})
	if second.Holder.Version != first.Holder.Version+1 {
		t.Errorf("versions %d, %d", first.Holder.Version, second.Holder.Version)
	}
	if token := h.verify(h.refresh(first.RefreshToken).AccessToken, tasks); token.HasRole("editor") || scopes(token) != "tasks:read" {
		t.Errorf("the first session still has %s", scopes(token))
	}
	third := h.mustStartExternal(session.ExternalRequest{Subject: "42", Roles: []string{"viewer"}})
	if third.Holder.Version != second.Holder.Version {
		t.Error("the same roles are no change")
	}
	var acts []string
	all, _, err := h.store.Records(context.Background(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if strings.Contains(string(r.What), `"act":"account.`) {
			acts = append(acts, strings.Split(string(r.What), `"`)[3])
		}
	}
	if fmt.Sprint(acts) != "[account.create_external account.set_roles]" {
		t.Errorf("acts %v", acts)
	}
}

func TestStartExternalRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.mustStartExternal(session.ExternalRequest{Subject: "disabled"})
	yes := true
	h.change("disabled", account.Change{Disabled: &yes})
	ours := h.account("viewer")
	before := len(h.acts())
	for name, c := range map[string]struct {
		req  session.ExternalRequest
		want error
	}{
		"no subject":             {session.ExternalRequest{}, account.ErrSubject},
		"one of our accounts":    {session.ExternalRequest{Subject: string(ours.ID)}, account.ErrSubject},
		"an app":                 {session.ExternalRequest{Subject: session.FirstParty}, account.ErrSubject},
		"disabled":               {session.ExternalRequest{Subject: "disabled"}, session.ErrDisabled},
		"unknown API":            {session.ExternalRequest{Subject: "x", Audience: "https://other.example"}, catalog.ErrUnknownAPI},
		"scope beyond the roles": {session.ExternalRequest{Subject: "x", Roles: []string{"viewer"}, Scope: "tasks:write"}, catalog.ErrScope},
		"reserved claim":         {session.ExternalRequest{Subject: "x", Claims: []byte(`{"sub":"root"}`)}, claims.ErrTemplate},
		"large claims":           {session.ExternalRequest{Subject: "x", Roles: []string{"viewer"}, Claims: []byte(`{"a":"` + strings.Repeat("<", 3000) + `"}`)}, mint.ErrTooLarge},
		"no address":             {session.ExternalRequest{Subject: "x", Address: "home"}, session.ErrAddress},
		"an address and text":    {session.ExternalRequest{Subject: "x", Address: "fe80::1%\x1b[2J" + strings.Repeat("x", 5000)}, session.ErrAddress},
		"administration":         {session.ExternalRequest{Subject: "x", Audience: catalog.AdminAudience(issuer)}, session.ErrReserved},
		"administrator":          {session.ExternalRequest{Subject: "x", Roles: []string{"viewer", catalog.RoleAdmin}}, session.ErrReserved},
		"introspector":           {session.ExternalRequest{Subject: "x", Roles: []string{catalog.RoleIntrospector}}, session.ErrReserved},
	} {
		if got, err := h.startExternal(c.req); !errors.Is(err, c.want) || got.AccessToken != "" || got.RefreshToken != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := len(h.acts()); after != before {
		t.Errorf("%d events of sessions that never began", after-before)
	}
	// Nothing is half done: whose session was refused has no account either.
	if _, err := h.store.Account(context.Background(), "x"); err == nil {
		t.Error("an account was left behind")
	}
}

// TestClaimsByLevel says whose claims stand where several have one of a name.
func TestClaimsByLevel(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c, err := catalog.New(issuer, []catalog.API{{Audience: tasks, Claims: []byte(`{"tenant":"api","level":1,"user":"${username}"}`)}}, []catalog.Role{
		{Name: "a", Claims: []byte(`{"tenant":"role a"}`)},
		{Name: "b", Claims: []byte(`{"tenant":"role b"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Service = h.service(h.store, catalog.Fixed(c))
	plain := h.account()
	roles := h.account("b", "a", "unknown")
	own := h.account("a")
	template := []byte(`{"tenant":"account"}`)
	if _, err := h.store.ChangeAccount(context.Background(), own.ID, account.Change{Claims: (*json.RawMessage)(&template)}, audit.Event{Act: "account.set_claims", Outcome: audit.OK}); err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]session.Tokens{
		"api":     h.start(plain, session.StartRequest{}),
		"role b":  h.start(roles, session.StartRequest{}),
		"account": h.start(own, session.StartRequest{}),
		"session": h.mustStartExternal(session.ExternalRequest{Subject: "42", Roles: []string{"a"}, Claims: []byte(`{"tenant":"session"}`)}),
	} {
		if tenant := h.tenant(got.AccessToken, tasks); tenant != want {
			t.Errorf("tenant %q, want %q", tenant, want)
		}
	}
	// An external account has no user name, so it has no such claim.
	decoded, err := jwt.Decode[map[string]any](h.verify(h.mustStartExternal(session.ExternalRequest{Subject: "42"}).AccessToken, tasks))
	if _, has := decoded["user"]; err != nil || has || decoded["level"] == nil {
		t.Errorf("claims %v, %v", decoded, err)
	}
}
