package revocation

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// answer is what the scripted issuer says to one request.
type answer struct {
	Document
	late   time.Duration // the document was issued that long ago
	key    *jwk.PrivateKey
	config jwt.IssuerConfig // Issuer and Type, where they are not the feed's
	aud    string
	status int // answers that alone, with Retry-After
	retry  string
	body   string // answers that text
	mime   string
}

func snapshot(epoch string, to uint64, names ...string) answer {
	return answer{Document: Document{Epoch: epoch, To: to, Snapshot: true, Entries: entries(names...)}}
}

func delta(epoch string, from, to uint64, names ...string) answer {
	return answer{Document: Document{Epoch: epoch, From: from, To: to, Entries: entries(names...)}}
}

func (a answer) issued(ago time.Duration) answer { a.late = ago; return a }
func (a answer) part() answer                    { a.More = true; return a }

func (a answer) signedBy(k *jwk.PrivateKey) answer { a.key = k; return a }
func (a answer) of(issuer, aud, typ string) answer {
	a.config.Issuer, a.aud, a.config.Type = issuer, aud, typ
	return a
}

// compact signs a document as the issuer's feed does.
func (a answer) compact(t testing.TB, key *jwk.PrivateKey) string {
	t.Helper()
	c := a.config
	if c.Issuer == "" {
		c.Issuer = issuerName
	}
	if c.Type == "" {
		c.Type = Type
	}
	if a.aud == "" {
		a.aud = issuerName
	}
	if a.key != nil {
		key = a.key
	}
	c.Key, c.MaxSize = key, maxDocument
	issuer, err := jwt.NewIssuer(c)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := issuer.Issue(jwt.Claims{
		Subject: c.Issuer, Audience: []string{a.aud}, Life: time.Minute, IssuedAt: time.Now().Add(-a.late), Custom: a.Custom(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// script is an issuer that gives its answers one after the other and then none.
type script struct {
	t       *testing.T
	key     *jwk.PrivateKey
	answers []answer
	mu      sync.Mutex
	asked   []string // the cursor of each request
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.Query().Get("after"))
	n := len(s.asked) - 1
	s.mu.Unlock()
	if n >= len(s.answers) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	switch a := s.answers[n]; {
	case a.status != 0:
		r := response(a.status, MediaType, "")
		r.Header.Set("Retry-After", a.retry)
		return r, nil
	case a.body != "" || a.mime != "":
		return response(200, a.mime, a.body), nil
	default:
		time.Sleep(time.Second) // what issuers answer one after the other bears later times
		return response(200, MediaType, a.compact(s.t, s.key)), nil
	}
}

func (s *script) follower(c FollowerConfig) *Follower {
	s.t.Helper()
	c.URL, c.Issuer, c.Client, c.Log = feedURL, issuerName, &http.Client{Transport: s}, quiet()
	if c.Keys == nil {
		c.Keys = keySet(s.t, s.key)
	}
	f, err := NewFollower(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// run follows the script to its end and returns when the follower waits.
func (s *script) run(f *Follower) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { f.Run(ctx); close(done) }()
	for {
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		s.mu.Lock()
		n := len(s.asked)
		s.mu.Unlock()
		if n > len(s.answers) {
			break
		}
	}
	return func() { cancel(); <-done }
}

// standing lists which of the sessions a to z are held to be ended.
func standing(f *Follower) string {
	var b strings.Builder
	for c := 'a'; c <= 'z'; c++ {
		if f.set.get(session(string(c))) != nil {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// TestFollower: whatever the feed answers, the follower ends up with exactly the
// facts that stand, and asks for what it lacks.
func TestFollower(t *testing.T) {
	t.Parallel()
	forger, access := newKey(t), newKey(t)
	for _, c := range []struct {
		name    string
		answers []answer
		asked   string // the cursors, first to last
		stands  string
		at      string
	}{
		{"a snapshot, then news",
			[]answer{snapshot("e1", 5, "a"), delta("e1", 5, 6, "b"), delta("e1", 6, 8, "c", "d")},
			" e1.5 e1.6 e1.8", "abcd", "e1.8"},
		{"an empty feed",
			[]answer{snapshot("e1", 0), delta("e1", 0, 1, "a")}, " e1.0 e1.1", "a", "e1.1"},
		{"no news",
			[]answer{snapshot("e1", 5, "a"), delta("e1", 5, 5), delta("e1", 5, 5)}, " e1.5 e1.5 e1.5", "a", "e1.5"},
		{"fell behind: a snapshot where a delta was asked for",
			[]answer{snapshot("e1", 5, "a"), snapshot("e1", 90, "a", "b")}, " e1.5 e1.90", "ab", "e1.90"},
		{"a gap",
			[]answer{snapshot("e1", 5, "a"), delta("e1", 7, 8, "c"), snapshot("e1", 8, "a", "b", "c")}, " e1.5  e1.8", "abc", "e1.8"},
		{"reordered: a delta comes twice",
			[]answer{snapshot("e1", 5), delta("e1", 5, 6, "a"), delta("e1", 5, 6, "a"), snapshot("e1", 6, "a")}, " e1.5 e1.6  e1.6", "a", "e1.6"},
		{"reordered: a later delta comes first",
			[]answer{snapshot("e1", 5), delta("e1", 6, 7, "b"), snapshot("e1", 7, "a", "b")}, " e1.5  e1.7", "ab", "e1.7"},
		{"a delta that overlaps",
			[]answer{snapshot("e1", 5), delta("e1", 4, 7, "a", "b"), snapshot("e1", 7, "a", "b")}, " e1.5  e1.7", "ab", "e1.7"},
		{"a new epoch: what was known keeps standing",
			[]answer{snapshot("e1", 5, "a", "b"), snapshot("e2", 1, "b", "x"), delta("e2", 1, 2, "y")}, " e1.5 e2.1 e2.2", "abxy", "e2.2"},
		{"a new epoch, then a snapshot within it",
			[]answer{snapshot("e1", 5, "a"), snapshot("e2", 1), delta("e2", 3, 4), snapshot("e2", 4, "x")}, " e1.5 e2.1  e2.4", "ax", "e2.4"},
		{"a delta of another epoch",
			[]answer{snapshot("e1", 5, "a"), delta("e2", 5, 6, "x"), snapshot("e2", 6, "x")}, " e1.5  e2.6", "ax", "e2.6"},
		{"told in parts",
			[]answer{snapshot("e1", 5, "a").part(), delta("e1", 5, 9, "b").part(), delta("e1", 9, 12, "c")}, " e1.5 e1.9 e1.12", "abc", "e1.12"},
		{"a snapshot from before: the store is behind, and has another past when it is no more",
			[]answer{snapshot("e1", 5, "a", "b"), snapshot("e1", 4, "z"), snapshot("e1", 6, "c", "d")}, " e1.5  e1.6", "abcd", "e1.6"},
		{"a snapshot in parts, of what is known in part",
			[]answer{snapshot("e1", 5, "a"), delta("e1", 3, 4), snapshot("e1", 2, "b").part(), delta("e1", 2, 6, "c")}, " e1.5  e1.2 e1.6", "abc", "e1.6"},
		{"the same, of a store that is behind",
			[]answer{snapshot("e1", 5, "a"), delta("e1", 3, 4), snapshot("e1", 2, "b").part(), delta("e1", 2, 4, "z"), snapshot("e1", 6, "c")}, " e1.5  e1.2  e1.6", "abc", "e1.6"},
		{"an older document",
			[]answer{snapshot("e1", 5, "a"), snapshot("e2", 9, "z").issued(10 * time.Second), delta("e1", 5, 6, "b")}, " e1.5 e1.5 e1.6", "ab", "e1.6"},
		{"an older delta",
			[]answer{snapshot("e1", 5, "a"), delta("e1", 5, 6, "z").issued(10 * time.Second), delta("e1", 5, 6, "b")}, " e1.5 e1.5 e1.6", "ab", "e1.6"},
		{"nodes whose clocks differ by what they may",
			[]answer{snapshot("e1", 5, "a"), delta("e1", 5, 6, "b").issued(2 * time.Second)}, " e1.5 e1.6", "ab", "e1.6"},
		{"an expired document",
			[]answer{snapshot("e1", 5, "z").issued(2 * time.Minute), snapshot("e1", 6, "a")}, "  e1.6", "a", "e1.6"},
		{"a document from the future",
			[]answer{snapshot("e1", 5, "z").issued(-2 * time.Minute), snapshot("e1", 6, "a")}, "  e1.6", "a", "e1.6"},
		{"forged",
			[]answer{snapshot("e1", 5, "a"), snapshot("e2", 9, "z").signedBy(forger), delta("e1", 5, 6, "b")}, " e1.5 e1.5 e1.6", "ab", "e1.6"},
		{"signed by a key of access tokens",
			[]answer{snapshot("e1", 5, "z").signedBy(access), snapshot("e1", 6, "a")}, "  e1.6", "a", "e1.6"},
		{"JWS-20 an access token of the same key",
			[]answer{snapshot("e1", 5, "z").of(issuerName, issuerName, "at+jwt"), snapshot("e1", 6, "a")}, "  e1.6", "a", "e1.6"},
		{"of another issuer",
			[]answer{snapshot("e1", 5, "z").of("https://other.example", issuerName, Type), snapshot("e1", 6, "a")}, "  e1.6", "a", "e1.6"},
		{"for another audience",
			[]answer{snapshot("e1", 5, "z").of(issuerName, "https://api.example.com", Type), snapshot("e1", 6, "a")}, "  e1.6", "a", "e1.6"},
		{"a delta nobody asked for",
			[]answer{delta("e1", 0, 5, "z"), snapshot("e1", 5, "a")}, "  e1.5", "a", "e1.5"},
		{"failures",
			[]answer{{status: 500}, {status: 404}, snapshot("e1", 5, "a"), {status: 503}, {status: 302}, {status: 304}, delta("e1", 5, 6, "b")},
			"   e1.5 e1.5 e1.5 e1.5 e1.6", "ab", "e1.6"},
		{"garbage",
			[]answer{{body: "<html>", mime: "text/html"}, {body: "x", mime: MediaType}, {mime: MediaType}, {body: strings.Repeat("x", maxDocument+1), mime: MediaType},
				{body: "a.b.c", mime: MediaType}, snapshot("e1", 5, "a")}, "      e1.5", "a", "e1.5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{t: t, key: newKey(t), answers: c.answers}
				f := s.follower(FollowerConfig{})
				stop := s.run(f)
				defer stop()
				if got := strings.Join(s.asked, " "); got != c.asked {
					t.Errorf("asked %q, want %q", got, c.asked)
				}
				if got := standing(f); got != c.stands || f.Len() != len(c.stands) {
					t.Errorf("stands %q (%d facts), want %q", got, f.Len(), c.stands)
				}
				if got := f.Position().String(); got != c.at {
					t.Errorf("at %s, want %s", got, c.at)
				}
			})
		})
	}
}

// DOS-05: an issuer that asks for a pause gets it, within what the set's age
// allows.
func TestDOS05FollowerHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		retry    string
		maxStale time.Duration
		at       time.Duration // the next request, with less than 200 ms of its own pause
	}{
		{"seconds", "5", 0, 5 * time.Second},
		{"a date", "Sat, 01 Jan 2000 00:00:07 GMT", 0, 7 * time.Second}, // synctest begins at midnight
		{"too long", "86400", 0, maxRetryAfter},
		{"a set that may not become old", "60", 8 * time.Second, 2 * time.Second},
		{"none", "", 0, 0},
		{"malformed", "soon", 0, 0},
		{"negative", "-5", 0, 0},
		{"past", "Fri, 31 Dec 1999 00:00:00 GMT", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				s := &script{t: t, key: newKey(t), answers: []answer{{status: 429, retry: c.retry}, snapshot("e1", 5, "a")}}
				f := s.follower(FollowerConfig{MaxStale: c.maxStale})
				defer s.run(f)()
				<-f.Ready()
				// An answer takes the scripted issuer a second.
				if took := time.Since(began) - time.Second; took < c.at || took > c.at+300*time.Millisecond {
					t.Errorf("asked again after %v, want %v", took, c.at)
				}
			})
		})
	}
}

