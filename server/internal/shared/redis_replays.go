package shared

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/redis/rueidis"

	"github.com/jotsmith/jotsmith/jwt"
)

// replays implement [jwt.Replays].
type replays struct {
	redis *Redis
	own   *jwt.ReplayCache
}

// Replays remembers which tokens were used, of all nodes and, for at most limit
// tokens, of this one. While Redis does not answer or has forgotten, a token
// that is good once is so on each node; a node never takes it twice. When limit
// tokens stand, further ones are refused, as by [jwt.ReplayCache].
func (r *Redis) Replays(limit int) (jwt.Replays, error) {
	own, err := jwt.NewReplayCache(limit)
	if err != nil {
		return nil, err
	}
	return &replays{r, own}, nil
}

func (p *replays) Use(ctx context.Context, id [32]byte, now, until time.Time) error {
	if err := p.own.Use(ctx, id, now, until); err != nil {
		return err
	}
	at := p.redis.place("used", hex.EncodeToString(id[:]))
	life := max(0, until.Sub(now)) + time.Second // also where Redis's clock is a little faster
	first, mine := true, rand.Text()
	p.redis.ask(ctx, at, func(ctx context.Context, c rueidis.Client) error {
		err := c.Do(ctx, c.B().Set().Key(at.key).Value(mine).Nx().PxMilliseconds(life.Milliseconds()).Build()).Error()
		if rueidis.IsRedisNil(err) {
			// Asked a second time, it may be this very use that stands there.
			used, _ := c.Do(ctx, c.B().Get().Key(at.key).Build()).ToString()
			first, err = used == mine, nil
		}
		return err
	})
	if !first {
		return jwt.ErrReplayed
	}
	return nil
}
