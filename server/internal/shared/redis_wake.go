package shared

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// channel is where nodes tell each other that there is news.
const channel = "news"

// Tell tells the other nodes that there is news, and does not wait for that.
// Several calls may be told as one, and one that cannot be told is forgotten:
// whoever hears looks in the store, and looks there now and then anyway.
func (r *Redis) Tell() { signal(r.tell) }

// Heard receives when another node has told, and when something may have been
// missed. Several may share one wake-up.
func (r *Redis) Heard() <-chan struct{} { return r.heard }

func (r *Redis) publish() {
	for {
		select {
		case <-r.over.Done():
			return
		case <-r.tell:
		}
		// In a cluster any member takes it; chance chooses, and may choose one that
		// is lost.
		for range 4 {
			if !r.answers() || r.try(r.over, func(ctx context.Context, c rueidis.Client) error {
				return c.Do(ctx, c.B().Publish().Channel(r.prefix+channel).Message(r.id).Build()).Error()
			}) == nil {
				break
			}
		}
	}
}

// listen subscribes, and again whenever that ends.
func (r *Redis) listen() {
	for r.over.Err() == nil {
		if r.answers() {
			c := *r.client.Load()
			signal(r.heard) // for what was missed until now
			err := c.Receive(r.over, c.B().Subscribe().Channel(r.prefix+channel).Build(), func(m rueidis.PubSubMessage) {
				if m.Message != r.id {
					signal(r.heard)
				}
			})
			r.log.Debug("not woken by other nodes; looking regularly instead", "err", err)
		}
		select {
		case <-r.over.Done():
		case <-time.After(coolDown):
		}
	}
}
