package shared

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// alphabet is what hashes are written in (RFC 4648 §5).
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// lanes is how many parts the names are divided into, by the first letter of
// their hash. In a Redis Cluster each part lies in one slot, and with it on one
// primary: where that is lost, it is noticed by one question for each of few parts,
// and the others are shared on.
const lanes = len(alphabet)

// A place is where something is kept.
type place struct {
	key  string
	lane int
}

// place is where what has a name is kept. In a Redis Cluster, what is in braces
// says in which slot: the letter of the lane, twice, since that spreads them more
// evenly.
func (r *Redis) place(kind, name string) place {
	hash := r.hash(kind, name)
	return r.in(strings.IndexByte(alphabet, hash[0]), kind, hash)
}

func (r *Redis) in(lane int, kind, hash string) place {
	letter := alphabet[lane : lane+1]
	return place{r.prefix + kind + ":{" + letter + letter + "}" + hash, lane}
}

// lane says whether Redis answers for a place.
func (r *Redis) lane(at place) (up *atomic.Bool) {
	if r.cluster.Load() {
		return &r.up[at.lane]
	}
	return &r.up[0]
}

// Status says how it stands with the shared state.
type Status struct {
	Up    bool      // all of it answers
	Since time.Time // Up, or its contrary
	Falls int       // how often it went down, since the start
	Err   error     // why it is not up
}

// Status says how it stands now.
func (r *Redis) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// watch connects, and asks again where an answer did not come until there is
// one.
func (r *Redis) watch() {
	started := sync.OnceFunc(func() { close(r.first) })
	defer started()
	wait := coolDown
	for r.over.Err() == nil {
		err := r.connect()
		if err == nil {
			r.probe(false)
			// A fall before this is among those that are counted, and one after it
			// signals.
			select {
			case <-r.fallen:
			default:
			}
			if _, down := r.extent(); down == 0 {
				began := time.Now()
				r.rise()
				started()
				select {
				case <-r.over.Done():
					return
				case <-r.fallen:
				}
				wait = min(2*wait, maxCoolDown)
				if time.Since(began) > steady {
					wait = coolDown
				}
				r.probe(true) // nobody should have to wait to find out what else is lost
			}
		} else {
			r.fell(err)
		}
		r.tellFall()
		started()
		select {
		case <-r.over.Done():
		case <-time.After(wait):
		}
	}
}

// connect makes the client, where there is none yet.
func (r *Redis) connect() error {
	if r.client.Load() != nil {
		return nil
	}
	c, err := rueidis.NewClient(r.option)
	if err != nil {
		return advise(err)
	}
	r.cluster.Store(c.Mode() == rueidis.ClientModeCluster)
	r.client.Store(&c)
	return nil
}

// extent says how many lanes there are, and how many of them are down.
func (r *Redis) extent() (all, down int) {
	all = 1
	if r.cluster.Load() {
		all = lanes
	}
	for i := range all {
		if !r.up[i].Load() {
			down++
		}
	}
	return all, down
}

// probe asks in each lane that is up, or in each that is not, whether Redis
// answers and does what is needed, and notes the answer.
func (r *Redis) probe(up bool) {
	all, _ := r.extent()
	var asked sync.WaitGroup
	for i := range all {
		if r.up[i].Load() != up {
			continue
		}
		asked.Go(func() {
			at := r.in(i, "probe", r.id)
			if err := r.try(r.over, func(ctx context.Context, c rueidis.Client) error {
				_, _, err := r.gcra(ctx, c, opTake, at.key, 1, time.Millisecond)
				return err
			}); err == nil {
				r.up[i].Store(true)
			} else if up {
				r.fall(&r.up[i], err)
			} else {
				r.fell(err)
			}
		})
	}
	asked.Wait()
}

// rise says that all of Redis answers.
func (r *Redis) rise() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.said {
		r.said = false
		r.log.Info("shared state answers again; nodes count together")
	}
	r.status = Status{Up: true, Since: time.Now(), Falls: r.status.Falls}
	r.work.Go(r.pay)
}

// fall closes a lane in which Redis did not answer until it does.
func (r *Redis) fall(up *atomic.Bool, err error) {
	if up.Swap(false) && r.over.Err() == nil {
		r.fell(err)
		signal(r.fallen)
	}
}

// fell notes that not all of Redis answers.
func (r *Redis) fell(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.Err == nil {
		r.status = Status{Since: time.Now(), Falls: r.status.Falls + 1, Err: err}
	}
}

// tellFall says in the log how much of Redis does not answer, once until all of
// it does again.
func (r *Redis) tellFall() {
	all, down := r.extent()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.said || r.status.Up || r.over.Err() != nil {
		return
	}
	r.said = true
	if down == all {
		r.log.Warn("shared state does not answer; this node counts for itself until it does", "err", r.status.Err)
		return
	}
	r.status.Err = fmt.Errorf("%d of %d parts do not answer: %w", down, all, r.status.Err)
	r.log.Warn("part of the shared state does not answer; this node counts that part for itself until it does", "err", r.status.Err)
}

// answers says whether anything of Redis does.
func (r *Redis) answers() bool {
	all, down := r.extent()
	return r.client.Load() != nil && down < all
}

var (
	errAnswer = errors.New("an answer that nobody asked for")
	errLate   = errors.New("no answer")
)
