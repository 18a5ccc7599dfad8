package httpapi_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// The whole contract of what is not answered with a success: for each case the
// code, and the error that the challenge names.
func TestErrorContract(t *testing.T) {
	t.Parallel()
	n := open(t, options{Config: httpapi.Config{Hosts: []string{"example.com", "127.0.0.1", "::1"}}})
	alice, gone := n.login("alice"), n.login("alice")
	n.do("POST", "/v1/logout", nil, bearer(gone.AccessToken))
	forged := alice.AccessToken[:len(alice.AccessToken)-4] + "AAAA"
	login := func(username, pw string) wire.LoginRequest {
		return wire.LoginRequest{Username: username, Password: pw}
	}
	for _, c := range []struct {
		name      string
		method    string
		target    string
		body      any
		edits     []edit
		code      wire.Code
		challenge string // error=…
	}{
		{"no token", "GET", "/v1/me", nil, nil, wire.CodeTokenMissing, ""},
		{"another scheme", "GET", "/v1/me", nil, []edit{header("Authorization", "Basic YTpi")}, wire.CodeTokenMissing, ""},
		{"a scheme that begins alike", "GET", "/v1/me", nil, []edit{header("Authorization", "Bearerx y")}, wire.CodeTokenMissing, ""},
		{"no token behind Bearer", "GET", "/v1/me", nil, []edit{header("Authorization", "Bearer ")}, wire.CodeTokenMalformed, "invalid_token"},
		{"not a token", "GET", "/v1/me", nil, []edit{bearer("abc")}, wire.CodeTokenMalformed, "invalid_token"},
		{"two words", "GET", "/v1/me", nil, []edit{bearer(alice.AccessToken + " x")}, wire.CodeTokenMalformed, "invalid_token"},
		{"a refresh token", "GET", "/v1/me", nil, []edit{bearer(alice.RefreshToken)}, wire.CodeTokenMalformed, "invalid_token"},
		{"bad signature", "GET", "/v1/me", nil, []edit{bearer(forged)}, wire.CodeTokenInvalid, "invalid_token"},
		{"ended session", "GET", "/v1/me", nil, []edit{bearer(gone.AccessToken)}, wire.CodeTokenRevoked, "invalid_token"},
		{"no permission", "GET", "/forbidden", nil, nil, wire.CodeForbidden, "insufficient_scope"},
		{"HTP-01 two headers", "GET", "/v1/me", nil, []edit{bearer(alice.AccessToken), bearer(alice.AccessToken)}, wire.CodeInvalidRequest, "invalid_request"},
		{"HTP-01 header and query", "GET", "/v1/me?access_token=" + alice.AccessToken, nil, []edit{bearer(alice.AccessToken)}, wire.CodeInvalidRequest, "invalid_request"},
		{"HTP-01 header and query, escaped", "GET", "/v1/me?a&access%5Ftoken=x", nil, []edit{bearer(alice.AccessToken)}, wire.CodeInvalidRequest, "invalid_request"},
		{"HTP-02 query alone", "GET", "/v1/me?access_token=" + alice.AccessToken, nil, nil, wire.CodeTokenMissing, ""},
		{"HTP-02 fragment, which no client sends", "GET", "/v1/me#access_token=" + alice.AccessToken, nil, nil, wire.CodeNotFound, ""},
		{"HTP-02 path", "GET", "/v1/me/" + alice.AccessToken, nil, nil, wire.CodeNotFound, ""},
		{"HTP-02 body", "POST", "/v1/logout", "access_token=" + alice.AccessToken, []edit{form}, wire.CodeTokenMissing, ""},

		{"wrong password", "POST", "/v1/login", login("alice", "wrong password"), nil, wire.CodeInvalidCredentials, ""},
		{"unknown user", "POST", "/v1/login", login("nobody", password), nil, wire.CodeInvalidCredentials, ""},
		{"disabled account", "POST", "/v1/login", login("carol", password), nil, wire.CodeInvalidCredentials, ""},
		{"no user name", "POST", "/v1/login", login("", password), nil, wire.CodeInvalidRequest, ""},
		{"no password", "POST", "/v1/login", login("alice", ""), nil, wire.CodeInvalidRequest, ""},
		{"cookies, for no page", "POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password, Mode: wire.ModeCookie}, nil, wire.CodeCrossOrigin, ""},
		{"unknown mode", "POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password, Mode: "Cookie"}, nil, wire.CodeInvalidRequest, ""},
		{"forged refresh token", "POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken[:40] + "AAAA" + alice.RefreshToken[44:]}, nil, wire.CodeInvalidRefreshToken, ""},
		{"no refresh token", "POST", "/v1/refresh", `{}`, nil, wire.CodeInvalidRefreshToken, ""},
		{"device token as refresh token", "POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.DeviceToken}, nil, wire.CodeInvalidRefreshToken, ""},

		{"no route", "GET", "/nothing", nil, nil, wire.CodeNotFound, ""},
		{"root", "GET", "/", nil, nil, wire.CodeNotFound, ""},
		{"another spelling of a path", "GET", "//v1/../v1/me", nil, []edit{bearer(alice.AccessToken)}, wire.CodeNotFound, ""},
		{"final slash", "GET", "/v1/me/", nil, []edit{bearer(alice.AccessToken)}, wire.CodeNotFound, ""},
		{"wrong method", "GET", "/v1/login", nil, nil, wire.CodeMethodNotAllowed, ""},
		{"method that nobody knows", "BREW", "/v1/me", nil, nil, wire.CodeMethodNotAllowed, ""},
		{"HTP-07 metrics", "GET", "/metrics", nil, nil, wire.CodeNotFound, ""},
		{"HTP-07 profiles", "GET", "/debug/pprof/", nil, []edit{header("User-Agent", "kube-probe/1.30")}, wire.CodeNotFound, ""},
		{"another host", "GET", "/livez", nil, []edit{func(r *request) { r.Host = "evil.example.net:8080" }}, wire.CodeMisdirectedRequest, ""},
		{"no host", "GET", "/livez", nil, []edit{func(r *request) { r.Host = "" }}, wire.CodeMisdirectedRequest, ""},

		{"no media type", "POST", "/v1/login", login("alice", password), []edit{func(r *request) { r.Header.Del("Content-Type") }}, wire.CodeUnsupportedMediaType, ""},
		{"two media types", "POST", "/v1/login", login("alice", password), []edit{header("Content-Type", "text/plain")}, wire.CodeUnsupportedMediaType, ""},
		{"form", "POST", "/v1/login", "username=alice", []edit{form}, wire.CodeUnsupportedMediaType, ""},
		{"another charset", "POST", "/v1/login", login("alice", password), []edit{func(r *request) { r.Header.Set("Content-Type", "application/json; charset=utf-16") }}, wire.CodeUnsupportedMediaType, ""},
		{"DOS-01 huge body", "POST", "/v1/login", `{"username":"` + strings.Repeat("x", 1<<20) + `"}`, nil, wire.CodeBodyTooLarge, ""},
		{"DOS-01 huge body without a length", "POST", "/v1/login", `{"username":"` + strings.Repeat("x", 1<<20) + `"}`, []edit{func(r *request) { r.ContentLength = -1 }}, wire.CodeBodyTooLarge, ""},
		{"DOS-01 deep body", "POST", "/v1/login", strings.Repeat("[", 60_000), nil, wire.CodeInvalidRequest, ""},
		{"DOS-01 deep member", "POST", "/v1/login", `{"username":` + strings.Repeat(`[{"":`, 10_000), nil, wire.CodeInvalidRequest, ""},
		{"DOS-01 many members", "POST", "/v1/login", `{` + strings.Repeat(`"username":"x",`, 4000) + `"password":"x"}`, nil, wire.CodeInvalidRequest, ""},
		{"DOS-01 a token of 1 MB", "GET", "/v1/me", nil, []edit{bearer(strings.Repeat("a", 1<<20))}, wire.CodeTokenMalformed, "invalid_token"},
		{"DOS-01 a form of 30,000 parameters", "POST", "/oauth/introspect", strings.Repeat("a&", 30_000) + "token=x", []edit{form, bearer(alice.AccessToken)}, wire.CodeInvalidRequest, ""},
		{"not JSON", "POST", "/v1/login", `username`, nil, wire.CodeInvalidRequest, ""},
		{"empty body", "POST", "/v1/login", ``, nil, wire.CodeInvalidRequest, ""},
		{"no object", "POST", "/v1/login", `["username"]`, nil, wire.CodeInvalidRequest, ""},
		{"cut off", "POST", "/v1/login", `{"username":"alice"`, nil, wire.CodeInvalidRequest, ""},
		{"text behind it", "POST", "/v1/login", `{"username":"alice","password":"x"}{}`, nil, wire.CodeInvalidRequest, ""},
		{"a member twice", "POST", "/v1/login", `{"username":"alice","username":"bob","password":"x"}`, nil, wire.CodeInvalidRequest, ""},
		{"a member twice, escaped", "POST", "/v1/login", `{"username":"alice","\u0075sername":"bob","password":"x"}`, nil, wire.CodeInvalidRequest, ""},
		{"another case", "POST", "/v1/login", `{"Username":"alice","password":"x"}`, nil, wire.CodeInvalidRequest, ""},
		{"a further member", "POST", "/v1/login", `{"username":"alice","password":"x","admin":"yes"}`, nil, wire.CodeInvalidRequest, ""},
		{"a number", "POST", "/v1/login", `{"username":"alice","password":12345678}`, nil, wire.CodeInvalidRequest, ""},
		{"null", "POST", "/v1/login", `{"username":"alice","password":null}`, nil, wire.CodeInvalidRequest, ""},
		{"not UTF-8", "POST", "/v1/login", "{\"username\":\"alice\",\"password\":\"\xff\"}", nil, wire.CodeInvalidRequest, ""},
		{"half a surrogate", "POST", "/v1/login", `{"username":"alice","password":"\ud800"}`, nil, wire.CodeInvalidRequest, ""},
		{"byte order mark", "POST", "/v1/login", "\ufeff" + `{"username":"alice","password":"x"}`, nil, wire.CodeInvalidRequest, ""},

		{"malformed place in the feed", "GET", "/v1/revocations?after=x", nil, nil, wire.CodeInvalidRequest, ""},
		{"negative wait", "GET", "/v1/revocations?wait=-1", nil, nil, wire.CodeInvalidRequest, ""},
		{"malformed query", "GET", "/v1/revocations?wait=%zz", nil, nil, wire.CodeInvalidRequest, ""},
		{"a fault of ours", "GET", "/panic", nil, nil, wire.CodeInternal, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := n.do(c.method, c.target, c.body, c.edits...)
			p := refused(t, w, c.code)
			want := ""
			if c.challenge != "" {
				want = `, error="` + c.challenge + `"`
			}
			challenge := w.Header().Get("WWW-Authenticate")
			if rest := strings.TrimPrefix(challenge, `Bearer realm="`+issuer+`"`); rest != want {
				t.Errorf("challenge %q, want its error to be %q", challenge, c.challenge)
			}
			if c.challenge == "invalid_request" && p.Title != "More than one token was sent." {
				t.Errorf("title %q", p.Title)
			}
			if p.Status == 405 && w.Header().Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			if w.Header().Get("Location") != "" {
				t.Errorf("sent on to %q", w.Header().Get("Location"))
			}
			if line := n.log.last(t); line["id"] != p.ID || line["code"] != string(p.Code) || line["status"] != float64(p.Status) {
				t.Errorf("the id finds %v", line)
			}
		})
	}
	t.Run("too many tries", func(t *testing.T) {
		for range 10 {
			n.do("POST", "/v1/login", login("dave", "wrong password"), from("198.51.100.1:1"))
		}
		w := n.do("POST", "/v1/login", login("dave", password), from("198.51.100.2:1"))
		refused(t, w, wire.CodeRateLimited)
		if s, _ := strconv.Atoi(w.Header().Get("Retry-After")); s < 50 || s > 60 {
			t.Errorf("Retry-After %d", s)
		}
	})
	t.Run("store gone", func(t *testing.T) {
		n.store.Close()
		for _, c := range []struct {
			method, target string
			body           any
		}{
			{"POST", "/v1/login", login("alice", password)},
			{"POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken}},
			{"POST", "/v1/logout", nil}, {"POST", "/v1/logout-all", nil}, {"GET", "/v1/me", nil}, {"GET", "/v1/sessions", nil},
			{"DELETE", "/v1/sessions/x", nil}, {"POST", "/v1/me/password", nil}, {"PATCH", "/v1/me", nil}, {"GET", "/readyz", nil},
		} {
			refused(t, n.do(c.method, c.target, c.body, bearer(alice.AccessToken)), wire.CodeServerBusy)
		}
		if w := n.do("GET", "/livez", nil); w.Code != 200 {
			t.Errorf("not alive: %d", w.Code)
		}
	})
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	if w := n.do("GET", "/readyz", nil); w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for err, code := range map[error]wire.Code{
		keyring.ErrLease:         wire.CodeKeysUnavailable,
		fault.ErrClock:           wire.CodeClockUnreliable,
		fault.ErrUnavailable:     wire.CodeServerBusy,
		errors.New("some cause"): wire.CodeServerBusy,
	} {
		n.notReady = fmt.Errorf("secret detail: %w", err)
		w := n.do("GET", "/readyz", nil)
		refused(t, w, code)
		if strings.Contains(w.Body.String(), "secret detail") {
			t.Errorf("the answer tells the cause: %s", w.Body)
		}
	}
	n.notReady = nil
	n.drain()
	refused(t, n.do("GET", "/readyz", nil), wire.CodeServerBusy)
}

// A clock that goes wrong stops what needs one.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	alice := n.login("alice")
	n.advance(-time.Hour)
	refused(t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password}), wire.CodeClockUnreliable)
	refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken}), wire.CodeClockUnreliable)
}

