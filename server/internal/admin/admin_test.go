package admin

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// acts is every act of the service and the permission that it asks for. Without
// it nothing behind the service is touched, which here would be a nil pointer.
var acts = map[string]struct {
	permission string
	act        func(context.Context, *Service, Caller) error
}{
	"ListAPIs": {APIsRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.ListAPIs(ctx, c)
		return err
	}},
	"API": {APIsRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.API(ctx, c, "x")
		return err
	}},
	"SaveAPI": {APIsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.SaveAPI(ctx, c, catalog.API{})
		return err
	}},
	"DeleteAPI": {APIsWrite, func(ctx context.Context, s *Service, c Caller) error {
		return s.DeleteAPI(ctx, c, "x")
	}},
	"ListRoles": {RolesRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.ListRoles(ctx, c)
		return err
	}},
	"Role": {RolesRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.Role(ctx, c, "x")
		return err
	}},
	"SaveRole": {RolesWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.SaveRole(ctx, c, catalog.Role{})
		return err
	}},
	"DeleteRole": {RolesWrite, func(ctx context.Context, s *Service, c Caller) error {
		return s.DeleteRole(ctx, c, "x")
	}},
	"CreateApp": {AppsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, _, err := s.CreateApp(ctx, c, app.NewApp{})
		return err
	}},
	"ListApps": {AppsRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.ListApps(ctx, c, "", 1)
		return err
	}},
	"App": {AppsRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.App(ctx, c, "app_x")
		return err
	}},
	"SetApp": {AppsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.SetApp(ctx, c, "app_x", app.Edit{})
		return err
	}},
	"DisableApp": {AppsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.DisableApp(ctx, c, "app_x")
		return err
	}},
	"EnableApp": {AppsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.EnableApp(ctx, c, "app_x")
		return err
	}},
	"DeleteApp": {AppsWrite, func(ctx context.Context, s *Service, c Caller) error {
		return s.DeleteApp(ctx, c, "app_x")
	}},
	"AddAppSecret": {AppsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, _, err := s.AddAppSecret(ctx, c, "app_x", 0)
		return err
	}},
	"RevokeAppSecret": {AppsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.RevokeAppSecret(ctx, c, "app_x", "sec_x")
		return err
	}},
	"RevokeKey": {KeysWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.RevokeKey(ctx, c, "x")
		return err
	}},
	"IssueToken": {AppsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.IssueToken(ctx, c, "app_x", "", "")
		return err
	}},
	"RevokeToken": {SessionsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.RevokeToken(ctx, c, "x")
		return err
	}},
	"CreateAccount": {AccountsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.CreateAccount(ctx, c, account.NewAccount{})
		return err
	}},
	"ListAccounts": {AccountsRead, func(ctx context.Context, s *Service, c Caller) error {
		_, _, err := s.ListAccounts(ctx, c, AccountFilter{}, "", 1)
		return err
	}},
	"Account": {AccountsRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.Account(ctx, c, "acc_x")
		return err
	}},
	"FindAccount": {AccountsRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.FindAccount(ctx, c, "x")
		return err
	}},
	"SetDisplayName": {AccountsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.SetDisplayName(ctx, c, "acc_x", "x")
		return err
	}},
	"DisableAccount": {AccountsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.DisableAccount(ctx, c, "acc_x")
		return err
	}},
	"EnableAccount": {AccountsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.EnableAccount(ctx, c, "acc_x")
		return err
	}},
	"SetPassword": {AccountsWrite, func(ctx context.Context, s *Service, c Caller) error { return s.SetPassword(ctx, c, "acc_x", "x") }},
	"SetRoles": {AccountsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.SetRoles(ctx, c, "acc_x", nil, false)
		return err
	}},
	"StartSession": {SessionsStart, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.StartSession(ctx, c, session.ExternalRequest{Subject: "x"})
		return err
	}},
	"SetAccountClaims": {AccountsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.SetAccountClaims(ctx, c, "acc_x", nil)
		return err
	}},
	"ImportAccounts": {AccountsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.ImportAccounts(ctx, c, nil, account.ImportMode{}, nil)
		return err
	}},
	"ListSessions": {SessionsRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.ListSessions(ctx, c, "acc_x", "", 1)
		return err
	}},
	"Session": {SessionsRead, func(ctx context.Context, s *Service, c Caller) error {
		_, _, err := s.Session(ctx, c, "ses_x")
		return err
	}},
	"EndSession": {SessionsWrite, func(ctx context.Context, s *Service, c Caller) error { return s.EndSession(ctx, c, "ses_x") }},
	"EndSessions": {SessionsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.EndSessions(ctx, c, "acc_x")
		return err
	}},
	"ListAudit": {AuditRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.ListAudit(ctx, c, audit.Query{})
		return err
	}},
	"ExportAudit": {AuditRead, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.ExportAudit(ctx, c, nil, 0, 0)
		return err
	}},
	"ChangeAPI": {APIsWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.ChangeAPI(ctx, c, "x", nil)
		return err
	}},
	"ChangeRole": {RolesWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.ChangeRole(ctx, c, "x", nil)
		return err
	}},
	"ListKeys": {KeysRead, func(ctx context.Context, s *Service, c Caller) error { _, err := s.ListKeys(ctx, c); return err }},
	"RotateKey": {KeysWrite, func(ctx context.Context, s *Service, c Caller) error {
		_, err := s.RotateKey(ctx, c, keyring.Access, "ES256", true)
		return err
	}},
}

// all is every permission there is.
var all = []string{AccountsRead, AccountsWrite, APIsRead, APIsWrite, RolesRead, RolesWrite, AppsRead, AppsWrite,
	SessionsRead, SessionsWrite, SessionsStart, KeysRead, KeysWrite, AuditRead}

// Each act demands its own permission: every other one together is not enough,
// and neither is a kind of actor that may hold none.
func TestADM01PermissionOfEachAct(t *testing.T) {
	t.Parallel()
	for name, a := range acts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var others []string
			for _, p := range all {
				if p != a.permission {
					others = append(others, p)
				}
			}
			for _, c := range []Caller{
				{},
				{Actor: audit.Actor{Kind: audit.KindAnonymous}, Permissions: all},
				{Actor: audit.Actor{Kind: audit.KindSystem}, Permissions: all},
				{Actor: audit.Actor{Kind: "superuser"}, Permissions: all},
				{Actor: audit.Actor{Kind: audit.KindAccount}},
				{Actor: audit.Actor{Kind: audit.KindAccount}, Permissions: others},
			} {
				if err := a.act(context.Background(), &Service{}, c); !errors.Is(err, ErrForbidden) {
					t.Errorf("%q with %d permissions: %v", c.Kind, len(c.Permissions), err)
				}
			}
		})
	}
}

// An act that is added must be added to the table of permissions too.
func TestADM02EveryActIsInTheTable(t *testing.T) {
	t.Parallel()
	service := reflect.TypeFor[*Service]()
	for m := range service.Methods() {
		if _, known := acts[m.Name]; !known {
			t.Errorf("%s is not in the table of acts", m.Name)
		}
	}
	if service.NumMethod() != len(acts) {
		t.Errorf("%d acts, the table has %d", service.NumMethod(), len(acts))
	}
}
