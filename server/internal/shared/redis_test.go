package shared

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

// counter is what [Memory] and [Limiter] have in common.
type counter interface {
	Take(ctx context.Context, name string, burst int, every time.Duration) (left int, wait time.Duration, err error)
	Wait(ctx context.Context, name string, burst int, every time.Duration) (wait time.Duration, err error)
	Give(ctx context.Context, name string, every time.Duration) error
}

var secret = []byte("the same on every node of a test")

func open(t testing.TB, url string) *Redis {
	t.Helper()
	r, err := OpenRedis(RedisConfig{URL: url, Secret: secret, patience: 10 * time.Second}) // the machine may be busy
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// wantUp waits until Redis is up, or is not.
func wantUp(t testing.TB, r *Redis, up bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); r.Status().Up != up; {
		if time.Now().After(end) {
			t.Fatalf("status %+v, want up %v", r.Status(), up)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// Whatever counts passes this, by one node and by two.
func TestLimiters(t *testing.T) {
	t.Parallel()
	one := realtest.StartRedis(t)
	many := realtest.StartRedisCluster(t, 0)
	for name, nodes := range map[string]func(kind string) (a, b counter){
		"memory": func(string) (a, b counter) { m := NewMemory(0, nil); return m, m },
		"redis": func(kind string) (a, b counter) {
			return open(t, one.URL()).Limiter(kind), open(t, one.URL()).Limiter(kind)
		},
		"redis cluster": func(kind string) (a, b counter) {
			url := many[2].URL() + "?addr=" + many[0].Addr()
			return open(t, url).Limiter(kind), open(t, url).Limiter(kind)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for name, test := range map[string]func(*testing.T, counter, counter){
				"burst": testBurst, "refill": testRefill, "give": testGive, "keys": testKeys, "BRT-02 atomic": testAtomic,
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					a, b := nodes(name)
					test(t, a, b)
				})
			}
		})
	}
}

func testBurst(t *testing.T, a, b counter) {
	ctx := t.Context()
	for i, want := range []int{3, 2, 1, 0} {
		c := a
		if i%2 == 1 {
			c = b
		}
		if wait, err := c.Wait(ctx, "k", 4, time.Hour); wait != 0 || err != nil {
			t.Fatalf("asking before token %d: wait %v, %v", i, wait, err)
		}
		if left, wait, err := c.Take(ctx, "k", 4, time.Hour); left != want || wait != 0 || err != nil {
			t.Fatalf("token %d: %d left, want %d; wait %v, %v", i, left, want, wait, err)
		}
	}
	for _, c := range []counter{a, b} {
		left, wait, err := c.Take(ctx, "k", 4, time.Hour)
		if left != 0 || wait < 59*time.Minute || wait > time.Hour || err != nil {
			t.Errorf("empty bucket: %d left, wait %v, %v", left, wait, err)
		}
		if wait, err = c.Wait(ctx, "k", 4, time.Hour); wait < 59*time.Minute || wait > time.Hour || err != nil {
			t.Errorf("asking an empty bucket: wait %v, %v", wait, err)
		}
	}
}

func testRefill(t *testing.T, a, b counter) {
	ctx := t.Context()
	const every = 50 * time.Millisecond
	var wait time.Duration
	for range 10_000 {
		if _, wait, _ = a.Take(ctx, "k", 3, every); wait > 0 {
			break
		}
	}
	if wait <= 0 || wait > every {
		t.Fatalf("empty bucket: wait %v, want at most %v", wait, every)
	}
	<-time.After(wait + time.Millisecond)
	if _, wait, _ = b.Take(ctx, "k", 3, every); wait > 0 {
		// What the one told by its own clock, Redis counted when it came there.
		if a == b || wait >= every {
			t.Errorf("after the time that was told: wait %v", wait)
		}
		<-time.After(wait + time.Millisecond)
		if _, wait, _ = b.Take(ctx, "k", 3, every); wait != 0 {
			t.Errorf("after the time that Redis told: wait %v", wait)
		}
	}
	<-time.After(4 * every)
	if left, wait, _ := a.Take(ctx, "k", 3, every); wait != 0 || left != 2 {
		t.Errorf("full again: %d left, want 2; wait %v", left, wait)
	}
}

