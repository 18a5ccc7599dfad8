package e2e

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A listed is where a token stands in a status list
// (draft-ietf-oauth-status-list §6.2).
type listed struct {
	uri     string
	index   int
	expires time.Time
}

// payloadOf reads a part of a compact token that nobody has verified.
func payloadOf(t testing.TB, compact string, into any) {
	t.Helper()
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		t.Fatalf("no compact token: %.40s", compact)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// listedAt answers where a token stands, if it says so.
func listedAt(t testing.TB, token string) (listed, bool) {
	t.Helper()
	var c struct {
		Exp    int64
		Status struct {
			List struct {
				Idx int
				URI string
			} `json:"status_list"`
		}
	}
	payloadOf(t, token, &c)
	return listed{c.Status.List.URI, c.Status.List.Idx, time.Unix(c.Exp, 0)}, c.Status.List.URI != ""
}

// statusLists are those of a server, each fetched once.
type statusLists struct {
	issuer string
	bits   map[string][]byte
}

// check checks that all tokens of the chains that verifiers accept still have
// the same status, and answers how many there are.
func (l *statusLists) check(t *testing.T, chains []*chain, want byte) (n int) {
	t.Helper()
	for _, c := range chains {
		for _, p := range c.places {
			if time.Now().After(p.expires) {
				continue
			}
			n++
			if got := l.list(t, p.uri)[p.index/8] >> (p.index % 8) & 1; got != want {
				t.Errorf("token %d of session %s has the status %d in its list, want %d", p.index, c.tokens.SessionID, got, want)
			}
		}
	}
	return n
}

func (l *statusLists) list(t *testing.T, uri string) []byte {
	t.Helper()
	if bits, ok := l.bits[uri]; ok {
		return bits
	}
	if !strings.HasPrefix(uri, l.issuer) {
		t.Fatalf("a list of another server: %s", uri)
	}
	resp, err := http.Get(uri)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	compact, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s is answered %d, %v: an entry was lost", uri, resp.StatusCode, err)
	}
	var c struct {
		List struct{ Lst string } `json:"status_list"`
	}
	payloadOf(t, string(compact), &c)
	raw, err := base64.RawURLEncoding.DecodeString(c.List.Lst)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	bits, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if l.bits == nil {
		l.bits = make(map[string][]byte)
	}
	l.bits[uri] = bits
	return bits
}