// A document whose claims were exchanged bears the real key's id.
func TestFollowerForgedUnderTheRealKeyID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		real := newKey(t)
		good := snapshot("e1", 5, "a").compact(t, real)
		parts := strings.Split(good, ".")
		other := strings.Split(snapshot("e1", 9, "z").compact(t, real), ".")
		s := &script{t: t, key: real, answers: []answer{
			{body: parts[0] + "." + other[1] + "." + parts[2], mime: MediaType},
			{body: good, mime: MediaType},
		}}
		f := s.follower(FollowerConfig{})
		defer s.run(f)()
		if standing(f) != "a" {
			t.Errorf("stands %q", standing(f))
		}
	})
}

// TestFollowerOwnKeyRevoked: a feed key that the feed revoked signs no more news,
// even while the key set still holds it.
func TestFollowerOwnKeyRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stolen, next := newKey(t), newKey(t)
		news := delta("e1", 5, 6, "b").signedBy(next)
		news.Entries = append(news.Entries, Entry{Fact: jwt.NewFact(jwt.KeyFact, issuerName, stolen.KeyID())})
		s := &script{t: t, key: stolen, answers: []answer{
			snapshot("e1", 5, "a"), news, delta("e1", 6, 7, "z"), delta("e1", 6, 7, "c").signedBy(next),
		}}
		f := s.follower(FollowerConfig{Keys: keySet(t, stolen, next)})
		defer s.run(f)()
		if got := standing(f); got != "abc" || f.Position().Position != 7 {
			t.Errorf("stands %q at %s", got, f.Position())
		}
	})
}

