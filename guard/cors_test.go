package guard_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
)

const app = "https://app.example.com"

func newCORS(t testing.TB, c guard.CORS) http.Handler {
	t.Helper()
	p, err := guard.NewCORS(c)
	if err != nil {
		t.Fatal(err)
	}
	return p.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Add("Vary", "Accept"); w.WriteHeader(299) }))
}

// TestWEB03CORS is a table of configurations times a table of requests.
func TestWEB03CORS(t *testing.T) {
	t.Parallel()
	const (
		preflightVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
		none          = "\x00" // the header is not there
	)
	bearer := guard.CORS{Origins: []string{app, "https://other.example.com:8443", "http://localhost:5173", "http://[::1]:5173"}, Methods: []string{"PUT", "DELETE"}, ExposedHeaders: []string{"Retry-After", "WWW-Authenticate"}}
	cookie := guard.CORS{Origins: []string{app}, Credentials: true, Headers: []string{"X-CSRF-Token", "Content-Type"}, MaxAge: time.Hour}
	everywhere := guard.CORS{Origins: []string{"*"}, MaxAge: -1}
	bare := guard.CORS{Origins: []string{app}, Headers: []string{}}

	type request struct {
		method string
		header http.Header
	}
	plain := func(origin ...string) request {
		return request{"GET", http.Header{"Origin": origin}}
	}
	preflight := func(origin, method string, headers ...string) request {
		h := http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}}
		if headers != nil {
			h["Access-Control-Request-Headers"] = headers
		}
		return request{"OPTIONS", h}
	}
	for _, c := range []struct {
		name   string
		config guard.CORS
		ask    request
		status int
		want   http.Header // of the headers of CORS, all
	}{
		{"no origin", bearer, request{"GET", nil}, 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"an allowed origin", bearer, plain(app), 299, http.Header{"Vary": {"Origin", "Accept"}, "Access-Control-Allow-Origin": {app}, "Access-Control-Expose-Headers": {"Retry-After, WWW-Authenticate"}}},
		{"an allowed origin with a port", bearer, plain("https://other.example.com:8443"), 299, http.Header{"Vary": {"Origin", "Accept"}, "Access-Control-Allow-Origin": {"https://other.example.com:8443"}, "Access-Control-Expose-Headers": {"Retry-After, WWW-Authenticate"}}},
		{"an address in development", bearer, plain("http://[::1]:5173"), 299, http.Header{"Vary": {"Origin", "Accept"}, "Access-Control-Allow-Origin": {"http://[::1]:5173"}, "Access-Control-Expose-Headers": {"Retry-After, WWW-Authenticate"}}},
		{"with credentials", cookie, plain(app), 299, http.Header{"Vary": {"Origin", "Accept"}, "Access-Control-Allow-Origin": {app}, "Access-Control-Allow-Credentials": {"true"}}},
		{"any origin", everywhere, plain("https://evil.example"), 299, http.Header{"Vary": {"Accept"}, "Access-Control-Allow-Origin": {"*"}}},
		{"any origin, none sent", everywhere, request{"GET", nil}, 299, http.Header{"Vary": {"Accept"}, "Access-Control-Allow-Origin": {"*"}}},
		{"OPTIONS that is no preflight, no method", bearer, request{"OPTIONS", http.Header{"Origin": {app}}}, 299, http.Header{"Vary": {"Origin", "Accept"}, "Access-Control-Allow-Origin": {app}, "Access-Control-Expose-Headers": {"Retry-After, WWW-Authenticate"}}},
		{"OPTIONS that is no preflight, no origin", bearer, request{"OPTIONS", http.Header{"Access-Control-Request-Method": {"PUT"}}}, 299, http.Header{"Vary": {"Origin", "Accept"}}},

		{"null", cookie, plain("null"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"http for https", cookie, plain("http://app.example.com"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"suffix", cookie, plain("https://evilapp.example.com"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"prefix", cookie, plain("https://app.example.com.evil.example"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"sub-domain", cookie, plain("https://x.app.example.com"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"parent domain", cookie, plain("https://example.com"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"port", cookie, plain("https://app.example.com:8443"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"default port", cookie, plain("https://app.example.com:443"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"upper case", cookie, plain("https://APP.example.com"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"trailing slash", cookie, plain(app + "/"), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"two in one", cookie, plain(app + " " + app), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"two headers", cookie, plain(app, app), 299, http.Header{"Vary": {"Origin", "Accept"}}},
		{"1 MB", cookie, plain(strings.Repeat("a", 1<<20)), 299, http.Header{"Vary": {"Origin", "Accept"}}},

		{"preflight", bearer, preflight(app, "PUT", "authorization,content-type"), 204, http.Header{"Vary": {preflightVary}, "Access-Control-Allow-Origin": {app},
			"Access-Control-Allow-Methods": {"DELETE, GET, HEAD, POST, PUT"}, "Access-Control-Allow-Headers": {"authorization, content-type"}, "Access-Control-Max-Age": {"300"}}},
		{"preflight with credentials", cookie, preflight(app, "POST", "x-csrf-token"), 204, http.Header{"Vary": {preflightVary}, "Access-Control-Allow-Origin": {app}, "Access-Control-Allow-Credentials": {"true"},
			"Access-Control-Allow-Methods": {"GET, HEAD, POST"}, "Access-Control-Allow-Headers": {"content-type, x-csrf-token"}, "Access-Control-Max-Age": {"3600"}}},
		{"preflight from anywhere", everywhere, preflight("https://evil.example", "GET", "authorization"), 204, http.Header{"Access-Control-Allow-Origin": {"*"},
			"Access-Control-Allow-Methods": {"GET, HEAD, POST"}, "Access-Control-Allow-Headers": {"authorization, content-type"}, "Access-Control-Max-Age": {"0"}}},
		{"preflight without headers to set", bare, preflight(app, "POST"), 204, http.Header{"Vary": {preflightVary}, "Access-Control-Allow-Origin": {app},
			"Access-Control-Allow-Methods": {"GET, HEAD, POST"}, "Access-Control-Max-Age": {"300"}}},
		{"spaces, empty elements, cases and lines, as intermediaries write them", bearer, preflight(app, "PUT", "Authorization, ,\tContent-Type", ""), 204, http.Header{"Vary": {preflightVary}, "Access-Control-Allow-Origin": {app},
			"Access-Control-Allow-Methods": {"DELETE, GET, HEAD, POST, PUT"}, "Access-Control-Allow-Headers": {"authorization, content-type"}, "Access-Control-Max-Age": {"300"}}},

		{"preflight of another origin", cookie, preflight("https://evil.example", "POST"), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight of null", cookie, preflight("null", "POST"), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight for another method", cookie, preflight(app, "DELETE"), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight for a method in another case", bearer, preflight(app, "put"), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight for no method", bearer, preflight(app, ""), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight for another header", cookie, preflight(app, "POST", "authorization"), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight for one more header", bearer, preflight(app, "POST", "authorization,x-a"), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight for the beginning of a header", bearer, preflight(app, "POST", "auth"), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight with 100 KB of commas", bearer, preflight(app, "POST", strings.Repeat(",", 100_000)), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight with 100 KB of one header", bearer, preflight(app, "POST", strings.Repeat("authorization,", 7_000)), 403, http.Header{"Vary": {preflightVary}}},
		{"preflight with 10,000 lines", bearer, preflight(app, "POST", make([]string, 10_000)...), 403, http.Header{"Vary": {preflightVary}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newCORS(t, c.config)
			r := httptest.NewRequest(c.ask.method, "/tasks", nil)
			r.Header = c.ask.header
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			got := w.Header().Clone()
			for _, name := range []string{"Content-Type", "Cache-Control", "X-Content-Type-Options"} {
				got.Del(name)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("headers\n%v, want\n%v", got, c.want)
			}
		})
	}
}

// What 100 KB of commas cost is no multiple of what an honest list costs.
func TestWEB03PreflightCostsNothing(t *testing.T) {
	h := newCORS(t, guard.CORS{Origins: []string{app}})
	ask := func(list string) float64 {
		r := httptest.NewRequest("OPTIONS", "/", nil)
		r.Header = http.Header{"Origin": {app}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {list}}
		return testing.AllocsPerRun(50, func() { h.ServeHTTP(httptest.NewRecorder(), r) })
	}
	if honest, hostile := ask("authorization"), ask(strings.Repeat(",", 100_000)); hostile > 3*honest {
		t.Errorf("%v allocations for commas, %v for a header", hostile, honest)
	}
}

func TestCORSRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		config guard.CORS
		want   []string
	}{
		{"nothing", guard.CORS{}, []string{"Origins are required"}},
		{"WEB-03 null", guard.CORS{Origins: []string{"null"}}, []string{`Origins[0] "null"`, "sandboxed"}},
		{"WEB-03 wildcard with credentials", guard.CORS{Origins: []string{"*"}, Credentials: true}, []string{"Credentials"}},
		{"wildcard and an origin", guard.CORS{Origins: []string{app, "*"}}, []string{"nothing for the others"}},
		{"WEB-03 a pattern", guard.CORS{Origins: []string{"https://*.example.com"}}, []string{"pattern"}},
		{"trailing slash", guard.CORS{Origins: []string{app + "/"}}, []string{"no slash"}},
		{"path", guard.CORS{Origins: []string{app + "/tasks"}}, []string{"no slash"}},
		{"query", guard.CORS{Origins: []string{app + "?x"}}, []string{"no slash"}},
		{"user name", guard.CORS{Origins: []string{"https://anna@app.example.com"}}, []string{"user name"}},
		{"upper case", guard.CORS{Origins: []string{"https://App.example.com"}}, []string{"lower case"}},
		{"no scheme", guard.CORS{Origins: []string{"app.example.com"}}, []string{"scheme"}},
		{"no host", guard.CORS{Origins: []string{"https://"}}, []string{"host"}},
		{"empty", guard.CORS{Origins: []string{""}}, []string{"host"}},
		{"another scheme", guard.CORS{Origins: []string{"file://app"}}, []string{"https"}},
		{"plain http", guard.CORS{Origins: []string{"http://app.example.com"}}, []string{"loopback"}},
		{"http on what begins like loopback", guard.CORS{Origins: []string{"http://localhost.example.com"}}, []string{"loopback"}},
		{"default port", guard.CORS{Origins: []string{"https://app.example.com:443"}}, []string{"port 443"}},
		{"default port of http", guard.CORS{Origins: []string{"http://localhost:80"}}, []string{"port 80"}},
		{"port 0", guard.CORS{Origins: []string{app + ":0"}}, []string{"port"}},
		{"port with a zero in front", guard.CORS{Origins: []string{app + ":08443"}}, []string{"port"}},
		{"port beyond", guard.CORS{Origins: []string{app + ":65536"}}, []string{"port"}},
		{"no port behind the colon", guard.CORS{Origins: []string{app + ":"}}, []string{"port"}},
		{"a dot at the end", guard.CORS{Origins: []string{app + "."}}, []string{"dot"}},
		{"two dots", guard.CORS{Origins: []string{"https://app..example.com"}}, []string{"host"}},
		{"not ASCII", guard.CORS{Origins: []string{"https://bücher.example"}}, []string{"punycode"}},
		{"a space", guard.CORS{Origins: []string{"https://app.example.com "}}, []string{"host"}},
		{"a line break", guard.CORS{Origins: []string{"https://app.example.com\r\nx"}}, []string{"host"}},
		{"two in one", guard.CORS{Origins: []string{app + "," + app}}, []string{"no slash"}},
		{"an address in a long form", guard.CORS{Origins: []string{"https://[0:0:0:0:0:0:0:1]"}}, []string{"shortest"}},
		{"an address with a zone", guard.CORS{Origins: []string{"https://[fe80::1%eth0]"}}, []string{"shortest"}},
		{"an address in octal", guard.CORS{Origins: []string{"https://010.0.0.1"}}, []string{"shortest"}},
		{"an address as a number", guard.CORS{Origins: []string{"https://2130706433"}}, []string{"shortest"}},
		{"method wildcard", guard.CORS{Origins: []string{app}, Methods: []string{"*"}}, []string{`Methods[0] "*"`}},
		{"method in lower case", guard.CORS{Origins: []string{app}, Methods: []string{"patch"}}, []string{"upper case"}},
		{"methods in one", guard.CORS{Origins: []string{app}, Methods: []string{"PUT, DELETE"}}, []string{"one method"}},
		{"TRACE", guard.CORS{Origins: []string{app}, Methods: []string{"TRACE"}}, []string{"no page may use"}},
		{"header wildcard", guard.CORS{Origins: []string{app}, Headers: []string{"*"}}, []string{"Authorization"}},
		{"headers in one", guard.CORS{Origins: []string{app}, Headers: []string{"A, B"}}, []string{"one header"}},
		{"a header that browsers keep", guard.CORS{Origins: []string{app}, Headers: []string{"Cookie", "Sec-Fetch-Site", "Proxy-Authorization"}}, []string{"Headers[0]", "Headers[1]", "Headers[2]"}},
		{"exposed wildcard", guard.CORS{Origins: []string{app}, ExposedHeaders: []string{"*"}}, []string{"ExposedHeaders[0]"}},
		{"exposed cookies", guard.CORS{Origins: []string{app}, ExposedHeaders: []string{"set-cookie"}}, []string{"no page may read"}},
		{"a long age", guard.CORS{Origins: []string{app}, MaxAge: 48 * time.Hour}, []string{"MaxAge"}},
		{"half a second", guard.CORS{Origins: []string{app}, MaxAge: time.Second / 2}, []string{"MaxAge"}},
		{"all at once", guard.CORS{Origins: []string{"null", "x", "*"}, Credentials: true, Methods: []string{"*", "get"}, Headers: []string{"*"}, ExposedHeaders: []string{""}, MaxAge: 48 * time.Hour},
			[]string{"Credentials", "nothing for the others", "Methods[0]", "Methods[1]", "Headers[0]", "ExposedHeaders[0]", "MaxAge"}},
		{"all origins at once", guard.CORS{Origins: []string{app, "null", "https://x/", "http://x"}}, []string{"Origins[1]", "Origins[2]", "Origins[3]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := guard.NewCORS(c.config)
			if p != nil || err == nil {
				t.Fatalf("got %v, %v", p, err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

func TestCORSAccepts(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{app, "https://xn--bcher-kva.example", "https://a_b.example.com", "https://intranet", "https://app.example.com:8443",
		"https://192.0.2.7", "https://[2001:db8::1]:8443", "http://localhost", "http://localhost:5173", "http://app.localhost:5173", "http://127.0.0.1:5173", "http://[::1]"} {
		if _, err := guard.NewCORS(guard.CORS{Origins: []string{origin}}); err != nil {
			t.Error(err)
		}
	}
}

// FuzzCORS: whatever is sent, an answer that lets a page read it names an origin
// of the list, and a preflight that is allowed asked for nothing beyond it.
func FuzzCORS(f *testing.F) {
	h := newCORS(f, guard.CORS{Origins: []string{app}, Methods: []string{"PUT"}, Credentials: true})
	f.Fuzz(func(t *testing.T, method, origin, asked, headers string) {
		r := &http.Request{Method: method, Header: http.Header{"Origin": {origin}, "Access-Control-Request-Method": {asked}, "Access-Control-Request-Headers": {headers}}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		allowed := w.Header()["Access-Control-Allow-Origin"]
		if allowed != nil != (origin == app && w.Code != 403) || allowed != nil && !slices.Equal(allowed, []string{app}) {
			t.Errorf("%q was answered %d, %q", origin, w.Code, allowed)
		}
		if len(w.Header()["Vary"]) == 0 {
			t.Error("no Vary")
		}
		if w.Code != 204 {
			return
		}
		for name := range strings.SplitSeq(headers, ",") {
			if name = strings.ToLower(strings.Trim(name, " \t")); name != "" && name != "authorization" && name != "content-type" {
				t.Errorf("allowed the header %q", name)
			}
		}
		if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT"}, asked) {
			t.Errorf("allowed the method %q", asked)
		}
	})
}
