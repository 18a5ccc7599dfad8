package grpcguard_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	pb "google.golang.org/grpc/interop/grpc_testing"

	"github.com/jotsmith/jotsmith/grpcguard"
	"github.com/jotsmith/jotsmith/jwt"
)

// service is what the interceptors guard.
type service struct {
	pb.UnimplementedTestServiceServer
	called atomic.Int32
	ended  atomic.Int32 // streams whose handler returned
}

func (s *service) EmptyCall(ctx context.Context, _ *pb.Empty) (*pb.Empty, error) {
	s.called.Add(1)
	if grpcguard.Token(ctx) == nil {
		panic("no token inside")
	}
	return &pb.Empty{}, nil
}

func (s *service) UnaryCall(context.Context, *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	s.called.Add(1)
	return &pb.SimpleResponse{}, nil
}

func (s *service) CacheableUnaryCall(context.Context, *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	s.called.Add(1)
	return &pb.SimpleResponse{}, nil
}

// StreamingInputCall waits for messages.
func (s *service) StreamingInputCall(stream grpc.ClientStreamingServer[pb.StreamingInputCallRequest, pb.StreamingInputCallResponse]) error {
	s.called.Add(1)
	defer s.ended.Add(1)
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

// StreamingOutputCall sends without end, or waits until its context ends and
// then says that all is well.
func (s *service) StreamingOutputCall(r *pb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[pb.StreamingOutputCallResponse]) error {
	s.called.Add(1)
	defer s.ended.Add(1)
	large := &pb.StreamingOutputCallResponse{Payload: &pb.Payload{Body: make([]byte, 64<<10)}}
	for len(r.GetPayload().GetBody()) > 0 {
		if err := stream.Send(large); err != nil {
			return err
		}
	}
	if grpcguard.Token(stream.Context()) == nil {
		panic("no token inside")
	}
	if err := stream.Send(&pb.StreamingOutputCallResponse{}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// FullDuplexCall echoes, and begins by itself where the metadata says so.
func (s *service) FullDuplexCall(stream grpc.BidiStreamingServer[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]) error {
	s.called.Add(1)
	defer s.ended.Add(1)
	if eager := grpcguard.Token(stream.Context()).HasRole("eager"); eager {
		_ = stream.Send(&pb.StreamingOutputCallResponse{})
		return nil
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: m.GetPayload()}); err != nil {
			return err
		}
	}
}

// eventually waits for what other goroutines do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.After(10 * time.Second); !ok(); {
		select {
		case <-deadline:
			t.Fatal(what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func message(owner string) *pb.StreamingOutputCallRequest {
	return &pb.StreamingOutputCallRequest{Payload: &pb.Payload{Body: []byte(owner)}}
}

// Streams end with their token, whatever they are waiting for.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	waiting := func(ctx context.Context, r *rig) (func() error, error) {
		s, err := r.client.StreamingInputCall(ctx)
		return func() error { return s.RecvMsg(new(pb.StreamingInputCallResponse)) }, err
	}
	output := func(m *pb.StreamingOutputCallRequest) func(context.Context, *rig) (func() error, error) {
		return func(ctx context.Context, r *rig) (func() error, error) {
			s, err := r.client.StreamingOutputCall(ctx, m)
			return func() error {
				for {
					if _, err := s.Recv(); err != nil {
						return err
					}
				}
			}, err
		}
	}
	revoke := func(r *rig, token string) { r.issuer.Revoke(token) }
	expire := func(r *rig, _ string) { r.later.Store(int64(time.Hour)) }
	for _, c := range []struct {
		name   string
		open   func(context.Context, *rig) (func() error, error)
		end    func(*rig, string)
		reason string
	}{
		{"revoked while it receives", waiting, revoke, "TOKEN_REVOKED"},
		{"expired while it receives", waiting, expire, "TOKEN_EXPIRED"},
		{"revoked while it sends to nobody who reads", output(message("much")), revoke, "TOKEN_REVOKED"},
		{"revoked, and the handler calls that a success", output(&pb.StreamingOutputCallRequest{}), revoke, "TOKEN_REVOKED"},
		{"expired, and the handler calls that a success", output(&pb.StreamingOutputCallRequest{}), expire, "TOKEN_EXPIRED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			token := r.issuer.Token(jwt.Claims{Roles: []string{"editor"}})
			rest, err := c.open(bearer(t, token), r)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "the stream did not begin", func() bool { return r.called.Load() == 1 })
			began := time.Now()
			c.end(r, token)
			eventually(t, "the handler did not end", func() bool { return r.ended.Load() == 1 })
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			told(t, rest(), codes.Unauthenticated, c.reason)
			if n := strings.Count(r.log.String(), "call refused"); n != 1 {
				t.Errorf("%d log lines", n)
			}
		})
	}
}

func TestStreamRules(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	anna := r.issuer.Token(jwt.Claims{Subject: "acc_anna"})

	// A rule about roles is asked before the handler runs.
	input, err := r.client.StreamingInputCall(bearer(t, anna))
	if err != nil {
		t.Fatal(err)
	}
	told(t, input.RecvMsg(new(pb.StreamingInputCallResponse)), codes.PermissionDenied, "FORBIDDEN")
	input, err = r.client.StreamingInputCall(with(t))
	if err != nil {
		t.Fatal(err)
	}
	told(t, input.RecvMsg(new(pb.StreamingInputCallResponse)), codes.Unauthenticated, "TOKEN_MISSING")
	if n := r.called.Load(); n != 0 {
		t.Fatalf("a handler ran %d times", n)
	}

	// One about messages is asked with each.
	duplex, err := r.client.FullDuplexCall(bearer(t, anna))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := duplex.Send(message("acc_anna")); err != nil {
			t.Fatal(err)
		}
		if m, err := duplex.Recv(); err != nil || string(m.GetPayload().GetBody()) != "acc_anna" {
			t.Fatalf("%v, %v", m, err)
		}
	}
	if err := duplex.Send(message("acc_ben")); err != nil {
		t.Fatal(err)
	}
	_, err = duplex.Recv()
	told(t, err, codes.PermissionDenied, "FORBIDDEN")

	// Nothing goes out before a message has passed, even if the handler does not
	// look at errors.
	duplex, err = r.client.FullDuplexCall(bearer(t, r.issuer.Token(jwt.Claims{Roles: []string{"eager"}})))
	if err != nil {
		t.Fatal(err)
	}
	_, err = duplex.Recv()
	told(t, err, codes.PermissionDenied, "FORBIDDEN")

	// A caller that goes away was not refused.
	logged := len(r.log.String())
	ctx, cancel := context.WithCancel(bearer(t, anna))
	ended := r.ended.Load()
	if duplex, err = r.client.FullDuplexCall(ctx); err != nil {
		t.Fatal(err)
	}
	if err := duplex.Send(message("acc_anna")); err != nil {
		t.Fatal(err)
	}
	if _, err := duplex.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	eventually(t, "the handler did not end", func() bool { return r.ended.Load() == ended+1 })
	if lines := r.log.String()[logged:]; lines != "" {
		t.Errorf("logged %s", lines)
	}
}

func clientTLS(s *httptest.Server) *tls.Config {
	return s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
}
