package wire

import (
	"encoding/json"
	"net/http"
	"regexp"
	"testing"
)

// TestCodeTable pins the statuses that programs depend on.
func TestCodeTable(t *testing.T) {
	t.Parallel()
	want := map[Code]int{
		CodeTokenMissing: 401, CodeTokenMalformed: 401, CodeTokenInvalid: 401, CodeTokenExpired: 401, CodeTokenRevoked: 401, CodeLoginTooWeak: 401,
		CodeForbidden: 403, CodeInvalidRequest: 400, CodeKeysUnavailable: 503, CodeRevocationUnavailable: 503, CodeRateLimited: 429,
		CodeInvalidCredentials: 401, CodeInvalidRefreshToken: 401, CodeInvalidClient: 401, CodeCrossOrigin: 403, CodeInvalidGrant: 400, CodeUnsupportedGrantType: 400, CodeInvalidScope: 400, CodeInvalidTarget: 400,
		CodePasswordTooWeak: 400, CodeNotFound: 404, CodeAlreadyExists: 409, CodeConflict: 409, CodeMethodNotAllowed: 405, CodeUnsupportedMediaType: 415,
		CodeBodyTooLarge: 413, CodeMisdirectedRequest: 421, CodeServerBusy: 503, CodeStoreBehind: 503,
		CodeClockUnreliable: 503, CodeInternal: 500,
	}
	if len(want) != len(codes) {
		t.Errorf("the table has %d codes, this test knows %d", len(codes), len(want))
	}
	spelling := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	for code, status := range want {
		if code.Status() != status {
			t.Errorf("%s: status %d, want %d", code, code.Status(), status)
		}
		if http.StatusText(code.Status()) == "" || code.Title() == "" || !spelling.MatchString(string(code)) {
			t.Errorf("%s: incomplete or misspelled", code)
		}
	}
}

func TestLoopbackCookies(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{CookieRefresh: "jotsmith_refresh", CookieDevice: "jotsmith_device", CookieAccess: "jotsmith_access"} {
		if got := LoopbackCookie(name); got != want {
			t.Errorf("%s on loopback is %q, want %q", name, got, want)
		}
	}
}

func TestUnknownCodeIsInternal(t *testing.T) {
	t.Parallel()
	if c := Code("no_such"); c.Status() != 500 || c.Title() != CodeInternal.Title() {
		t.Errorf("unknown code answers %d %q", c.Status(), c.Title())
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		body any
		want string
	}{
		{"inactive token says nothing else", Introspection{}, `{"active":false}`},
		{"empty patch changes nothing", MePatch{}, `{}`},
		{"no session is an empty list", SessionList{Sessions: []Session{}}, `{"sessions":[]}`},
		{"cookie mode keeps the refresh token out", TokenResponse{AccessToken: "a", TokenType: "Bearer", ExpiresIn: 900},
			`{"access_token":"a","token_type":"Bearer","expires_in":900}`},
		{"problem", NewProblem(CodeTokenExpired, "abc"),
			`{"type":"` + errorPage + `token_expired","title":"Token has expired. Please re-authenticate.","status":401,"code":"token_expired","id":"abc"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(c.body)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}
