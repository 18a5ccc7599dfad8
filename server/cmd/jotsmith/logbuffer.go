package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// logDelay is how long a line may wait for others, so that a server that
	// answers thousands of requests a second does not call the kernel for each.
	logDelay = 5 * time.Millisecond

	// logBuffer bounds what waits: whoever fills it writes it.
	logBuffer = 64 << 10
)

// A lineBuffer writes lines together.
type lineBuffer struct {
	w io.Writer

	mu    sync.Mutex
	lines []byte
	armed bool // somebody will flush
}

func (b *lineBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line...)
	b.added()
	return len(line), nil
}

// writePlain writes r as a line of JSON, unless only slog knows how.
func (b *lineBuffer) writePlain(r slog.Record) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines, ok := appendPlain(b.lines, r)
	if ok {
		b.lines = lines
		b.added()
	}
	return ok
}

func (b *lineBuffer) added() {
	switch {
	case len(b.lines) >= logBuffer:
		b.write()
	case !b.armed:
		b.armed = true
		time.AfterFunc(logDelay, b.flush)
	}
}

func (b *lineBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	b.write()
}

// write has nowhere to report what it could not write.
func (b *lineBuffer) write() {
	if len(b.lines) > 0 {
		_, _ = b.w.Write(b.lines)
		b.lines = b.lines[:0]
	}
}

// A promptHandler lets warnings and errors wait for nothing, nor whatever was
// logged before them: the process may be about to end.
type promptHandler struct {
	slog.Handler
	buffer *lineBuffer
	json   bool // Handler is a slog.JSONHandler that adds nothing to a record
}

func (h promptHandler) Handle(ctx context.Context, r slog.Record) (err error) {
	if !h.json || !h.buffer.writePlain(r) {
		err = h.Handler.Handle(ctx, r)
	}
	if r.Level >= slog.LevelWarn {
		h.buffer.flush()
	}
	return err
}

func (h promptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptHandler{h.Handler.WithAttrs(attrs), h.buffer, false}
}

func (h promptHandler) WithGroup(name string) slog.Handler {
	return promptHandler{h.Handler.WithGroup(name), h.buffer, false}
}