func testGive(t *testing.T, a, b counter) {
	ctx := t.Context()
	a.Give(ctx, "k", time.Hour)
	a.Take(ctx, "k", 2, time.Hour)
	b.Take(ctx, "k", 2, time.Hour)
	if _, wait, _ := a.Take(ctx, "k", 2, time.Hour); wait == 0 {
		t.Error("a token that nobody had taken made a bucket larger")
	}
	b.Give(ctx, "k", time.Hour)
	if _, wait, _ := b.Take(ctx, "k", 2, time.Hour); wait != 0 {
		t.Errorf("after one was given back: wait %v", wait)
	}
	if _, wait, _ := b.Take(ctx, "k", 2, time.Hour); wait == 0 {
		t.Error("one was given back and two were taken")
	}
}

func testKeys(t *testing.T, a, b counter) {
	ctx := t.Context()
	for i := range 50 {
		name := "name\x00" + strconv.Itoa(i)
		if _, wait, _ := a.Take(ctx, name, 1, time.Hour); wait != 0 {
			t.Fatalf("%q: wait %v", name, wait)
		}
		if _, wait, _ := b.Take(ctx, name, 1, time.Hour); wait == 0 {
			t.Fatalf("%q was taken twice", name)
		}
	}
}

// Of many at once, on both nodes, exactly as many pass as there are tokens.
func testAtomic(t *testing.T, a, b counter) {
	var passed atomic.Int64
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			c := a
			if i%2 == 1 {
				c = b
			}
			if _, wait, _ := c.Take(context.Background(), "k", 10, time.Hour); wait == 0 {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if passed.Load() != 10 {
		t.Errorf("%d passed, want 10", passed.Load())
	}
}

// Redis goes and comes: no question fails or waits long, what a node has counted
// stays counted, and the log says it once each time.
func TestRedisDown(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]func(*testing.T, *realtest.Redis) (back func()){
		"killed": func(t *testing.T, r *realtest.Redis) func() { r.Kill(); return func() { r.Start(t) } },
		"hung":   func(t *testing.T, r *realtest.Redis) func() { return r.Pause(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := realtest.StartRedis(t)
			var text log
			r, err := OpenRedis(RedisConfig{URL: server.URL(), Secret: secret, Log: slog.New(slog.NewTextHandler(&text, nil)), patience: 500 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close() })
			wantUp(t, r, true)
			mine, theirs := r.Limiter("k"), open(t, server.URL()).Limiter("k")
			mine.Take(t.Context(), "a", 3, time.Hour)
			theirs.Take(t.Context(), "a", 3, time.Hour)
			back := down(t, server)
			start := time.Now()
			for i, want := range []int{1, 0} { // theirs is not known any more
				if left, wait, err := mine.Take(t.Context(), "a", 3, time.Hour); left != want || wait != 0 || err != nil {
					t.Errorf("token %d without Redis: %d left, want %d; wait %v, %v", i, left, want, wait, err)
				}
			}
			if _, wait, _ := mine.Take(t.Context(), "a", 3, time.Hour); wait == 0 {
				t.Error("a node forgot what it had counted")
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("three questions without Redis took %v", took)
			}
			if s := r.Status(); s.Up || s.Err == nil || s.Falls != 1 {
				t.Errorf("status %+v", s)
			}
			back()
			wantUp(t, r, true)
			theirs.Wait(t.Context(), "c", 1, time.Hour) // so that it notices
			wantUp(t, theirs.redis, true)
			if _, wait, _ := mine.Take(t.Context(), "a", 3, time.Hour); wait == 0 {
				t.Error("a node forgot what it had counted when Redis came back")
			}
			mine.Take(t.Context(), "b", 1, time.Hour)
			if _, wait, _ := theirs.Take(t.Context(), "b", 1, time.Hour); wait == 0 {
				t.Error("counts are not shared again")
			}
			if gone, again := strings.Count(text.String(), "does not answer"), strings.Count(text.String(), "answers again"); gone != again || gone != r.Status().Falls {
				t.Errorf("%d times gone, %d times back, %d falls in the log:\n%s", gone, again, r.Status().Falls, text.String())
			}
		})
	}
}

