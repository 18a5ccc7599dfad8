package feed

import (
	"errors"
	"fmt"
	"sync"
)

var (
	// ErrStreams says that a node has as many streams as it may.
	ErrStreams = errors.New("too many streams of the feed")

	// ErrOwnStreams says that one caller has as many of them as it may.
	ErrOwnStreams = errors.New("too many streams of the feed for one caller")
)

// places are few, and nobody gets all of them.
type places struct {
	all, each int

	mu    sync.Mutex
	taken int
	of    map[string]int
}

func newPlaces(all int) places {
	return places{all: all, each: (all + 3) / 4, of: make(map[string]int)}
}

// take takes a place for who, to be given back by leave. Nobody's ("") are only
// counted with the others.
func (p *places) take(who string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who != "" && p.of[who] >= p.each {
		return fmt.Errorf("%w: at most %d", ErrOwnStreams, p.each)
	}
	if p.taken >= p.all {
		return fmt.Errorf("%w: at most %d", ErrStreams, p.all)
	}
	p.taken++
	if who != "" {
		p.of[who]++
	}
	return nil
}

func (p *places) leave(who string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if who == "" {
		return
	}
	if p.of[who]--; p.of[who] == 0 {
		delete(p.of, who)
	}
}

func (p *places) count() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.taken)
}
