package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

// DOS-05: who keeps streams of the feed open without end gets a quarter of them,
// counted by the prefix of their address; others follow still, and so does who is
// not counted.
func TestDOS05StreamsAreLimited(t *testing.T) {
	t.Parallel()
	n := open(t, options{Quiet: true})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	stream := func(ctx context.Context, address string) *httptest.ResponseRecorder {
		return n.do("GET", "/v1/revocations", nil, from(address), func(r *request) {
			*r = *r.WithContext(ctx)
			r.Header.Set("Accept", "text/event-stream")
		})
	}
	const most = 256 // a quarter of what a node has
	for i := range most {
		all.Go(func() { stream(ctx, fmt.Sprintf("192.0.2.%d:1000", i)) })
	}
	for patience := time.Now().Add(time.Minute); n.feed.Stats().Streams < most; runtime.Gosched() {
		if time.Now().After(patience) {
			t.Fatalf("%d streams", n.feed.Stats().Streams)
		}
	}
	w := stream(ctx, "192.0.2.7:1000")
	refused(t, w, wire.CodeRateLimited)
	if got := w.Header().Get("Retry-After"); got != "10" {
		t.Errorf("Retry-After %q", got)
	}
	for _, other := range []string{"192.0.3.7:1000", "[2001:db8::1]:1"} {
		brief, end := context.WithTimeout(ctx, 50*time.Millisecond)
		if w := stream(brief, other); w.Code != http.StatusOK {
			t.Errorf("%s is answered %d", other, w.Code)
		}
		end()
	}
	if w := n.do("GET", "/v1/revocations", nil, from("192.0.2.7:1000")); w.Code != http.StatusOK {
		t.Errorf("who asks without a stream is answered %d", w.Code)
	}

	// Who is not counted has as many as there are.
	exempt := open(t, options{Config: httpapi.Config{Exempt: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, Quiet: true})
	for i := range most + 1 {
		all.Go(func() {
			exempt.do("GET", "/v1/revocations", nil, from(fmt.Sprintf("192.0.2.%d:1000", i%256)), func(r *request) {
				*r = *r.WithContext(ctx)
				r.Header.Set("Accept", "text/event-stream")
			})
		})
	}
	for patience := time.Now().Add(time.Minute); exempt.feed.Stats().Streams <= most; runtime.Gosched() {
		if time.Now().After(patience) {
			t.Fatal("an exempt address is limited")
		}
	}
}

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
