package grpcguard_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/grpcguard"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

// TestRFR13StepUp: whoever must log in again is told what is enough.
func TestRFR13StepUp(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier("")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	const method = pb.TestService_EmptyCall_FullMethodName
	calls, err := grpcguard.New(grpcguard.Config{
		Guard: g, Log: slog.New(slog.DiscardHandler),
		Rules: map[string]authz.Rule{method: authz.All(authz.LoggedInWithin(5*time.Minute), authz.ACR("silver", "gold"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func(c jwt.Claims) error {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+issuer.Token(c)))
		_, err := calls.Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, func(context.Context, any) (any, error) { return nil, nil })
		return err
	}
	if err := call(jwt.Claims{AuthTime: time.Now(), ACR: "gold"}); err != nil {
		t.Errorf("a fresh log-in: %v", err)
	}
	for name, c := range map[string]jwt.Claims{
		"not told": {},
		"older":    {AuthTime: time.Now().Add(-10 * time.Minute), ACR: "bronze"},
	} {
		info := told(t, call(c), codes.Unauthenticated, "INSUFFICIENT_USER_AUTHENTICATION").GetMetadata()
		if info["max_age"] != "300" || info["acr_values"] != "silver gold" || info["needs"] != "log-in within 300 s" {
			t.Errorf("%s: told %v", name, info)
		}
	}
}
