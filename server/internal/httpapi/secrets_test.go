package httpapi_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

// Whatever happens, nothing that lets anybody in is in the log or the audit
// log: no token, no part of one, no password, right or wrong, sent where it
// belongs or not.
func TestADM05NoSecrets(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	var secrets []string
	keep := func(s string) string {
		secrets = append(secrets, s)
		return s
	}
	keep(password)
	tokens := func(r wire.TokenResponse) wire.TokenResponse {
		keep(r.AccessToken)
		keep(r.RefreshToken)
		if r.DeviceToken != "" {
			keep(r.DeviceToken)
		}
		return r
	}
	alice, other := tokens(n.login("alice")), tokens(n.login("alice"))
	a := bearer(alice.AccessToken)
	wrong := keep("wrong-but-nearly-right")
	next := keep("fünf Kühe im Schnee")
	escaped := url.QueryEscape

	n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: wrong})
	n.do("POST", "/v1/login", wire.LoginRequest{Username: keep("typed-in-the-wrong-field"), Password: wrong})
	n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password, DeviceToken: alice.DeviceToken + "x"})
	n.do("POST", "/v1/login", `{"username":"alice","`+keep("secret-as-a-name")+`":"x"}`)
	n.do("POST", "/v1/login?password="+escaped(wrong), wire.LoginRequest{Username: "alice", Password: wrong})
	tokens(read[wire.TokenResponse](t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken}), 200))
	n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken + "x"})
	n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.AccessToken})
	n.do("GET", "/v1/me", nil, a)
	n.do("GET", "/v1/me?access_token="+alice.AccessToken, nil, a)
	n.do("GET", "/v1/me/"+alice.AccessToken, nil)
	n.do("GET", "/"+escaped(password), nil)
	n.do("DELETE", "/v1/sessions/"+alice.RefreshToken, nil, a)
	n.do("GET", "/v1/sessions?after="+alice.RefreshToken[:60], nil, a)
	n.do("GET", "/v1/revocations?after="+alice.RefreshToken, nil)
	n.do("GET", "/v1/me", nil, bearer(alice.RefreshToken))
	n.do("GET", "/v1/me", nil, bearer(alice.AccessToken+"x"))
	n.do("GET", "/v1/me", nil, bearer(strings.Replace(alice.AccessToken, ".", ".x", 1)))
	n.do("GET", "/v1/me", nil, header("Cookie", "__Secure-jotsmith_refresh="+alice.RefreshToken))
	n.do("GET", "/panic?"+alice.AccessToken, nil, a)
	n.do("GET", "/livez", nil, header("Referer", "https://x/?"+alice.AccessToken), header("X-Forwarded-For", alice.AccessToken))
	n.do("POST", "/oauth/introspect", "token="+alice.AccessToken, form, a)
	n.do("POST", "/oauth/introspect", "token="+alice.RefreshToken+"&%zz", form, a)
	n.do("POST", "/v1/me/password", wire.PasswordChange{CurrentPassword: wrong, NewPassword: next}, a)
	n.do("POST", "/v1/me/password", wire.PasswordChange{CurrentPassword: password, NewPassword: keep("alice-is-my-name")}, a)
	n.do("POST", "/v1/me/password", wire.PasswordChange{CurrentPassword: password, NewPassword: next}, a)
	n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: next})
	n.do("POST", "/v1/logout", nil, bearer(other.AccessToken))
	for range 15 {
		n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: wrong})
	}
	n.store.Close()
	n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: next})
	n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken})

	log := n.log.String()
	if lines := strings.Count(log, `"msg":"request"`); lines != int(n.sent.Load()) {
		t.Errorf("%d lines for %d requests", lines, n.sent.Load())
	}
	for _, secret := range secrets {
		asJSON, _ := json.Marshal(secret)
		for _, form := range []string{secret, strings.Trim(string(asJSON), `"`), escaped(secret), url.PathEscape(secret)} {
			if strings.Contains(log, form) {
				t.Errorf("the log holds %q", form)
			}
		}
		// Also of a token no part that would be enough to go on with.
		for part := range strings.SplitSeq(secret, ".") {
			if tail := part[max(0, len(part)-24):]; len(part) > 40 && strings.Contains(log, tail) {
				t.Errorf("the log holds the end of a token, %q", tail)
			}
		}
	}
}

// The audit log, for its own sake: the store is open here.
func TestADM05AuditRecords(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	agent := header("User-Agent", "evil\r\nact: admin\x1b[2J"+strings.Repeat("é", 500))
	alice := read[wire.TokenResponse](t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password}, agent), 200)
	n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: "wrong-but-nearly-right"}, agent)
	n.do("POST", "/v1/login", wire.LoginRequest{Username: "typed-in-the-wrong-field", Password: "x"}, agent)
	n.do("POST", "/v1/me/password", wire.PasswordChange{CurrentPassword: password, NewPassword: "fünf Kühe im Schnee"}, bearer(alice.AccessToken))
	n.do("PATCH", "/v1/me", `{"display_name":"Alice"}`, bearer(alice.AccessToken))
	n.do("POST", "/v1/logout-all", nil, bearer(alice.AccessToken))
	all := n.records()
	for _, act := range []string{"account.create", "account.disable", "session.start", "account.authenticate", "account.change_password", "account.display_name", "session.end_all"} {
		if !strings.Contains(all, `"act":"`+act+`"`) {
			t.Errorf("%s is not recorded", act)
		}
	}
	for _, secret := range []string{password, "Schnee", "nearly-right", "wrong-field", alice.AccessToken, alice.RefreshToken, alice.DeviceToken, "jsr_", "jsd_", "eyJ", "argon2"} {
		if strings.Contains(all, secret) {
			t.Errorf("the audit log holds %q", secret)
		}
	}
	if strings.ContainsAny(strings.ReplaceAll(all, "\n", ""), "\r\x1b") || strings.Contains(all, `\r`) || strings.Contains(all, `\u001b`) {
		t.Error("the audit log holds control characters")
	}
}

// What a caller writes into the log stays inside its field, in either format.
func TestADM05LogInjection(t *testing.T) {
	t.Parallel()
	const agent = "x\r\nlevel=ERROR msg=forged\x1b[31m\u202e\u2028 \x00\xff"
	for name, format := range map[string]func(*buffer) slog.Handler{
		"text": func(b *buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"JSON": func(b *buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b buffer
		h, err := httpapi.New(http.NewServeMux(), httpapi.Config{Realm: issuer, Log: slog.New(format(&b)), Hosts: []string{"good.example"}})
		if err != nil {
			t.Fatal(err)
		}
		n := &node{t: t, handler: h}
		n.do("GET", "/", nil, header("User-Agent", agent), func(r *request) { r.Host = "a\r\n\x1b[31m" })
		n.do("BREW", "/", nil, func(r *request) { r.Method = "BREW\r\n\x1b" })
		out := b.String()
		if strings.Count(out, "\n") != 2 || strings.ContainsAny(out, "\r\x1b\x00") || strings.Contains(out, "\u202e") {
			t.Errorf("%s: %q", name, out)
		}
	}
}
