package httpapi_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// streams reads server-sent events of the feed from a real server.
type streams struct {
	*node
	*http.Response
	lines *bufio.Scanner
}

func (n *node) stream(s *httptest.Server, query string, header ...string) *streams {
	n.t.Helper()
	r, err := http.NewRequest("GET", s.URL+"/v1/revocations"+query, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { resp.Body.Close() })
	return &streams{n, resp, bufio.NewScanner(resp.Body)}
}

// next reads one event by the rules of HTML §9.2.6, as far as the feed uses them.
func (s *streams) next() (id string, d *revocation.Document, ok bool) {
	s.t.Helper()
	var data string
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			id = value
		case "data":
			data = value
		case "":
			v, err := jwt.NewVerifier(jwt.Policy{
				Issuer: issuer, Audiences: []string{issuer}, Keys: s.ring.Keys(keyring.Feed), Type: revocation.Type,
				MaxSize: 1 << 20, CacheSize: -1, DangerouslyIgnoreRevocation: true,
			})
			if err != nil {
				s.t.Fatal(err)
			}
			token, err := v.Verify(s.t.Context(), data)
			if err != nil {
				s.t.Fatal(err)
			}
			if d, err = revocation.ParseDocument(token); err != nil {
				s.t.Fatal(err)
			}
			if want := (revocation.Cursor{Epoch: d.Epoch, Position: d.To}).String(); id != want {
				s.t.Errorf("the id of what leads to %s is %s", want, id)
			}
			return id, d, true
		}
	}
	return "", nil, false
}

func TestStreamOfRevocations(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	server := httptest.NewServer(n.handler)
	defer server.Close()
	defer server.CloseClientConnections()
	alice, bob := n.login("alice"), n.login("bob")
	s := n.stream(server, "")
	if h := s.Header; s.StatusCode != 200 || h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" || h.Get("X-Accel-Buffering") != "no" {
		t.Errorf("%d %v", s.StatusCode, h)
	}
	start, d, ok := s.next()
	if !ok || !d.Snapshot {
		t.Fatalf("first came %+v", d)
	}
	n.do("POST", "/v1/logout", nil, bearer(alice.AccessToken))
	want := jwt.NewFact(jwt.SessionFact, issuer, alice.SessionID)
	if _, d, ok := s.next(); !ok || d.Snapshot || len(d.Entries) != 1 || d.Entries[0].Fact != want {
		t.Fatalf("then %+v", d)
	}
	s.Body.Close()

	// Who comes back is told what they missed, whatever the URL said at first.
	n.do("POST", "/v1/logout", nil, bearer(bob.AccessToken))
	if err := n.feed.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = n.stream(server, "?after=elsewhere.7", "Last-Event-ID", start)
	if _, d, ok := s.next(); !ok || d.Snapshot || len(d.Entries) != 2 {
		t.Fatalf("after a break %+v", d)
	}

	// The server's stop ends the stream.
	n.drain()
	if _, d, ok := s.next(); ok {
		t.Errorf("while stopping: %+v", d)
	}
}

func TestStreamOfRevocationsRefuses(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	events := func(r *request) { r.Header.Set("Accept", "text/event-stream") }
	w := n.do("GET", "/v1/revocations?after=nonsense", nil, events)
	refused(t, w, wire.CodeInvalidRequest)
	if strings.Contains(w.Header().Get("Content-Type"), "event") {
		t.Errorf("a refusal is no stream: %v", w.Header())
	}
	refused(t, n.do("GET", "/v1/revocations", nil, events, func(r *request) { r.Header.Set("Last-Event-ID", "a.b.c") }), wire.CodeInvalidRequest)
	for accept, streamed := range map[string]bool{
		"*/*": false, "application/revocations+jwt": false, "text/*": false, "text/event-stream;q=0": false, "text/event-stream;q=0.0, */*": false, "text/event-streams": false,
		"TEXT/EVENT-STREAM": true, "application/json, text/event-stream ; q=0.5": true,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		w := n.do("GET", "/v1/revocations", nil, func(r *request) { *r = *r.WithContext(ctx); r.Header.Set("Accept", accept) })
		cancel()
		if got := w.Header().Get("Content-Type") == "text/event-stream"; w.Code != 200 || got != streamed {
			t.Errorf("Accept: %s is answered %d %v", accept, w.Code, w.Header())
		}
	}
	if w := n.do("HEAD", "/v1/revocations", nil, events); w.Code != 200 || w.Header().Get("Content-Type") != revocation.MediaType {
		t.Errorf("HEAD is answered %d %v", w.Code, w.Header())
	}
}

func TestRevocationsAreCompressed(t *testing.T) {
	t.Parallel()
	n := open(t, options{Quiet: true})
	for range 60 {
		n.do("POST", "/v1/logout", nil, bearer(n.login("alice").AccessToken))
	}
	if err := n.feed.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := n.do("GET", "/v1/revocations", nil, func(r *request) { r.Header.Set("Accept-Encoding", "br, gzip") })
	if w.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(w.Header().Get("Vary"), "Accept-Encoding") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	small := w.Body.Len()
	r, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	w.Body.Reset()
	w.Body.Write(plain)
	if d := n.document(w); len(d.Entries) != 60 || small >= len(plain) {
		t.Errorf("%d facts in %d bytes of %d", len(d.Entries), small, len(plain))
	}
	for _, coding := range []string{"", "gzip;q=0", "identity", "br"} {
		w := n.do("GET", "/v1/revocations", nil, func(r *request) { r.Header.Set("Accept-Encoding", coding) })
		if w.Header().Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding: %s is answered %v", coding, w.Header())
		}
		n.document(w)
	}
}

// keeper keeps the largest piece that is written to it, and ends the request.
type keeper struct {
	*httptest.ResponseRecorder
	piece []byte
	end   context.CancelFunc
}

func (k *keeper) Write(p []byte) (int, error) {
	if len(p) > len(k.piece) {
		k.piece = p
	}
	return k.ResponseRecorder.Write(p)
}

func (k *keeper) Flush() { k.end() }

// Those who read slowly hold one document together, and no copy each.
func TestStreamsShareDocuments(t *testing.T) {
	t.Parallel()
	n := open(t, options{})
	written := func() []byte {
		ctx, end := context.WithCancel(t.Context())
		k := &keeper{ResponseRecorder: httptest.NewRecorder(), end: end}
		r := httptest.NewRequestWithContext(ctx, "GET", issuer+"/v1/revocations", nil)
		r.Header.Set("Accept", "text/event-stream")
		n.handler.ServeHTTP(k, r)
		return k.piece
	}
	for range 5 { // a second may end in between
		if one, other := written(), written(); &one[0] == &other[0] {
			return
		}
	}
	t.Error("each stream writes a copy of its own")
}
