package app

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// fresh is how long an app is not read again. What is made of an app dates
	// from its reading, so nothing that was revoked since outlives that.
	fresh = time.Second

	noteEvery  = time.Minute
	maxEntries = 4096
)

// A cache keeps apps for a moment. Its zero value is ready.
type cache struct {
	mu      sync.Mutex
	entries map[ID]*entry
}

// An entry is an app as it was read.
type entry struct {
	app  App
	asOf time.Time // the store's time just before the reading
	till time.Time // ours

	failedAt *once
	secrets  map[string]*once
}

// A once lets something through once in noteEvery.
type once struct{ last atomic.Int64 }

func (o *once) due(now time.Time) bool {
	last := o.last.Load()
	return now.UnixNano()-last >= int64(noteEvery) && o.last.CompareAndSwap(last, now.UnixNano())
}

func (e *entry) usedAt(secret string) *once { return e.secrets[secret] }

// read answers an app that was read at most a moment ago.
func (s *Service) read(ctx context.Context, id ID) (*entry, error) {
	now := time.Now()
	if e := s.cache.get(id); e != nil && now.Before(e.till) {
		return e, nil
	}
	a, asOf, err := s.Store.App(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.cache.put(a, asOf, now.Add(fresh)), nil
}

func (c *cache) get(id ID) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[id]
}

// put keeps a, with what is remembered of an earlier reading. A reading that is
// older than the one that is kept is used once.
func (c *cache) put(a App, asOf, till time.Time) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.entries[a.ID]
	e := &entry{app: a, asOf: asOf, till: till, failedAt: new(once), secrets: make(map[string]*once, len(a.Secrets))}
	if old != nil {
		e.failedAt = old.failedAt
	}
	for _, s := range a.Secrets {
		e.secrets[s.ID] = new(once)
		if old != nil && old.secrets[s.ID] != nil {
			e.secrets[s.ID] = old.secrets[s.ID]
		}
	}
	switch {
	case old != nil && old.app.Version > a.Version:
		return e
	case c.entries == nil || len(c.entries) >= maxEntries:
		c.entries = make(map[ID]*entry)
	}
	c.entries[a.ID] = e
	return e
}

// drop lets the next reading ask the store.
func (c *cache) drop(id ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[id]; e != nil {
		old := *e
		old.till = time.Time{}
		c.entries[id] = &old
	}
}
