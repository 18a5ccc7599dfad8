package grpcguard_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/grpcguard"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

type greeter struct {
	pb.UnimplementedTestServiceServer
}

func (greeter) EmptyCall(ctx context.Context, _ *pb.Empty) (*pb.Empty, error) {
	fmt.Println("called by", grpcguard.Token(ctx).Subject())
	return &pb.Empty{}, nil
}

func Example() {
	test := func(t *testing.T) {
		issuer := jotsmithtest.New(t) // elsewhere: guard.Config{Issuer: …, Audience: …}
		g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier("")})
		if err != nil {
			log.Fatal(err)
		}
		defer g.Close()
		calls, err := grpcguard.New(grpcguard.Config{
			Guard: g,
			Log:   slog.New(slog.DiscardHandler),
			Rules: map[string]authz.Rule{pb.TestService_EmptyCall_FullMethodName: authz.Role("editor")},
			Public: []string{
				healthpb.Health_Check_FullMethodName, healthpb.Health_List_FullMethodName, healthpb.Health_Watch_FullMethodName,
			},
		})
		if err != nil {
			log.Fatal(err)
		}
		server := grpc.NewServer(grpc.UnaryInterceptor(calls.Unary), grpc.StreamInterceptor(calls.Stream))
		pb.RegisterTestServiceServer(server, greeter{})
		healthpb.RegisterHealthServer(server, health.NewServer())
		fmt.Println("forgotten methods:", calls.Covers(server.GetServiceInfo()) != nil)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		go server.Serve(l)
		defer server.Stop()

		// The client of a server with TLS says grpc.WithPerRPCCredentials(grpcguard.Credentials(…)).
		conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			log.Fatal(err)
		}
		defer conn.Close()
		for _, role := range []string{"viewer", "editor"} {
			token := issuer.Token(jwt.Claims{Subject: "acc_anna", Roles: []string{role}})
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
			_, err := pb.NewTestServiceClient(conn).EmptyCall(ctx, &pb.Empty{})
			fmt.Println(role, status.Code(err))
		}
	}
	testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "TestAPI", F: test}})
	// Output:
	// forgotten methods: true
	// viewer PermissionDenied
	// called by acc_anna
	// editor OK
}
