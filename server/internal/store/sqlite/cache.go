package sqlite

import (
	"sync"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// maxRows bounds a cache; a row takes about 1 KiB.
const maxRows = 4096

// A cache keeps rows that were read, for as long as nothing changes them. It is
// right only because this store is the one writer of its file: every
// transaction that changed a row forgets it after its commit and before any of
// its callers is answered, so that who was answered finds what was written.
// Its zero value is ready.
type cache struct {
	mu      sync.Mutex
	rows    map[session.ID]session.Row
	changes uint64
}

// get answers a row that was kept, and otherwise the ticket to put one with. A
// row shares its slices with whoever gets it: they are never written to.
func (c *cache) get(id session.ID) (r session.Row, ok bool, ticket uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok = c.rows[id]
	return r, ok, c.changes
}

// put keeps a row that was read after ticket was taken, unless anything has been
// changed since: it may have been read before that.
func (c *cache) put(r session.Row, ticket uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != ticket {
		return
	}
	if c.rows == nil {
		c.rows = make(map[session.ID]session.Row)
	}
	for id := range c.rows { // any
		if len(c.rows) < maxRows {
			break
		}
		delete(c.rows, id)
	}
	c.rows[r.ID] = r
}

// touched is what a transaction has changed.
type touched struct {
	sessions []session.ID
	accounts []account.ID // with all their sessions
}

// forget drops what was changed.
func (c *cache) forget(t touched) {
	if len(t.sessions) == 0 && len(t.accounts) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for _, id := range t.sessions {
		delete(c.rows, id)
	}
	for _, holder := range t.accounts {
		for id, r := range c.rows {
			if r.Account == holder {
				delete(c.rows, id)
			}
		}
	}
}