// A verifier whose clock is behind the issuer's takes a token for that much
// longer, so its follower keeps a fact for as long.
func TestFollowerKeepsFactsForItsLeeway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := snapshot("e1", 5)
		first.Entries = []Entry{{Fact: session("a"), Expires: time.Now().Add(time.Minute)}}
		s := &script{t: t, key: newKey(t), answers: []answer{
			first,
			delta("e1", 5, 6, "b").issued(-4 * time.Minute),
			delta("e1", 6, 7, "c").issued(-4 * time.Minute),
		}}
		f := s.follower(FollowerConfig{Leeway: 5 * time.Minute})
		defer s.run(f)()
		if got := standing(f); got != "abc" {
			t.Errorf("stands %q", got)
		}
	})
}

// TestFollowerCutOff: the guard goes on for MaxStale, then cannot tell, and
// recovers by itself.
func TestFollowerCutOff(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		t.Run(fmt.Sprintf("fail open %v", open), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cut := make(chan struct{})
				var down, healed atomic.Bool
				s := &script{t: t, key: newKey(t)}
				good := token(t, jwt.Claims{SessionID: "good", Life: time.Hour})
				revoked := token(t, jwt.Claims{SessionID: "a", Life: time.Hour})
				n := 0
				f := s.follower(FollowerConfig{DangerouslyFailOpen: open})
				f.c.Client = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
					if down.Load() {
						return nil, errors.New("connection refused")
					}
					broken := cut
					if healed.Load() {
						broken = nil
					}
					n++
					if r.URL.Query().Get("after") == "" {
						return response(200, MediaType, snapshot("e1", 5, "a").compact(t, s.key)), nil
					}
					wait, err := strconv.Atoi(r.URL.Query().Get("wait"))
					if err != nil || wait != 0 && wait != 25 {
						t.Errorf("wait %d, %v", wait, err)
					}
					select {
					case <-time.After(time.Duration(wait) * time.Second):
					case <-broken:
						return nil, errors.New("connection reset")
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
					return response(200, MediaType, delta("e1", 5, 5).compact(t, s.key)), nil
				})}
				want := func(when string, stale bool) {
					t.Helper()
					synctest.Wait()
					err := f.Check(good, time.Now())
					if errors.Is(err, jwt.ErrRevocationUnavailable) != (stale && !open) || err != nil && !stale {
						t.Errorf("%s: %v", when, err)
					}
					if err := f.Check(revoked, time.Now()); when != "at first" && !errors.Is(err, jwt.ErrRevoked) {
						t.Errorf("%s: what is known to be revoked: %v", when, err)
					}
				}
				want("at first", true)
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan struct{})
				go func() { f.Run(ctx); close(done) }()
				<-f.Ready()
				want("connected", false)
				time.Sleep(10*time.Minute + time.Second)
				want("connected for long", false)
				if n > 30 {
					t.Errorf("%d requests in ten minutes", n)
				}
				if f.Age() > 26*time.Second {
					t.Errorf("age %v", f.Age())
				}
				confirmed := time.Now().Add(-f.Age())
				down.Store(true)
				close(cut)
				time.Sleep(time.Until(confirmed.Add(59 * time.Second)))
				want("cut off for 59 s", false)
				time.Sleep(2 * time.Second)
				want("cut off for 61 s", true)
				if f.Err() == nil {
					t.Error("the failure is not told")
				}
				healed.Store(true)
				down.Store(false)
				time.Sleep(maxBackOff + time.Second)
				want("healed", false)
				cancel()
				<-done
			})
		})
	}
}