// Whoever logs in while Redis hangs has given no wrong password when it goes on.
func TestGivenBackLater(t *testing.T) {
	t.Parallel()
	server := realtest.StartRedis(t)
	r, err := OpenRedis(RedisConfig{URL: server.URL(), Secret: secret, patience: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	wantUp(t, r, true)
	mine, theirs := r.Limiter("k"), open(t, server.URL()).Limiter("k")
	mine.Take(t.Context(), "a", 1, time.Hour)
	back := server.Pause(t)
	mine.Give(t.Context(), "a", time.Hour)
	wantUp(t, r, false)
	back()
	wantUp(t, r, true)
	for end := time.Now().Add(20 * time.Second); ; {
		if wait, _ := theirs.Wait(t.Context(), "a", 1, time.Hour); wait == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("a token that was given back while Redis hung stays taken")
		}
		<-time.After(5 * time.Millisecond)
	}
}

// A node that ends does not pay first, which takes long where Redis is slow.
func TestCloseLeavesDebts(t *testing.T) {
	t.Parallel()
	r := open(t, realtest.StartRedis(t).URL())
	wantUp(t, r, true)
	r.stop()
	r.work.Wait() // it pays when it finds Redis
	for range 3 {
		r.owe(debt{r.place("k", "a"), time.Hour})
	}
	r.pay()
	if len(r.owed) != 3 {
		t.Errorf("%d of 3 are owed", len(r.owed))
	}
}

// A node starts without Redis, says so, and finds it later.
func TestRedisComesLater(t *testing.T) {
	t.Parallel()
	server := realtest.StartRedis(t, "--requirepass", "s3cr3t")
	server.Kill()
	var text log
	r, err := OpenRedis(RedisConfig{URL: "redis://:s3cr3t@" + server.Addr(), Secret: secret, Log: slog.New(slog.NewTextHandler(&text, nil)), patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if s := r.Status(); s.Up || s.Err == nil {
		t.Errorf("status %+v", s)
	}
	if left, wait, err := r.Limiter("k").Take(t.Context(), "a", 3, time.Hour); left != 2 || wait != 0 || err != nil {
		t.Errorf("%d left, wait %v, %v", left, wait, err)
	}
	server.Start(t)
	wantUp(t, r, true)
	if strings.Count(text.String(), "\n") != 2 || strings.Contains(text.String(), "s3cr3t") {
		t.Errorf("the log:\n%s", text.String())
	}

	wrong := open(t, "redis://:wr0ng@"+server.Addr())
	if s := wrong.Status(); s.Up || s.Err == nil || strings.Contains(s.Err.Error(), "wr0ng") {
		t.Errorf("with a wrong password: %+v", s)
	}
}

// A user of Redis may be held to what is needed.
func TestRedisACL(t *testing.T) {
	t.Parallel()
	server := realtest.StartRedis(t)
	server.Ask(t, "ACL SETUSER jotsmith on >s3cr3t "+ACL)
	r := open(t, "redis://jotsmith:s3cr3t@"+server.Addr())
	wantUp(t, r, true)
	r.Limiter("k").Take(t.Context(), "a", 1, time.Hour)
	r.Limiter("k").Give(t.Context(), "a", time.Hour)
	uses, err := r.Replays(10)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := uses.Use(t.Context(), [32]byte{1}, now, now.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	other := open(t, "redis://jotsmith:s3cr3t@"+server.Addr())
	hears(t, r, other)
	if s := r.Status(); !s.Up || s.Falls > 0 {
		t.Errorf("status %+v", s)
	}
}

// What is in Redis names nobody, expires, and is of one installation.
func TestBRT04KeysInRedis(t *testing.T) {
	t.Parallel()
	server := realtest.StartRedis(t)
	r := open(t, server.URL())
	l := r.Limiter("tries")
	for i := range 300 {
		l.Take(t.Context(), fmt.Sprintf("strict\x00alice%d\x00192.0.2.0/24", i), 10, 100*time.Millisecond)
	}
	if n := server.Ask(t, "DBSIZE"); n == "0" {
		t.Fatal("nothing is in Redis")
	}
	for _, key := range strings.Split(server.Ask(t, "KEYS *"), "\n") {
		if strings.Contains(key, "alice") || strings.Contains(key, "192.0.2") || !strings.HasPrefix(key, r.prefix) {
			t.Fatalf("the key %q", key)
		}
		if ttl := server.Ask(t, "PTTL "+key); ttl == "-1" {
			t.Fatalf("the key %q does not expire", key)
		}
	}
	for end := time.Now().Add(10 * time.Second); server.Ask(t, "DBSIZE") != "0"; {
		if time.Now().After(end) {
			t.Fatalf("%s keys are left of buckets that are full", server.Ask(t, "DBSIZE"))
		}
		<-time.After(20 * time.Millisecond)
	}

	other, err := OpenRedis(RedisConfig{URL: server.URL(), Secret: []byte("that of another installation")})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	l.Take(t.Context(), "k", 1, time.Hour)
	if _, wait, _ := other.Limiter("tries").Take(t.Context(), "k", 1, time.Hour); wait != 0 {
		t.Error("two installations share a count")
	}
	if _, wait, _ := r.Limiter("another kind").Take(t.Context(), "k", 1, time.Hour); wait != 0 {
		t.Error("two kinds share a count")
	}
}

// One token is used once, on whichever node.
func TestReplays(t *testing.T) {
	t.Parallel()
	server := realtest.StartRedis(t)
	for name, nodes := range map[string]func(limit int) (a, b jwt.Replays){
		"memory": func(limit int) (a, b jwt.Replays) {
			c, err := jwt.NewReplayCache(limit)
			if err != nil {
				t.Fatal(err)
			}
			return c, c
		},
		"redis": func(limit int) (a, b jwt.Replays) {
			a, err := open(t, server.URL()).Replays(limit)
			b, err2 := open(t, server.URL()).Replays(limit)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			return a, b
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := nodes(100)
			now := time.Now()
			until := now.Add(time.Minute)
			if err := a.Use(t.Context(), [32]byte{1}, now, until); err != nil {
				t.Errorf("first use: %v", err)
			}
			for _, c := range []jwt.Replays{a, b} {
				if err := c.Use(t.Context(), [32]byte{1}, now, until); !errors.Is(err, jwt.ErrReplayed) {
					t.Errorf("second use: %v", err)
				}
			}
			var used atomic.Int64
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					if []jwt.Replays{a, b}[i%2].Use(context.Background(), [32]byte{2}, now, until) == nil {
						used.Add(1)
					}
				})
			}
			all.Wait()
			if used.Load() != 1 {
				t.Errorf("used %d times", used.Load())
			}
			if err := a.Use(t.Context(), [32]byte{3}, now, now.Add(time.Second)); err != nil {
				t.Errorf("of a short life: %v", err)
			}

			full, _ := nodes(1)
			full.Use(t.Context(), [32]byte{4}, now, until)
			if err := full.Use(t.Context(), [32]byte{5}, now, until); !errors.Is(err, jwt.ErrReplaysUnavailable) {
				t.Errorf("a full cache says %v", err)
			}
		})
	}
}

