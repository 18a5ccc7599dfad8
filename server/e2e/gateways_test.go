package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// The recipes of examples/gateways are run as they stand there, but for
// addresses.
var gateways = map[string]func(t *testing.T, server, upstream string) (url string){
	"nginx":   startNginx,
	"haproxy": startHAProxy,
}

const gatewayPassword = "correct horse battery"

func startNginx(t *testing.T, server, upstream string) string {
	need(t, "nginx")
	dir, addr := t.TempDir(), freeAddr(t)
	recipe(t, dir, "nginx", "127.0.0.1:8080", server, "127.0.0.1:5000", upstream, "listen 80;", "listen "+addr+";")
	main := "daemon off; master_process off; pid nginx.pid; error_log stderr warn;\nevents {}\nhttp {\n access_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += " " + kind + "_temp_path " + filepath.Join(dir, kind) + ";\n"
	}
	main += " include jotsmith.conf;\n include tasks.conf;\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	return listening(t, addr, start(t, nil, "nginx", "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")))
}

func startHAProxy(t *testing.T, server, upstream string) string {
	need(t, "haproxy")
	dir, addr := t.TempDir(), freeAddr(t)
	recipe(t, dir, "haproxy", "127.0.0.1:8080", server, "127.0.0.1:5000", upstream, "bind :80", "bind "+addr,
		"lua-load ", "lua-load "+dir+"/")
	return listening(t, addr, start(t, nil, "haproxy", "-db", "-f", filepath.Join(dir, "haproxy.cfg")))
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		lacks(t, program+": install the package of that name")
	}
}

// recipe copies a recipe into dir, with each old text replaced by a new one.
func recipe(t *testing.T, dir, name string, oldnew ...string) {
	t.Helper()
	files, err := filepath.Glob("../../examples/gateways/" + name + "/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no recipe", err)
	}
	all := ""
	replace := strings.NewReplacer(oldnew...)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(replace.Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(all, oldnew[i]) {
			t.Fatalf("%q is not in the recipe for %s", oldnew[i], name)
		}
	}
}