// TestFollowerReplay: an answer that is repeated word for word confirms nothing.
func TestFollowerReplay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, key: newKey(t)}
		f := s.follower(FollowerConfig{MaxStale: 10 * time.Second})
		recorded := ""
		f.c.Client = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("after") == "" {
				return response(200, MediaType, snapshot("e1", 5).compact(t, s.key)), nil
			}
			if recorded == "" {
				recorded = delta("e1", 5, 5).compact(t, s.key)
			}
			return response(200, MediaType, recorded), nil
		})}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { f.Run(ctx); close(done) }()
		<-f.Ready()
		time.Sleep(11 * time.Second)
		if err := f.Check(token(t, jwt.Claims{SessionID: "good"}), time.Now()); !errors.Is(err, jwt.ErrRevocationUnavailable) {
			t.Errorf("got %v", err)
		}
		cancel()
		<-done
	})
}

// TestFollowerHeldUp: an answer that somebody holds up on its way confirms the
// feed for the moment it speaks of, not for the one in which it arrives.
func TestFollowerHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, key: newKey(t)}
		f := s.follower(FollowerConfig{MaxStale: 4 * time.Second})
		var delay atomic.Int64
		f.c.Client = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			answer := snapshot("e1", 5)
			if r.URL.Query().Get("after") != "" {
				time.Sleep(2 * time.Second) // the wait, half of MaxStale
				answer = delta("e1", 5, 5)
			}
			compact := answer.compact(t, s.key)
			time.Sleep(time.Duration(delay.Load()))
			return response(200, MediaType, compact), nil
		})}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { f.Run(ctx); close(done) }()
		defer func() { cancel(); <-done }()
		<-f.Ready()
		good := token(t, jwt.Claims{SessionID: "good", Life: time.Hour})
		for range 100 {
			time.Sleep(500 * time.Millisecond)
			if err := f.Check(good, time.Now()); err != nil {
				t.Fatalf("in time: %v", err)
			}
		}
		delay.Store(int64(10 * time.Second))
		time.Sleep(time.Minute)
		for range 100 {
			time.Sleep(500 * time.Millisecond)
			if err := f.Check(good, time.Now()); !errors.Is(err, jwt.ErrRevocationUnavailable) {
				t.Fatalf("held up: %v", err)
			}
		}
	})
}