// Without Redis a token is good once on each node; what a node has seen it
// refuses also where Redis came back empty.
func TestReplaysWithoutRedis(t *testing.T) {
	t.Parallel()
	server := realtest.StartRedis(t)
	r := open(t, server.URL())
	wantUp(t, r, true)
	uses, err := r.Replays(10)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	use := func(id byte) error { return uses.Use(t.Context(), [32]byte{id}, now, now.Add(time.Hour)) }
	if err := use(1); err != nil {
		t.Error(err)
	}
	server.Kill()
	if err := use(2); err != nil {
		t.Errorf("without Redis: %v", err)
	}
	server.Start(t)
	wantUp(t, r, true)
	for id := range byte(2) {
		if err := use(id + 1); !errors.Is(err, jwt.ErrReplayed) {
			t.Errorf("token %d, again: %v", id+1, err)
		}
	}
}

// A node hears what another tells, in a cluster from whichever of its members,
// also after Redis was away.
func TestTell(t *testing.T) {
	t.Parallel()
	cluster := realtest.StartRedisCluster(t, 0)
	hears(t, open(t, cluster[0].URL()), open(t, cluster[1].URL()))

	server := realtest.StartRedis(t)
	a, b := open(t, server.URL()), open(t, server.URL())
	hears(t, a, b)
	server.Kill()
	a.Tell() // is lost
	server.Start(t)
	a.Limiter("k").Take(t.Context(), "k", 1, time.Hour)
	wantUp(t, a, true)
	hears(t, a, b)
}