func listening(t *testing.T, addr string, p *proc) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return "http://" + addr
		}
		select {
		case err := <-p.done:
			p.done <- err
			t.Fatalf("ended: %v\n%s", err, p.stderr)
		case <-deadline:
			t.Fatalf("does not listen\n%s", p.stderr)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// A behind is a program behind a gateway, or a token server that the test speaks
// for: it keeps what reached it.
type behind struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

func newBehind(t *testing.T, answer http.HandlerFunc) *behind {
	b := &behind{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		kept := r.Clone(r.Context())
		kept.Body = io.NopCloser(strings.NewReader(string(body)))
		b.seen = append(b.seen, kept)
		b.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *behind) addr() string { return b.Listener.Addr().String() }

// take answers what reached it since it was asked last.
func (b *behind) take() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := b.seen
	b.seen = nil
	return seen
}

type answered struct {
	*http.Response
	body string
}

func (a answered) code() string {
	var p wire.Problem
	if a.Header.Get("Content-Type") != wire.MediaTypeProblem || json.Unmarshal([]byte(a.body), &p) != nil || p.Status != a.StatusCode {
		return "not a problem document: " + a.body
	}
	return string(p.Code)
}

// through sends a request whose headers are written as they stand.
func through(t *testing.T, method, url string, headers ...string) answered {
	t.Helper()
	var body io.Reader
	if method == "POST" {
		body = strings.NewReader(`{"title":"Milch"}`)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "tasks.example.com"
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{resp, string(b)}
}

// startGuarding runs a token server for the recipes, with an editor and a
// viewer, and answers their log-ins.
func startGuarding(t *testing.T) (addr string, editor, viewer wire.TokenResponse) {
	t.Helper()
	data, addr := filepath.Join(t.TempDir(), "data"), freeAddr(t)
	mustRun(t, gatewayPassword+"\n", "account", "create", "ada", "--role", "editor", "--password-stdin", "--data", data)
	mustRun(t, gatewayPassword+"\n", "account", "create", "bob", "--role", "viewer", "--password-stdin", "--data", data)
	startServe(t, addr, data, "--issuer", "https://auth.example.com", "--behind-proxy", "--api", "https://tasks.example", "--api", "https://other.example",
		"--role", "editor=tasks:read,tasks:write", "--role", "viewer=tasks:read")
	return addr, login(t, "http://"+addr, "ada", gatewayPassword), login(t, "http://"+addr, "bob", gatewayPassword)
}

func subject(t *testing.T, token string) string {
	t.Helper()
	var c struct{ Sub string }
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || json.Unmarshal(text, &c) != nil || c.Sub == "" {
		t.Fatalf("no subject in %s", text)
	}
	return c.Sub
}

// Only good tokens reach the program, which is told who sends them by nobody
// else than the token server.
func TestGateways(t *testing.T) {
	t.Parallel()
	for name, startGateway := range gateways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newBehind(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/tasks/socket":
					if r.Header.Get("Upgrade") != "websocket" {
						w.WriteHeader(400)
						return
					}
					conn, rw, err := http.NewResponseController(w).Hijack()
					if err != nil {
						return
					}
					defer conn.Close()
					rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
					rw.Flush()
					line, _ := rw.ReadString('\n')
					rw.WriteString("you said " + line)
					rw.Flush()
					return
				case "/tasks/401":
					w.WriteHeader(401)
				case "/tasks/403":
					w.WriteHeader(403)
				case "/tasks/500":
					w.WriteHeader(500)
				}
				io.WriteString(w, "from the program")
			})
			server, editor, viewer := startGuarding(t)
			url := startGateway(t, server, app.addr())
			ada, bob := "Bearer "+editor.AccessToken, "Bearer "+viewer.AccessToken
			cookie := "theme=dark; " + wire.CookieAccess + "=" + editor.AccessToken + "; a=b"
			spoofed := []string{
				"X-Auth-Subject", "acc_root", "X-Auth-Roles", "admin", "X-Auth-Claims", "e30", "x-auth-roles", "admin",
				"X_Auth_Subject", "acc_root", "X_Auth_Roles", "admin", "X_AUTH_CLAIMS", "e30", "X-Auth_Subject", "acc_root", "X_auth-Roles", "admin",
				"X-Forwarded-Method", "GET", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-For", "127.0.0.1",
				"X-Forwarded-Uri", "/about", "X-Original-Url", "/about", "X-Http-Method-Override", "GET",
			}
			with := func(more ...string) []string { return append(spoofed[:len(spoofed):len(spoofed)], more...) }

			passes := func(what, method, path, who, roles string, headers ...string) *http.Request {
				t.Helper()
				a := through(t, method, url+path, headers...)
				seen := app.take()
				if a.StatusCode != 200 || a.body != "from the program" || len(seen) != 1 {
					t.Fatalf("%s: %d %s; %d requests reached the program", what, a.StatusCode, a.body, len(seen))
				}
				r := seen[0]
				for header, values := range r.Header {
					plain := strings.ToLower(strings.ReplaceAll(header, "_", "-"))
					if strings.HasPrefix(plain, "x-auth-") && (strings.Contains(header, "_") || len(values) != 1) || plain == "authorization" {
						t.Errorf("%s: the program got %s: %q", what, header, values)
					}
					if strings.Contains(strings.Join(values, ""), "jotsmith_") {
						t.Errorf("%s: the program got a cookie of Jotsmith: %q", what, values)
					}
				}
				if r.Header.Get("X-Auth-Subject") != who || r.Header.Get("X-Auth-Roles") != roles || (r.Header.Get("X-Auth-Claims") != "") != (who != "") {
					t.Errorf("%s: the program got %v", what, r.Header)
				}
				return r
			}
			refused := func(what, method, path, code string, headers ...string) answered {
				t.Helper()
				a := through(t, method, url+path, headers...)
				if n := len(app.take()); n != 0 {
					t.Errorf("%s: the program was reached", what)
				}
				if a.code() != code {
					t.Errorf("%s: %d %s instead of %s", what, a.StatusCode, a.body, code)
				}
				challenges := a.Header["Www-Authenticate"]
				if want := a.StatusCode < 500; want != (len(challenges) == 1) || a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %v", what, a.Header)
				}
				return a
			}
			adaID, bobID := subject(t, editor.AccessToken), subject(t, viewer.AccessToken)

			r := passes("a good token", "GET", "/tasks?page=2", adaID, "editor", with("Authorization", ada)...)
			if got := r.Header.Get("X-Auth-Claims"); got != strings.Split(editor.AccessToken, ".")[1] {
				t.Errorf("claims %s", got)
			}
			if got := r.URL.RawQuery; got != "page=2" {
				t.Errorf("the program got the query %q", got)
			}
			if got := r.Header.Get("X-Forwarded-For"); strings.Contains(got, ",") {
				t.Errorf("the program got X-Forwarded-For %q, of which the client wrote a part", got)
			}
			r = passes("a body", "POST", "/tasks", bobID, "viewer", with("Authorization", bob)...)
			if body, _ := io.ReadAll(r.Body); string(body) != `{"title":"Milch"}` {
				t.Errorf("the program got the body %q", body)
			}
			passes("a scope that it has", "DELETE", "/tasks/1", adaID, "editor", "Authorization", ada)
			passes("headers that it calls hop by hop", "GET", "/tasks", adaID, "editor", "Authorization", ada,
				"Connection", "close, X-Auth-Subject, X-Auth-Roles, X-Forwarded-Method")
			passes("nobody asks", "GET", "/about", "", "", with("Authorization", bob, "Cookie", cookie)...)

			// Nothing that a client sends is a demand, or takes one away.
			refused("no token", "GET", "/tasks", "token_missing", spoofed...)
			refused("rules in the client's query", "DELETE", "/tasks/1?audience=https://other.example&scope=tasks:read", "forbidden", with("Authorization", bob)...)
			refused("a token in the query", "GET", "/tasks?access_token="+editor.AccessToken, "token_missing")
			for path, status := range map[string]int{"/_jotsmith/read": 404, "/tasks/../_jotsmith/write": 404, "/about/..%2ftasks": 404, "/about/%2E./tasks/1": 404, "/v1/forward-auth": 404, "/": 404, "/tasksandmore": 404} {
				a := through(t, "GET", url+path)
				if reached := len(app.take()); reached != 0 || a.StatusCode != status && a.StatusCode != 400 && a.StatusCode != 401 {
					t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
				}
			}

			refused("not a token", "GET", "/tasks", "token_malformed", "Authorization", "Bearer a.b")
			refused("forged", "GET", "/tasks", "token_invalid", "Authorization", ada[:len(ada)-4]+"AAAA")
			a := refused("the scope is missing", "DELETE", "/tasks/1", "forbidden", "Authorization", bob)
			if !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="insufficient_scope", scope="tasks:write"`) {
				t.Errorf("challenge %q", a.Header.Get("WWW-Authenticate"))
			}
			other := tokens(t, want(t, 200, "POST", "http://"+server+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: gatewayPassword, Audience: "https://other.example"}))
			refused("of another API", "GET", "/tasks", "token_invalid", "Authorization", "Bearer "+other.AccessToken)
			a = through(t, "GET", url+"/tasks", "Authorization", ada, "Authorization", bob)
			if a.StatusCode != 400 || len(app.take()) != 0 {
				t.Errorf("two Authorization headers: %d %s", a.StatusCode, a.body)
			}

			// The access cookie, of which the program learns nothing.
			r = passes("a cookie reads", "GET", "/tasks", adaID, "editor", with("Cookie", cookie)...)
			if got := r.Header.Get("Cookie"); !strings.Contains(got, "theme=dark") || !strings.Contains(got, "a=b") {
				t.Errorf("the program got the cookies %q", got)
			}
			passes("a cookie writes, from its own origin", "POST", "/tasks", adaID, "editor", "Cookie", cookie, "Origin", "http://tasks.example.com")
			passes("a cookie writes, as the browser says", "POST", "/tasks", adaID, "editor", "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
			for what, headers := range map[string][]string{
				"another origin":                  {"Origin", "https://evil.example"},
				"another origin that says GET":    with("Origin", "https://evil.example"),
				"another scheme":                  {"Origin", "https://tasks.example.com"},
				"null":                            {"Origin", "null"},
				"no origin":                       {},
				"cross-site":                      {"Sec-Fetch-Site", "cross-site"},
				"a list of origins":               {"Origin", "http://tasks.example.com, https://evil.example"},
				"another site and its own origin": {"Origin", "http://tasks.example.com", "Sec-Fetch-Site", "cross-site"},
			} {
				refused("a cookie writes: "+what, "POST", "/tasks", "cross_origin", append([]string{"Cookie", cookie}, headers...)...)
			}
			refused("a socket opened by another page", "GET", "/tasks", "cross_origin", "Cookie", cookie, "Origin", "https://evil.example",
				"Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
			socket := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Version", "13", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
			refused("a socket for nobody", "GET", "/tasks/socket", "token_missing", socket...)
			if got := converse(t, url+"/tasks/socket", append(socket, "Authorization", ada)); got != "you said hello\n" || len(app.take()) != 1 {
				t.Errorf("the socket said %q", got)
			}
			refused("cookie and header", "GET", "/tasks", "invalid_request", "Cookie", cookie, "Authorization", ada)
			refused("two cookies", "GET", "/tasks", "invalid_request", "Cookie", cookie+"; "+cookie)
			passes("two cookies where nobody asks", "GET", "/about", "", "", "Cookie", cookie+"; "+cookie+"; "+wire.CookieDevice+"=x; jotsmith_access =y")
			refused("a preflight", "OPTIONS", "/tasks", "token_missing", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")

			// What the program refuses by itself stays as it said it.
			for _, status := range []int{401, 403, 500} {
				a := through(t, "GET", fmt.Sprintf("%s/tasks/%d", url, status), "Authorization", ada)
				if a.StatusCode != status || a.body != "from the program" || len(app.take()) != 1 {
					t.Errorf("the program's %d became %d %s", status, a.StatusCode, a.body)
				}
			}

			want(t, 204, "POST", "http://"+server+"/v1/logout", viewer.AccessToken, nil)
			refused("revoked", "GET", "/tasks", "token_revoked", "Authorization", bob)
		})
	}
}

// Of what a token server might say, a gateway passes on refusals as they are,
// with Retry-After; anything else, and silence, is 503.
func TestGatewaysPassOnRefusals(t *testing.T) {
	t.Parallel()
	for name, startGateway := range gateways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newBehind(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "from the program") })
			server := newBehind(t, func(w http.ResponseWriter, r *http.Request) {
				var status int
				fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %d", &status)
				problem := fmt.Sprintf(`{"status":%d,"code":"c","detail":"\"a\", Käse, $uri"}`, status)
				h := w.Header()
				h.Set("Content-Type", wire.MediaTypeProblem)
				h.Set("Cache-Control", "public, max-age=600") // which nobody may believe
				h.Set("X-Auth-Problem", problem)
				switch status {
				case 401, 403:
					h.Set("WWW-Authenticate", `Bearer realm="x", error="y"`)
				case 429, 503:
					h.Set("Retry-After", "7")
				case 302:
					h.Set("Location", "/about")
				case 200:
					h.Set("X-Auth-Subject", "acc_a")
				}
				w.WriteHeader(status)
				io.WriteString(w, problem)
			})
			url := startGateway(t, server.addr(), app.addr())
			for _, status := range []int{400, 401, 403, 429, 503, 301, 302, 404, 500, 502, 200} {
				a := through(t, "POST", url+"/tasks?audience=x", "Authorization", fmt.Sprint("Bearer ", status), "User-Agent", "tester")
				asked, reached := server.take(), len(app.take())
				if len(asked) == 0 {
					t.Fatalf("%d: nobody was asked", status)
				}
				q := asked[0]
				body, _ := io.ReadAll(q.Body)
				if q.Method != "GET" || q.RequestURI != "/v1/forward-auth?audience=https://tasks.example&scope=tasks:read" || len(body) != 0 || q.Host != "auth.example.com" {
					t.Errorf("asked %s %s %s %q", q.Method, q.Host, q.RequestURI, body)
				}
				for header, value := range map[string]string{"X-Forwarded-Method": "POST", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "tasks.example.com", "X-Forwarded-For": "127.0.0.1"} {
					if got := q.Header[header]; len(got) != 1 || got[0] != value {
						t.Errorf("asked with %s: %q", header, got)
					}
				}
				switch status {
				case 200:
					if a.StatusCode != 200 || reached != 1 {
						t.Errorf("200 became %d", a.StatusCode)
					}
				case 400, 401, 403, 429, 503:
					want := fmt.Sprintf(`{"status":%d,"code":"c","detail":"\"a\", Käse, $uri"}`, status)
					retry := status == 429 || status == 503
					if a.StatusCode != status || a.body != want || reached != 0 || (a.Header.Get("Retry-After") == "7") != retry ||
						(a.Header.Get("WWW-Authenticate") == `Bearer realm="x", error="y"`) != (status == 401 || status == 403) {
						t.Errorf("%d became %d %v %s", status, a.StatusCode, a.Header, a.body)
					}
				default:
					if a.StatusCode != 503 || reached != 0 || a.Header.Get("Retry-After") != "2" || a.Header.Get("Location") != "" {
						t.Errorf("%d became %d %v %s", status, a.StatusCode, a.Header, a.body)
					}
				}
			}
			// Each request is asked about anew.
			for range 3 {
				through(t, "GET", url+"/tasks", "Authorization", "Bearer 200")
			}
			if n := len(server.take()); n != 3 {
				t.Errorf("three requests were asked about %d times", n)
			}
			app.take()
			server.CloseClientConnections()
			server.Close()
			if a := through(t, "GET", url+"/tasks", "Authorization", "Bearer 200"); a.StatusCode != 503 || a.Header.Get("Retry-After") != "2" || len(app.take()) != 0 {
				t.Errorf("without a token server: %d %v", a.StatusCode, a.Header)
			}
		})
	}
}

// HAProxy goes on with a request whose Lua action has failed; the recipe must not.
func TestHAProxyWhoseScriptFails(t *testing.T) {
	t.Parallel()
	need(t, "haproxy")
	app := newBehind(t, func(http.ResponseWriter, *http.Request) {})
	dir, addr := t.TempDir(), freeAddr(t)
	recipe(t, dir, "haproxy", "127.0.0.1:5000", app.addr(), "bind :80", "bind "+addr, "lua-load ", "lua-load "+dir+"/",
		"pcall(ask, txn, query)", `error("broken")`)
	url := listening(t, addr, start(t, nil, "haproxy", "-db", "-f", filepath.Join(dir, "haproxy.cfg")))
	for _, path := range []string{"/tasks", "/tasks/1"} {
		if a := through(t, "GET", url+path, "X-Auth-Subject", "root"); a.StatusCode != 503 || len(app.take()) != 0 {
			t.Errorf("%s: %d, or the program was reached", path, a.StatusCode)
		}
	}
	if a := through(t, "GET", url+"/about"); a.StatusCode != 200 || len(app.take()) != 1 {
		t.Errorf("/about: %d", a.StatusCode)
	}
}

// The task list in Flask without a line about tokens, behind nginx.
func TestFlaskBehindNginx(t *testing.T) {
	t.Parallel()
	if exec.Command("/usr/bin/python3", "-c", "import flask").Run() != nil {
		lacks(t, "Flask: install the package python3-flask")
	}
	app := freeAddr(t)
	_, port, err := net.SplitHostPort(app)
	if err != nil {
		t.Fatal(err)
	}
	listening(t, app, start(t, nil, "/usr/bin/env", "PORT="+port, "PYTHONDONTWRITEBYTECODE=1", "/usr/bin/python3", "../../examples/gateways/flask-nginx/app.py"))
	server, editor, viewer := startGuarding(t)
	url := startNginx(t, server, app)
	ada, bob := "Bearer "+editor.AccessToken, "Bearer "+viewer.AccessToken
	for _, c := range []struct {
		name, method, path, token string
		status                    int
		body                      string // a part of it
	}{
		{"nobody", "GET", "/tasks", "", 401, "token_missing"},
		{"an empty list", "GET", "/tasks", ada, 200, "[]"},
		{"an editor adds", "POST", "/tasks", ada, 201, `"title":"Milch"`},
		{"a viewer may not add", "POST", "/tasks", bob, 403, "Forbidden"},
		{"the list", "GET", "/tasks", ada, 200, subject(t, editor.AccessToken)},
		{"a list of one's own", "GET", "/tasks", bob, 200, "[]"},
		{"everybody's is for admins", "GET", "/tasks?all=true", ada, 403, "Forbidden"},
		{"a viewer may not remove", "DELETE", "/tasks/1", bob, 403, "forbidden"},
		{"an editor removes", "DELETE", "/tasks/1", ada, 204, ""},
		{"it is gone", "DELETE", "/tasks/1", ada, 404, "Not Found"},
		{"who is nobody", "GET", "/about", ada, 200, `"signed_in":false`},
	} {
		headers := []string{"X-Auth-Subject", "acc_root", "X_Auth_Subject", "acc_root", "X-Auth-Roles", "admin", "X_Auth_Roles", "admin"}
		if c.token != "" {
			headers = append(headers, "Authorization", c.token)
		}
		if a := through(t, c.method, url+c.path, headers...); a.StatusCode != c.status || !strings.Contains(a.body, c.body) {
			t.Errorf("%s: %d %s", c.name, a.StatusCode, a.body)
		}
	}
}

// converse opens a socket, says hello and answers what is said.
func converse(t *testing.T, url string, headers []string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	conn, ok := resp.Body.(io.ReadWriter)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("%d instead of a socket", resp.StatusCode)
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}
