package shared

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// A Limiter counts in Redis and in the memory of its node, and the stricter of
// both holds. It is as [Memory] is to whoever asks.
type Limiter struct {
	redis *Redis
	own   *Memory
	kind  string
}

// Limiter counts names of one kind. Kinds do not touch each other.
func (r *Redis) Limiter(kind string) *Limiter {
	return &Limiter{redis: r, own: NewMemory(0, nil), kind: kind}
}

// Take is [Memory.Take], together with all nodes.
func (l *Limiter) Take(ctx context.Context, name string, burst int, every time.Duration) (left int, wait time.Duration, err error) {
	left, wait, _ = l.own.Take(ctx, name, burst, every)
	if wait > 0 {
		return left, wait, nil // whoever asks too often does not reach Redis
	}
	theirs, longer, ok := l.ask(ctx, opTake, name, burst, every)
	switch {
	case !ok:
		return left, 0, nil
	case longer > 0:
		l.own.Give(ctx, name, every)
		return theirs, longer, nil
	}
	return min(left, theirs), 0, nil
}

// Wait is [Memory.Wait], together with all nodes.
func (l *Limiter) Wait(ctx context.Context, name string, burst int, every time.Duration) (time.Duration, error) {
	own, _ := l.own.Wait(ctx, name, burst, every)
	if own > 0 {
		return own, nil
	}
	_, theirs, _ := l.ask(ctx, opWait, name, burst, every)
	return theirs, nil
}

// Give is [Memory.Give], together with all nodes. What cannot be given back to
// Redis now is when it answers again.
func (l *Limiter) Give(ctx context.Context, name string, every time.Duration) error {
	l.own.Give(ctx, name, every)
	if _, _, ok := l.ask(ctx, opGive, name, 0, every); !ok {
		l.redis.owe(debt{l.redis.place(l.kind, name), every})
	}
	return nil
}

// A debt is a token that Redis does not know to be given back: of somebody whose
// password was right, and who should not be taken for a guesser.
type debt struct {
	at    place
	every time.Duration
}

// maxDebts bounds what is remembered. Whatever is beyond it comes back with time,
// as every token does.
const maxDebts = 10_000

func (r *Redis) owe(d debt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.owed) < maxDebts {
		r.owed = append(r.owed, d)
	}
}

// pay gives back what is owed, until Redis does not answer or r is closed.
func (r *Redis) pay() {
	r.mu.Lock()
	owed := r.owed
	r.owed = nil
	r.mu.Unlock()
	for i, d := range owed {
		if r.over.Err() != nil || !r.ask(r.over, d.at, func(ctx context.Context, c rueidis.Client) error {
			_, _, err := r.gcra(ctx, c, opGive, d.at.key, 0, d.every)
			return err
		}) {
			for _, d := range owed[i:] {
				r.owe(d)
			}
			return
		}
	}
}

func (l *Limiter) ask(ctx context.Context, act, name string, burst int, every time.Duration) (left int, wait time.Duration, ok bool) {
	at := l.redis.place(l.kind, name)
	ok = l.redis.ask(ctx, at, func(ctx context.Context, c rueidis.Client) (err error) {
		left, wait, err = l.redis.gcra(ctx, c, act, at.key, burst, every)
		return err
	})
	return left, wait, ok
}

// What the script does.
const (
	opTake = "take"
	opWait = "wait"
	opGive = "give"
)

// script is what [Memory] does, on one bucket, by Redis's clock and in
// microseconds since the epoch, of which a double holds each until the year
// 2255. A bucket that is full is none, so the key expires then. One that is
// fuller than empty is of a clock that was set back.
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local act, burst, every = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))

local function put(at)
	if at <= now then
		redis.call('DEL', KEYS[1])
	else
		redis.call('SET', KEYS[1], string.format('%.0f', at), 'PX', string.format('%.0f', math.ceil((at - now) / 1000)))
	end
end

if act == 'give' then
	if full > now then put(full - every) end
	return {0, 0}
end
full = math.min(full, now + burst * every)
local wait = math.max(0, full + every - now - burst * every)
if act == 'take' and wait == 0 then
	full = full + every
	put(full)
end
return {math.max(0, burst - math.ceil((full - now) / every)), wait}
`

// gcra runs the script for one key.
func (r *Redis) gcra(ctx context.Context, c rueidis.Client, act, key string, burst int, every time.Duration) (left int, wait time.Duration, err error) {
	micros := max(1, (every + time.Microsecond - 1).Microseconds())
	got, err := r.script.Exec(ctx, c, []string{key}, []string{act, strconv.Itoa(burst), strconv.FormatInt(micros, 10)}).AsIntSlice()
	if err != nil {
		return 0, 0, err
	}
	if len(got) != 2 {
		return 0, 0, errAnswer
	}
	return int(got[0]), time.Duration(got[1]) * time.Microsecond, nil
}
