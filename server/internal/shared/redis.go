package shared

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

const (
	// patience is how long one question to Redis may take. Requests wait for
	// it; without an answer the node asks itself.
	patience = 100 * time.Millisecond

	// dialTime bounds how long it takes to connect, which no request waits for.
	dialTime = 2 * time.Second

	// refreshTime is how often a cluster is asked who keeps what.
	refreshTime = 2 * time.Second

	// After a failure nobody asks for coolDown; for longer, up to maxCoolDown,
	// where it fails again and again within steady.
	coolDown    = 500 * time.Millisecond
	maxCoolDown = 30 * time.Second
	steady      = 10 * time.Second
)

// RedisConfig is what a Redis is made of. URL and Secret are required.
type RedisConfig struct {
	URL    string // see [ParseURL]
	Secret []byte // the same on all nodes that share; names are hashed under it
	Log    *slog.Logger

	patience time.Duration // patience, but in tests
}

// Redis shares between nodes what may be lost: how often somebody has tried
// something ([Redis.Limiter]), which tokens were used ([Redis.Replays]) and
// that there is news ([Redis.Tell]). It works with one Redis server or with a
// Redis Cluster.
//
// Each node counts for itself too, and the stricter count holds. So Redis may
// be lost, or come back empty, at any time: no request fails or waits because
// of it, and what a node has counted itself stays counted; only what the other
// nodes count is not known meanwhile, and where one primary of a cluster is lost,
// of the names that it keeps alone. The log says when that begins and ends, and
// [Redis.Status] how it is.
//
// Nothing in Redis names anybody: keys are hashes under a secret. Servers with
// different secrets may share one Redis. All keys expire.
type Redis struct {
	option rueidis.ClientOption
	script *rueidis.Lua
	secret []byte
	prefix string // of all keys and channels: another one for each secret
	id     string // of this node, in what it tells
	log    *slog.Logger

	patience time.Duration

	client  atomic.Pointer[rueidis.Client] // nil until there was a connection
	cluster atomic.Bool
	up      [lanes]atomic.Bool // whether Redis answers there; the first alone where it is no cluster
	fallen  chan struct{}      // wakes watch
	first   chan struct{}      // closed after the first attempt to connect

	mu     sync.Mutex
	status Status
	said   bool // the log says that it is not up
	owed   []debt

	tell, heard chan struct{}

	work sync.WaitGroup
	over context.Context // ends with Close
	stop context.CancelFunc
}

// OpenRedis checks c and connects in the background: a Redis that does not
// answer is no error, and the node counts for itself until it does. No error
// and no line of the log holds the password.
func OpenRedis(c RedisConfig) (*Redis, error) {
	option, err := ParseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if len(c.Secret) < 16 {
		return nil, errors.New("shared state: a secret of at least 16 bytes is required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	r := &Redis{
		option: option,
		script: rueidis.NewLuaScript(script, rueidis.WithLoadSHA1(true)), // computing it here is refused in FIPS 140-3 mode
		secret: c.Secret, log: c.Log, id: rand.Text(),
		fallen: make(chan struct{}, 1), first: make(chan struct{}),
		tell: make(chan struct{}, 1), heard: make(chan struct{}, 1),
		patience: cmp.Or(c.patience, patience),
		status:   Status{Since: time.Now()},
	}
	r.prefix = "jotsmith:" + r.hash("installation", "")[:11] + ":"
	r.over, r.stop = context.WithCancel(context.Background())
	r.work.Go(r.watch)
	r.work.Go(r.publish)
	r.work.Go(r.listen)
	<-r.first
	return r, nil
}

// Close ends what runs in the background. What is asked later, the node's own
// memory answers.
func (r *Redis) Close() error {
	r.stop()
	r.work.Wait()
	for i := range r.up {
		r.up[i].Store(false)
	}
	if c := r.client.Load(); c != nil {
		(*c).Close()
	}
	return nil
}

// ask asks Redis about what is in a place, where it is up. Where it does not
// answer, ok is false and the node's own memory decides.
func (r *Redis) ask(ctx context.Context, at place, f func(context.Context, rueidis.Client) error) (ok bool) {
	up := r.lane(at)
	if !up.Load() {
		return false
	}
	err := r.try(ctx, f)
	if err != nil && !errors.Is(err, errLate) {
		err = r.try(ctx, f) // of several connections, one may not know yet that its Redis has gone and come
	}
	if err != nil {
		r.fall(up, err)
		return false
	}
	return true
}

// try runs f in the bounds of patience. What has begun ends with an answer,
// also where its caller has gone: a token is taken or not.
func (r *Redis) try(ctx context.Context, f func(context.Context, rueidis.Client) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.patience)
	defer cancel()
	err := f(ctx, *r.client.Load())
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w within %v", errLate, r.patience)
	}
	return err
}

func (r *Redis) hash(kind, name string) string {
	h := hmac.New(sha256.New, r.secret)
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write([]byte(name))
	var sum [sha256.Size]byte
	return base64.RawURLEncoding.EncodeToString(h.Sum(sum[:0])[:16])
}

// signal leaves a mark in c for whoever receives next.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