// TestFollowerFull: a full set fails closed, even where failing open was asked
// for, drops nothing, and recovers when what stands fits again.
func TestFollowerFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		soon := snapshot("e1", 5, "a", "b")
		soon.Entries[1].Expires = time.Now().Add(10 * time.Minute)
		s := &script{t: t, key: newKey(t), answers: []answer{soon, delta("e1", 5, 6, "c")}}
		f := s.follower(FollowerConfig{MaxFacts: 2, DangerouslyFailOpen: true})
		good := token(t, jwt.Claims{SessionID: "good", Life: 24 * time.Hour})
		stop := s.run(f)
		if err := f.Check(good, time.Now()); !errors.Is(err, jwt.ErrRevocationUnavailable) {
			t.Errorf("full: got %v", err)
		}
		if f.Err() == nil {
			t.Errorf("the failure is not told: %v", f.Err())
		}
		if standing(f) != "ab" || f.Position().String() != "e1.5" {
			t.Errorf("stands %q at %v", standing(f), f.Position())
		}
		stop()
		time.Sleep(10 * time.Minute)
		s.answers, s.asked = []answer{delta("e1", 5, 6, "c")}, nil
		stop = s.run(f)
		defer stop()
		if err := f.Check(good, time.Now()); err != nil {
			t.Errorf("after a fact expired: %v", err)
		}
		if standing(f) != "ac" || s.asked[0] != "e1.5" {
			t.Errorf("stands %q, asked %q", standing(f), s.asked)
		}
	})
}

