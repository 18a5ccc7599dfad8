package admin_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/wire"
)

// Whatever administrators do, nothing that lets anybody in is in the log, in
// the audit log or in an export of it: no token, password, secret or hash of
// one, sent where it belongs or not. What others chose is there without what
// could command a terminal.
func TestADM05NoSecretsOfAdministration(t *testing.T) {
	t.Parallel()
	n := open(t)
	boss, other := n.person("", "admin"), n.person("", "viewer")
	token := boss.tokens.AccessToken
	secrets := []string{password, token, boss.tokens.RefreshToken, other.tokens.AccessToken, other.tokens.RefreshToken, "argon2", bcryptHash[7:]}
	keep := func(s string) string {
		if len(s) < 8 {
			t.Fatalf("%q is no secret", s)
		}
		secrets = append(secrets, s)
		return s
	}
	app := read[wire.AppWithSecret](t, n.do("POST", "/v1/admin/apps", wire.AppCreate{Name: "billing", Roles: []string{"viewer"}}, token), 201)
	keep(app.Secret)
	path := "/v1/admin/apps/" + app.App.ID
	keep(read[wire.AppWithSecret](t, n.do("POST", path+"/secrets", wire.AppSecretCreate{}, token), 201).Secret)
	n.do("DELETE", path+"/secrets/"+app.Secret, nil, token)
	issued := keep(read[wire.TokenResponse](t, n.do("POST", path+"/token", wire.AppToken{}, token), 201).AccessToken)
	n.do("POST", "/v1/admin/tokens/revoke", wire.TokenRevoke{Token: issued}, token)
	n.do("POST", "/v1/admin/tokens/revoke", wire.TokenRevoke{Token: issued + "x"}, token)
	n.do("POST", "/v1/admin/tokens/revoke", wire.TokenRevoke{Token: other.tokens.RefreshToken}, token)
	n.do("POST", "/v1/admin/tokens/revoke", wire.TokenRevoke{Token: other.tokens.RefreshToken[:60]}, token)
	n.do("POST", "/v1/admin/tokens/revoke?token="+issued, wire.TokenRevoke{}, token)
	n.do("GET", "/v1/admin/sessions/"+other.tokens.RefreshToken, nil, token)
	n.do("GET", "/v1/admin/accounts?username="+issued, nil, token)
	for _, route := range []string{"GET /accounts/", "POST /keys/%s/revoke", "GET /apps/", "GET /roles/", "DELETE /apis/", "DELETE /accounts/%s/sessions"} {
		for _, secret := range []string{issued, app.Secret, other.tokens.RefreshToken, other.tokens.DeviceToken} {
			method, target, _ := strings.Cut(route, " ")
			if !strings.Contains(target, "%s") {
				target += "%s"
			}
			refused(t, n.do(method, "/v1/admin"+fmt.Sprintf(target, secret), nil, token), wire.CodeNotFound)
		}
	}
	external := read[wire.TokenResponse](t, n.do("POST", "/v1/admin/sessions", wire.SessionStart{Subject: "42", Device: "evil\x1b[2J\r\nact: admin", Roles: []string{"viewer"}}, token), 201)
	keep(external.AccessToken)
	keep(external.RefreshToken)
	n.do("PUT", fmt.Sprintf("/v1/admin/accounts/%s/password", other.id), wire.AccountPassword{Password: keep("fünf Kühe im Schnee")}, token)
	n.do("PUT", fmt.Sprintf("/v1/admin/accounts/%s/password", other.id), wire.AccountPassword{Password: keep(other.username + other.username)}, token)
	n.do("POST", "/v1/admin/accounts", wire.AccountCreate{Username: "new", Password: keep("sechs Kühe im Wind")}, token)
	n.do("POST", "/v1/admin/accounts", wire.AccountCreate{Username: "no way", Password: "sechs Kühe im Wind"}, token)
	n.do("POST", "/v1/admin/import", lines(imported("ada", "")), token)
	n.do("POST", "/v1/admin/import", lines(imported("ada", "")+"\n"+`{"`+keep("$2b$04$as-a-name")+`":1}`+"\n"+imported("bob", `,"x":1`)), token)
	n.do("POST", "/v1/admin/import", `{"password_hash":"`+bcryptHash+`"}`, token)
	n.do("POST", "/v1/admin/keys/rotate", wire.KeyRotate{Purpose: "refresh", Now: true}, token)

	export := new(bytes.Buffer)
	if _, err := n.admin.ExportAudit(t.Context(), operator, export, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.VerifyExport(bytes.NewReader(export.Bytes()), audit.Head{}, nil); err != nil {
		t.Fatal(err)
	}
	shown := n.do("GET", "/v1/admin/audit?limit=1000", nil, token).Body.String()
	for where, text := range map[string]string{"log": n.log.String(), "export": export.String(), "list": shown} {
		if !strings.Contains(text, "192.0.2.") {
			t.Errorf("the %s holds nothing", where)
		}
		if strings.ContainsAny(strings.ReplaceAll(text, "\n", ""), "\r\x1b\x00") || strings.Contains(text, `\u001b`) {
			t.Errorf("the %s holds control characters", where)
		}
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("the %s holds %q", where, secret)
			}
			for part := range strings.SplitSeq(secret, ".") {
				if tail := part[max(0, len(part)-24):]; len(part) > 40 && strings.Contains(text, tail) {
					t.Errorf("the %s holds the end of a token, %q", where, tail)
				}
			}
		}
	}
}
