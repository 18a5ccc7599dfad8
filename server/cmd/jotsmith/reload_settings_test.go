package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/wire"
)

// Of every setting, a reload takes on what can change and nothing else: what the
// table says and what the structs say is the same.
func TestReloadTakesOn(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"addr": `"127.0.0.1:1"`, "issuer": `"https://a.example"`, "data": `"elsewhere"`, "store": `"postgres://a/b"`, "shared": `"redis://a"`,
		"root_key": `"env:A"`, "apis": `["https://a.example"]`, "origins": `["https://a.example"]`, "access_cookie": "true", "drain": `"9s"`,
		"tls.cert": `"b.pem"`, "tls.key": `"b.key"`, "proxy.behind": "true", "proxy.trusted": `["192.0.2.0/24"]`,
		"tokens.access_life": `"9m"`, "tokens.sensitive_claims": `["email"]`, "tokens.status_lists": "true",
		"sessions.idle": `"9h"`, "sessions.max": `"9d"`, "sessions.refresh_grace": `"0s"`, "sessions.per_account": "9",
		"limits.exempt": `["192.0.2.0/24"]`, "keys.rotate_every": `"40d"`, "keys.lead": `"9h"`,
		"log.format": `"json"`, "log.level": `"debug"`, "log.slow": `"9s"`,
		"admin.addr": `"127.0.0.1:1"`, "admin.pprof": "true", "admin.dangerously_open": "true", "traces.endpoint": `"http://127.0.0.1:1"`, "traces.percent": "9",
	}
	elsewhere := []string{"tls.cert", "tls.key", "log.level"} // of the listener and the log, and not of the node
	read := func(t *testing.T, file, text string) *commandLine {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := parse([]string{"serve", "--config", file}, &console{out: io.Discard, err: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	fixed := func(t *testing.T, l *commandLine) fixedConfig {
		t.Helper()
		c, err := l.commands.Serve.node(nil, &net.TCPAddr{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.RootKeyMade = nil // a function, which equals none
		return c.fixedConfig
	}
	for _, s := range settings {
		t.Run(s.key, func(t *testing.T) {
			t.Parallel()
			table, name := tableOf(s.key)
			value, ok := values[s.key]
			line := name + " = " + value + "\n"
			if s.kind == isTable {
				table, line, ok = s.key, "a = [\"b\"]\n", true
			}
			if !ok {
				t.Fatal("another value of it is needed here")
			}
			before := map[string]string{"cert": "cert = \"a.pem\"\n", "key": "key = \"a.key\"\n"}
			after := map[string]string{"cert": before["cert"], "key": before["key"]}
			text := ""
			switch table {
			case "":
				text = line
			case "tls":
				after[name] = line
			}
			text += "[tls]\n" + after["cert"] + after["key"]
			if table != "" && table != "tls" {
				text += "[" + table + "]\n" + line
			}
			file := filepath.Join(t.TempDir(), "jotsmith.toml")
			is := read(t, file, "[tls]\n"+before["cert"]+before["key"])
			will := read(t, file, text)
			changed, waiting := is.takeOn(will)
			if s.live && (!slices.Equal(changed, []string{s.key}) || len(waiting) > 0) || !s.live && (len(changed) > 0 || !slices.Equal(waiting, []string{s.key})) {
				t.Errorf("changed %v, waiting %v", changed, waiting)
			}
			if !s.live && !reflect.DeepEqual(is.commands.Serve, will.commands.Serve) {
				t.Error("it is taken on although it waits for the next start")
			}
			if !reflect.DeepEqual(fixed(t, is), fixed(t, will)) {
				t.Error("it changes what cannot change while the node runs")
			}
			differs := !reflect.DeepEqual(is.commands.Serve.live(), will.commands.Serve.live())
			if want := s.live && !slices.Contains(elsewhere, s.key); differs != want {
				t.Errorf("the live settings differ: %v, want %v", differs, want)
			}
		})
	}
}

// What a reload changes of a node has its effect at once.
func TestReloadHasEffect(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	for _, tt := range []struct {
		name   string
		change func(*liveConfig)
		seen   func(t *testing.T, ask asker, log *writes) bool
	}{
		{"origins", func(c *liveConfig) { c.Origins = []string{"https://app.example"} }, func(_ *testing.T, ask asker, _ *writes) bool {
			w := ask("OPTIONS", "/v1/login", http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}}, nil)
			return w.Header().Get("Access-Control-Allow-Origin") != ""
		}},
		{"access_cookie", func(c *liveConfig) { c.AccessCookie = true }, func(_ *testing.T, ask asker, _ *writes) bool {
			w := ask("POST", "/v1/login", http.Header{"Origin": {"http://127.0.0.1:1"}}, wire.LoginRequest{Username: "ada", Password: password, Mode: wire.ModeCookie})
			return slices.ContainsFunc(w.Result().Cookies(), func(c *http.Cookie) bool { return strings.Contains(c.Name, "access") })
		}},
		{"proxy.trusted", func(c *liveConfig) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }, func(t *testing.T, ask asker, _ *writes) bool {
			return ask.sessions(t, http.Header{"X-Forwarded-For": {"203.0.113.7"}})[0].Address == "203.0.113.7"
		}},
		{"sessions.max", func(c *liveConfig) { c.SessionMax = 8 * 24 * time.Hour }, func(t *testing.T, ask asker, _ *writes) bool {
			return time.Until(ask.sessions(t, nil)[0].ExpiresAt) < 9*24*time.Hour
		}},
		{"sessions.refresh_grace", func(c *liveConfig) { c.RefreshGrace = -1 }, func(t *testing.T, ask asker, _ *writes) bool {
			refresh := func(token string) (next wire.TokenResponse, ok bool) {
				w := ask("POST", "/v1/refresh", nil, wire.RefreshRequest{RefreshToken: token})
				return next, json.Unmarshal(w.Body.Bytes(), &next) == nil && w.Code == http.StatusOK
			}
			first := ask.login(t, nil)
			second, ok := refresh(first.RefreshToken)
			refresh(first.RefreshToken) // forgiven once, also late
			_, ok2 := refresh(second.RefreshToken)
			_, again := refresh(second.RefreshToken)
			if !ok || !ok2 {
				t.Error("a refresh failed")
			}
			return !again
		}},
		{"sessions.per_account", func(c *liveConfig) { c.PerAccount = 1 }, func(t *testing.T, ask asker, _ *writes) bool {
			ask.login(t, nil)
			return len(ask.sessions(t, nil)) == 1
		}},
		{"limits.exempt", func(c *liveConfig) { c.RateExempt = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }, func(_ *testing.T, ask asker, _ *writes) bool {
			return ask("GET", "/.well-known/jwks.json", nil, nil).Header().Get("RateLimit") == "" &&
				ask("POST", "/v1/refresh", nil, wire.RefreshRequest{}).Header().Get("RateLimit") == ""
		}},
		{"log.slow", func(c *liveConfig) { c.Slow = time.Nanosecond }, func(_ *testing.T, ask asker, log *writes) bool {
			ask("GET", "/v1/me", nil, nil)
			return strings.Contains(strings.Join(log.all(), ""), "slow")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log writes
			n := newTestNode(t, func(c *nodeConfig) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			if _, err := n.admin.CreateAccount(t.Context(), operator(), account.NewAccount{Username: "ada", Password: password}); err != nil {
				t.Fatal(err)
			}
			handler := n.handler
			ask := asker(func(method, path string, header http.Header, body any) *httptest.ResponseRecorder {
				raw, _ := json.Marshal(body)
				r := httptest.NewRequest(method, "http://127.0.0.1:1"+path, bytes.NewReader(raw))
				for name := range header {
					r.Header.Set(name, header.Get(name))
				}
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				return w
			})
			if tt.seen(t, ask, &log) {
				t.Fatal("seen before the reload")
			}
			live := n.live
			tt.change(&live)
			var err error
			if handler, err = n.reconfigured(t.Context(), live); err != nil {
				t.Fatal(err)
			}
			if !tt.seen(t, ask, &log) {
				t.Error("not seen after the reload")
			}
		})
	}
}

// An asker sends a request to the routes that stand now.
type asker func(method, path string, header http.Header, body any) *httptest.ResponseRecorder

func (ask asker) login(t *testing.T, header http.Header) (tokens wire.TokenResponse) {
	t.Helper()
	w := ask("POST", "/v1/login", header, wire.LoginRequest{Username: "ada", Password: "correct horse battery"})
	if err := json.Unmarshal(w.Body.Bytes(), &tokens); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return tokens
}

// sessions logs in and answers the sessions that live then, the new one first.
func (ask asker) sessions(t *testing.T, header http.Header) []wire.Session {
	t.Helper()
	tokens := ask.login(t, header)
	w := ask("GET", "/v1/sessions", http.Header{"Authorization": {"Bearer " + tokens.AccessToken}}, nil)
	var list wire.SessionList
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Sessions) == 0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	slices.SortFunc(list.Sessions, func(a, b wire.Session) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return list.Sessions
}
