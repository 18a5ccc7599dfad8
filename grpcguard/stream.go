package grpcguard

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
)

// recheckEvery is how often a stream's token is looked at again.
const recheckEvery = time.Second

// Stream is a [grpc.StreamServerInterceptor]. A rule that looks at the request
// ([authz.NeedsRequest]) is asked with each message that comes in, and until one
// has passed, none goes out; any other is asked once, before the handler begins.
func (i *Interceptor) Stream(server any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	rule := i.rule(info.FullMethod)
	if rule == nil {
		return handler(server, ss)
	}
	t, err := i.check(ss.Context(), nil)
	if err != nil {
		return i.Refuse(ss.Context(), err)
	}
	s := &stream{ServerStream: ss, token: t, ended: make(chan struct{})}
	s.refuse = func(err error) error { return i.Refuse(ss.Context(), err) }
	if authz.NeedsRequest(rule) {
		s.rule = rule
	} else if err := ask(rule, nil, t); err != nil {
		return i.Refuse(ss.Context(), err)
	}
	ctx, cancel := context.WithCancel(context.WithValue(ss.Context(), tokenKey{}, t))
	defer cancel()
	s.ctx, s.cancel = ctx, cancel
	go s.watch(func() error { return i.guard.Recheck(ctx, t) })

	err = handler(server, s)
	select {
	case <-s.ended: // whatever the handler made of it
		return s.refusal
	default:
		return err
	}
}

// stream is a ServerStream that ends with its token.
type stream struct {
	grpc.ServerStream
	ctx     context.Context
	cancel  context.CancelFunc
	token   *jwt.Token
	rule    authz.Rule  // asked with each message that comes in; nil if asked already
	allowed atomic.Bool // by a message
	refuse  func(error) error

	once    sync.Once
	ended   chan struct{}
	refusal error // set before ended is closed
}

func (s *stream) Context() context.Context { return s.ctx }

// watch ends the stream when its token is no longer good.
func (s *stream) watch(recheck func() error) {
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		if err := recheck(); err != nil && s.ctx.Err() == nil {
			s.end(err)
			return
		}
	}
}

func (s *stream) end(reason error) error {
	s.once.Do(func() {
		s.refusal = s.refuse(reason)
		close(s.ended)
		s.cancel()
	})
	return s.refusal
}

func (s *stream) RecvMsg(m any) error {
	if err := s.do(func() error { return s.ServerStream.RecvMsg(m) }); err != nil || s.rule == nil {
		return err
	}
	if err := ask(s.rule, m, s.token); err != nil {
		return s.end(err)
	}
	s.allowed.Store(true)
	return nil
}

func (s *stream) SendMsg(m any) error {
	if s.rule != nil && !s.allowed.Load() {
		return s.end(&authz.Denied{Rule: s.rule.String()})
	}
	return s.do(func() error { return s.ServerStream.SendMsg(m) })
}

// do runs what may wait for the other side, which must not keep a stream beyond
// its token. What is left behind ends with the call: the handler has an error
// now, and gRPC ends the call when the handler returns.
func (s *stream) do(f func() error) error {
	select {
	case <-s.ended:
		return s.refusal
	default:
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-s.ended:
		return s.refusal
	}
}