func hears(t *testing.T, from, to *Redis) {
	t.Helper()
	heard := 0
	for end := time.After(20 * time.Second); heard < 3; {
		from.Tell()
		select {
		case <-to.Heard():
			heard++
		case <-time.After(50 * time.Millisecond): // has not subscribed yet
		case <-end:
			t.Fatal("nothing is heard")
		}
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, url string
		want      string // addresses, user, password, number, TLS
	}{
		{"one", "redis://cache.example.com", "[cache.example.com:6379]   0 false"},
		{"port and number", "redis://cache.example.com:7000/3", "[cache.example.com:7000]   3 false"},
		{"IPv6", "redis://[::1]:7000", "[[::1]:7000]   0 false"},
		{"user", "rediss://jotsmith:s%40crt@cache.example.com", "[cache.example.com:6379] jotsmith s@crt 0 true"},
		{"cluster", "redis://a:1?addr=b:2&addr=c", "[a:1 b:2 c:6379]   0 false"},
		{"another scheme", "http://:s3cr3t@cache.example.com", ""},
		{"no host", "redis:///1", ""},
		{"no URL", "cache.example.com:6379", ""},
		{"weaker TLS", "rediss://:s3cr3t@a?skip_verify=true", ""},
		{"files without TLS", "redis://:s3cr3t@a?sslrootcert=/ca.pem", ""},
		{"a password for a name", "rediss://s3cr3t@a", ""},
		{"malformed query", "rediss://:s3cr3t@a?addr=b;c", ""},
		{"no number", "redis://:s3cr3t@a/b", ""},
		{"number in a cluster", "redis://:s3cr3t@a/1?addr=b", ""},
		{"bad port", "redis://a?addr=b:x", ""},
		{"control", "redis://:s3cr3t\x00@a", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := ParseURL(tt.url)
			if tt.want == "" {
				if err == nil || strings.Contains(err.Error(), "s3cr3t") {
					t.Errorf("%+v, %v", o.InitAddress, err)
				}
				return
			}
			if got := fmt.Sprint(o.InitAddress, " ", o.Username, " ", o.Password, " ", o.SelectDB, " ", o.TLSConfig != nil); got != tt.want || err != nil {
				t.Errorf("%q, want %q; %v", got, tt.want, err)
			}
		})
	}
}

func BenchmarkRedisTake(b *testing.B) {
	l := open(b, realtest.StartRedis(b).URL()).Limiter("k")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Take(b.Context(), "strict\x00alice\x00192.0.2.0/24", 1<<30, time.Microsecond)
		}
	})
}

// log is written to by many.
type log struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