// A node that is cut off from the key ring signs nothing and says so; what was
// signed before it still verifies.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	alice := n.login("alice")
	n.unread.Store(60)
	refused(t, n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: password}), wire.CodeKeysUnavailable)
	refused(t, n.do("POST", "/v1/refresh", wire.RefreshRequest{RefreshToken: alice.RefreshToken}), wire.CodeKeysUnavailable)
	refused(t, n.do("GET", "/v1/revocations", nil), wire.CodeKeysUnavailable)
	read[wire.Me](t, n.do("GET", "/v1/me", nil, bearer(alice.AccessToken)), 200)
	if w := n.do("POST", "/v1/logout", nil, bearer(alice.AccessToken)); w.Code != 204 {
		t.Errorf("log-out: %d", w.Code)
	}
}

// Whoever asks is not told which of the three it was: not by status, headers
// or body.
func TestBRT03SameAnswer(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	answer := func(username, pw string) string {
		w := n.do("POST", "/v1/login", wire.LoginRequest{Username: username, Password: pw})
		p := refused(t, w, wire.CodeInvalidCredentials)
		body := strings.ReplaceAll(w.Body.String(), p.ID, "")
		w.Header().Del("RateLimit") // counts down
		if len(p.ID) != 26 {
			t.Errorf("id %q", p.ID)
		}
		return fmt.Sprint(w.Code, w.Header(), body)
	}
	want := answer("alice", "wrong password")
	for name, got := range map[string]string{
		"unknown user":               answer("nobody", password),
		"user that none can be":      answer("no way", password),
		"disabled account":           answer("carol", password),
		"disabled, wrong password":   answer("carol", "wrong password"),
		"a password none can have":   answer("alice", "\x00"),
		"a password of 10,000 bytes": answer("alice", strings.Repeat("x", 10_000)),
	} {
		if got != want {
			t.Errorf("%s:\n%s\nwrong password:\n%s", name, got, want)
		}
	}
}

