package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/jotsmith/jotsmith/wire"
)

// DOS-05: who asks for the feed without end is told to wait, with Retry-After,
// and is counted by the prefix of their address, so that others are not.
func TestDOS05FeedIsLimited(t *testing.T) {
	t.Parallel()
	n := open(t, options{Quiet: true})
	flood := func() *httptest.ResponseRecorder {
		return n.do("GET", "/v1/revocations?after=nonsense", nil, from("192.0.2.7:1000"))
	}
	for i := range 10_000 {
		if w := flood(); w.Code != http.StatusBadRequest {
			t.Fatalf("request %d of a burst is answered %d: followers behind one address need more", i, w.Code)
		}
	}
	w := flood()
	refused(t, w, wire.CodeRateLimited)
	if s, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || s < 1 || s > 2 {
		t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
	}
	if w := n.do("GET", "/v1/revocations?after=nonsense", nil, from("192.0.2.99:1")); w.Code != http.StatusTooManyRequests {
		t.Errorf("another address of the same /24 is answered %d", w.Code)
	}
	for _, other := range []string{"192.0.3.7:1000", "[2001:db8::1]:1"} {
		if w := n.do("GET", "/v1/revocations", nil, from(other)); w.Code != http.StatusOK {
			t.Errorf("%s is answered %d", other, w.Code)
		}
	}
	if w := n.do("GET", "/.well-known/jwks.json", nil, from("192.0.2.7:1000")); w.Code != http.StatusOK {
		t.Errorf("the key set is answered %d", w.Code)
	}
}