// TestFollowerInParts: a part of the feed does not make a follower ready, for a
// session that another part ends would pass.
func TestFollowerInParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, key: newKey(t), answers: []answer{snapshot("e1", 5, "a").part(), delta("e1", 5, 9, "b").part()}}
		f := s.follower(FollowerConfig{})
		stop := s.run(f)
		select {
		case <-f.Ready():
			t.Error("ready after a part")
		default:
		}
		if err := f.Check(token(t, jwt.Claims{SessionID: "c"}), time.Now()); !errors.Is(err, jwt.ErrRevocationUnavailable) {
			t.Errorf("got %v", err)
		}
		stop()
		s.answers, s.asked = []answer{delta("e1", 9, 12, "c")}, nil
		defer s.run(f)()
		<-f.Ready()
		if err := f.Check(token(t, jwt.Claims{SessionID: "c"}), time.Now()); !errors.Is(err, jwt.ErrRevoked) {
			t.Errorf("got %v", err)
		}
	})
}

// TestFollowerBulk: an act upon very many sessions takes one position, and is
// read as it is.
func TestFollowerBulk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bulk := delta("e1", 5, 6)
		bulk.Entries = make([]Entry, 100_000)
		for i := range bulk.Entries {
			binary.BigEndian.PutUint64(bulk.Entries[i].Fact[:], uint64(i)*0x9e3779b97f4a7c15)
		}
		s := &script{t: t, key: newKey(t), answers: []answer{snapshot("e1", 5, "a"), bulk}}
		f := s.follower(FollowerConfig{})
		defer s.run(f)()
		if f.Len() != 100_001 || f.Position().String() != "e1.6" {
			t.Errorf("%d facts at %s: %v", f.Len(), f.Position(), f.Err())
		}
	})
}

// TestFollowerAppliesAtOnce: connected, a fact counts the moment it is answered.
func TestFollowerAppliesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, key: newKey(t), answers: []answer{snapshot("e1", 5), delta("e1", 5, 6, "a")}}
		var applied []string
		var at []time.Time
		f := s.follower(FollowerConfig{OnApply: func(d *Document, now time.Time) {
			applied = append(applied, fmt.Sprintf("%d-%d %d", d.From, d.To, len(d.Entries)))
			at = append(at, now)
		}})
		began := time.Now()
		defer s.run(f)()
		if want := []string{"0-5 0", "5-6 1"}; !slices.Equal(applied, want) {
			t.Errorf("applied %q, want %q", applied, want)
		}
		// The script answers each request a second after it.
		if len(at) == 2 && at[1].Sub(began) != 2*time.Second {
			t.Errorf("applied after %v", at[1].Sub(began))
		}
	})
}

// TestFollowerBacksOff: an issuer that is down is not hammered.
func TestFollowerBacksOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := &script{t: t, key: newKey(t)}
		f := s.follower(FollowerConfig{})
		f.c.Client = &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			n++
			return nil, errors.New("connection refused")
		})}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		f.Run(ctx)
		if n < 25 || n > 80 {
			t.Errorf("%d tries in a minute", n)
		}
	})
}

func TestNewFollowerRefuses(t *testing.T) {
	t.Parallel()
	keys := keySet(t, newKey(t))
	for _, c := range []struct {
		name   string
		config FollowerConfig
		want   []string
	}{
		{"nothing", FollowerConfig{}, []string{"URL", "Issuer", "Keys"}},
		{"plain http", FollowerConfig{URL: "http://auth.example.com/feed", Issuer: issuerName, Keys: keys}, []string{"https"}},
		{"no time to be stale", FollowerConfig{URL: feedURL, Issuer: issuerName, Keys: keys, MaxStale: time.Millisecond}, []string{"MaxStale"}},
		{"a huge leeway", FollowerConfig{URL: feedURL, Issuer: issuerName, Keys: keys, Leeway: time.Hour}, []string{"Leeway"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := NewFollower(c.config)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
}
