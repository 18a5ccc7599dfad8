package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds on every connection. How long a body and an answer may take is set
// request by request, since a long-poll of the feed takes half a minute.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10 // twice the largest token
	maxStreams    = 100

	// drainTimeout bounds how long a stop waits for what is under way.
	drainTimeout = 10 * time.Second
)

func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // clients' broken connections
	}
}

// servers run together: where one fails, all stop.
type servers struct {
	running []*http.Server
	failed  chan error
}

func newServers() *servers { return &servers{failed: make(chan error, 2)} }

// start serves on l, with TLS where s has a certificate.
func (all *servers) start(s *http.Server, l net.Listener) {
	all.running = append(all.running, s)
	serve := s.Serve
	if s.TLSConfig != nil {
		serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
	}
	go func() {
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			all.failed <- fmt.Errorf("serving on %s: %w", l.Addr(), err)
		}
	}()
}

// wait returns when ctx has ended or a server has failed, and all have
// stopped: draining is called, listeners close, and what is under way is
// answered, for at most drainTimeout.
func (all *servers) wait(ctx context.Context, draining func()) error {
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-all.failed:
	}
	draining()
	// What is under way must not be cut short by the signal that ended ctx.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range all.running {
		wg.Go(func() {
			if s.Shutdown(ctx) != nil {
				s.Close()
			}
		})
	}
	wg.Wait()
	return failure
}
