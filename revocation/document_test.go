package revocation

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwt"
)

func feedToken(t testing.TB, custom any) *jwt.Token {
	t.Helper()
	return verified(t, jwt.IssuerConfig{Issuer: issuerName, Key: newKey(t), Type: Type, MaxSize: maxDocument},
		jwt.Claims{Subject: issuerName, Audience: []string{issuerName}, Custom: custom})
}

func TestDocumentRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 0).UTC()
	want := &Document{Issuer: issuerName, Epoch: "Zx-9_", From: 7, To: 9, More: true, Entries: []Entry{
		{Fact: session("a")},
		{Fact: session("b"), Expires: at},
		{Fact: session("c"), Expires: at.Add(time.Hour), Before: at},
		{Fact: session("d"), Expires: time.Unix(math.MaxUint32, 0).UTC(), Before: time.Unix(1, 0).UTC()},
	}}
	token := feedToken(t, want.Custom())
	want.IssuedAt = token.IssuedAt()
	got, err := ParseDocument(token)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
}

func TestSeconds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		at   time.Time
		want uint32
	}{
		{"none", time.Time{}, 0},
		{"the epoch is a time", time.Unix(0, 0), 1},
		{"long ago", time.Unix(-5, 0), 1},
		{"rounded up", time.Unix(10, 1), 11},
		{"whole", time.Unix(10, 0), 10},
		{"too late to write", time.Unix(math.MaxUint32+5, 0), math.MaxUint32},
	} {
		if got := seconds(c.at); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestParseDocumentRefuses(t *testing.T) {
	t.Parallel()
	row := string(b64.Append(nil, make([]byte, rowSize)))
	for _, c := range []struct {
		name  string
		claim claims
	}{
		{"no epoch", claims{To: 1, Snapshot: true}},
		{"an epoch with a dot", claims{Epoch: "a.b", Snapshot: true}},
		{"a long epoch", claims{Epoch: strings.Repeat("a", 65), Snapshot: true}},
		{"backwards", claims{Epoch: "e1", From: 2, To: 1}},
		{"a position no JSON parser keeps", claims{Epoch: "e1", To: 1 << 53, Snapshot: true}},
		{"a snapshot from somewhere", claims{Epoch: "e1", From: 1, To: 2, Snapshot: true}},
		{"facts without a position", claims{Epoch: "e1", From: 1, To: 1, Facts: row}},
		{"more without a position", claims{Epoch: "e1", From: 1, To: 1, More: true}},
		{"half a row", claims{Epoch: "e1", To: 1, Facts: row[:16]}},
		{"padding", claims{Epoch: "e1", To: 1, Facts: row + "=="}},
		{"not base64url", claims{Epoch: "e1", To: 1, Facts: strings.Replace(row, "A", "+", 1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if d, err := ParseDocument(feedToken(t, c.claim)); err == nil || d != nil {
				t.Errorf("got %v, %v", d, err)
			}
		})
	}
	t.Run("names in another case", func(t *testing.T) {
		t.Parallel()
		if d, err := ParseDocument(feedToken(t, map[string]any{"Epoch": "e1", "snapshot": true})); err == nil {
			t.Errorf("got %v", d)
		}
	})
	t.Run("JWS-20 an access token", func(t *testing.T) {
		t.Parallel()
		d := Document{Epoch: "e1", To: 1, Snapshot: true}
		if d, err := ParseDocument(token(t, jwt.Claims{Custom: d.Custom()})); err == nil {
			t.Errorf("got %v", d)
		}
	})
}

func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{"e1.5", "", ".", "e1.", ".5", "e1.05", "e1.-1", "e1.9007199254740992", "e1.5.6", "é.1", "Zx-9_.0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil {
			if c != (Cursor{}) {
				t.Errorf("%q: a cursor and an error", s)
			}
			return
		}
		if c.String() != s || !isEpoch(c.Epoch) {
			t.Errorf("%q was read as %q", s, c.String())
		}
	})
}

// FuzzParseDocument: whatever genuine claims say, reading them ends in a
// document that can be written again alike, or an error.
func FuzzParseDocument(f *testing.F) {
	f.Add("e1", uint64(0), uint64(5), true, "")
	f.Add("e1", uint64(5), uint64(6), false, string(b64.Append(nil, make([]byte, rowSize))))
	f.Add("", uint64(6), uint64(5), false, "A")
	f.Add("e.1", uint64(1), uint64(1<<53), true, "AAAA=")
	key := newKey(f)
	f.Fuzz(func(t *testing.T, epoch string, from, to uint64, snapshot bool, facts string) {
		c := claims{epoch, from, to, snapshot, to%2 == 1, strings.ToValidUTF8(facts, "")}
		issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key, Type: Type, MaxSize: maxDocument})
		if err != nil {
			t.Fatal(err)
		}
		compact, err := issuer.Issue(jwt.Claims{Subject: issuerName, Audience: []string{issuerName}, Life: time.Minute, Custom: c})
		if err != nil {
			return
		}
		v, err := jwt.NewVerifier(jwt.Policy{Issuer: issuerName, Audiences: []string{issuerName}, Keys: keySet(t, key), Type: Type,
			MaxSize: maxDocument, DangerouslyIgnoreRevocation: true})
		if err != nil {
			t.Fatal(err)
		}
		token, err := v.Verify(t.Context(), compact)
		if err != nil {
			return
		}
		d, err := ParseDocument(token)
		if (d == nil) == (err == nil) {
			t.Fatalf("%v and %v", d, err)
		}
		if err == nil && d.Custom() != any(c) {
			t.Errorf("read %+v, wrote %+v", c, d.Custom())
		}
	})
}