func TestBRT06DeviceToken(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	in := wire.LoginRequest{Username: "alice", Password: password}
	in.DeviceToken = n.login("alice").DeviceToken
	of := n.login("bob").DeviceToken
	for range 20 {
		n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: "wrong password"})
	}
	read[wire.TokenResponse](t, n.do("POST", "/v1/login", in), 200)
	for name, token := range map[string]string{"none": "", "somebody else's": of, "forged": in.DeviceToken[:20] + "AAAA" + in.DeviceToken[24:], "rubbish": "jsd_x"} {
		in.DeviceToken = token
		if w := n.do("POST", "/v1/login", in); w.Code != 429 {
			t.Errorf("device token %s: %d", name, w.Code)
		}
	}
}

// Where a request came from is said by the connection, and by a proxy that is
// trusted; nobody else is believed.
func TestHTP04ClientAddress(t *testing.T) {
	t.Parallel()
	n := open(t, options{Config: httpapi.Config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}})
	xff := func(v string) edit { return header("X-Forwarded-For", v) }
	for name, c := range map[string]struct {
		peer  string
		edits []edit
		want  string
	}{
		"direct":                          {"192.0.2.1:1", nil, "192.0.2.1"},
		"stranger who claims":             {"192.0.2.1:1", []edit{xff("203.0.113.9")}, "192.0.2.1"},
		"stranger who claims a proxy":     {"192.0.2.1:1", []edit{xff("203.0.113.9, 10.0.0.1")}, "192.0.2.1"},
		"proxy":                           {"10.0.0.1:1", []edit{xff("203.0.113.9")}, "203.0.113.9"},
		"proxy over IPv6":                 {"[fd00::1]:1", []edit{xff("2001:db8::7")}, "2001:db8::7"},
		"mapped proxy":                    {"[::ffff:10.0.0.1]:1", []edit{xff("203.0.113.9")}, "203.0.113.9"},
		"claim to the left":               {"10.0.0.1:1", []edit{xff("1.1.1.1, 203.0.113.9")}, "203.0.113.9"},
		"two proxies":                     {"10.0.0.1:1", []edit{xff("1.1.1.1, 203.0.113.9, 10.0.0.2")}, "203.0.113.9"},
		"two headers":                     {"10.0.0.1:1", []edit{xff("1.1.1.1"), xff("203.0.113.9")}, "203.0.113.9"},
		"with port":                       {"10.0.0.1:1", []edit{xff("203.0.113.9:555")}, "203.0.113.9"},
		"IPv6 with port":                  {"10.0.0.1:1", []edit{xff("[2001:db8::7]:555")}, "2001:db8::7"},
		"rubbish":                         {"10.0.0.1:1", []edit{xff("203.0.113.9, \x1b[31m")}, "10.0.0.1"},
		"unknown":                         {"10.0.0.1:1", []edit{xff("unknown")}, "10.0.0.1"},
		"proxies only":                    {"10.0.0.1:1", []edit{xff("10.0.0.3, 10.0.0.2")}, "10.0.0.3"},
		"no header of the proxy":          {"10.0.0.1:1", nil, "10.0.0.1"},
		"other headers of a trusted peer": {"10.0.0.1:1", []edit{header("X-Real-IP", "1.1.1.1"), header("Forwarded", "for=1.1.1.1"), header("X_Forwarded_For", "1.1.1.1"), header("True-Client-IP", "1.1.1.1")}, "10.0.0.1"},
		"a hundred thousand commas":       {"10.0.0.1:1", []edit{xff(strings.Repeat(",", 100_000))}, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			n.do("GET", "/livez", nil, append(c.edits, from(c.peer))...)
			if got := n.log.last(t)["address"]; got != c.want {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
	// What the server says of itself never comes from a header.
	w := n.do("GET", wire.PathMetadata, nil, from("10.0.0.1:1"), header("X-Forwarded-Host", "evil.example.net"), header("X-Forwarded-Proto", "gopher"),
		func(r *request) { r.Host = "evil.example.net" })
	if strings.Contains(w.Body.String(), "evil") || strings.Contains(w.Body.String(), "gopher") {
		t.Errorf("metadata: %s", w.Body)
	}
}

// BRT-04: an address that a client invents does not give it new tries.
func TestBRT04SpoofedAddress(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	for i := range 30 {
		w := n.do("POST", "/v1/login", wire.LoginRequest{Username: "alice", Password: "wrong password"},
			header("X-Forwarded-For", "203.0."+strconv.Itoa(i)+".1"))
		if want := map[bool]int{true: 401, false: 429}[i < 10]; w.Code != want {
			t.Fatalf("try %d: %d", i, w.Code)
		}
	}
}
