package main

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Lines wait for each other, but not for long, and a warning for none.
func TestLogLinesAreWrittenTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w writes
		log, _, flush := logFlags{Log: "json", LogLevel: "info"}.newLog(&w)
		log = log.With("node", "a").WithGroup("request")
		log.Info("one")
		log.Info("two")
		if got := w.all(); len(got) != 0 {
			t.Errorf("written at once: %q", got)
		}
		time.Sleep(logDelay)
		synctest.Wait()
		if got := w.all(); len(got) != 1 || strings.Count(got[0], "\n") != 2 || !strings.Contains(got[0], `"node":"a"`) {
			t.Errorf("after %v: %q", logDelay, got)
		}
		log.Info("three")
		log.Warn("four")
		if got := w.all(); len(got) != 2 || !strings.Contains(got[1], "three") || !strings.Contains(got[1], "four") {
			t.Errorf("a warning waits: %q", got)
		}
		log.Info("five")
		flush()
		if got := w.all(); len(got) != 3 || !strings.Contains(got[2], "five") {
			t.Errorf("the end of the process loses a line: %q", got)
		}
		for range logBuffer / 100 {
			log.Info("many", slog.String("filler", strings.Repeat("x", 100)))
		}
		if got := w.all(); len(got) != 4 || len(got[3]) < logBuffer {
			t.Errorf("more is kept than %d bytes: %d writes", logBuffer, len(got))
		}
		time.Sleep(logDelay)
		synctest.Wait()
		if got := strings.Join(w.all(), ""); strings.Count(got, "\n") != 5+logBuffer/100 {
			t.Errorf("%d lines", strings.Count(got, "\n"))
		}
	})
}

// writes keeps each write apart.
type writes struct {
	mu   sync.Mutex
	each []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.each = append(w.each, string(bytes.Clone(b)))
	return len(b), nil
}

func (w *writes) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.each
}
