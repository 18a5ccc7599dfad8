package keyring

import (
	"context"
	"sync"
	"time"
)

const (
	// catchUpEvery bounds how often unknown key ids, which anybody can invent,
	// make a node read the ring.
	catchUpEvery = time.Second

	// catchUpPatience bounds how long whoever presents one waits for that.
	catchUpPatience = time.Second
)

// A catcher has the ring read at once where somebody presents what another node
// made with a key that is newer than the last reading.
type catcher struct {
	mu    sync.Mutex
	began time.Time
	done  chan struct{} // closed when the reading is over; nil before the first
}

// CatchUp reads the ring, where that was not done just now, and answers when it
// has been read or patience is over; then whoever asked looks for the key again.
// However many ask, one reading is under way.
func (r *Ring) CatchUp(ctx context.Context) {
	patience := time.NewTimer(catchUpPatience)
	defer patience.Stop()
	select {
	case <-r.catchUp():
	case <-patience.C:
	case <-ctx.Done():
	}
}

func (r *Ring) catchUp() <-chan struct{} {
	c := &r.catcher
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done != nil {
		select {
		case <-c.done:
			if r.now().Sub(c.began) < catchUpEvery {
				return c.done
			}
		default:
			return c.done
		}
	}
	done := make(chan struct{})
	c.began, c.done = r.now(), done
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), Poll)
		defer cancel()
		if err := r.renew(ctx); err != nil {
			r.log.Debug("reading the key ring for a key that nobody knows", "err", err)
		}
	}()
	return done
}
