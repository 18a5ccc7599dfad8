package grpcguard

import (
	"context"
	"fmt"

	"google.golang.org/grpc/credentials"
)

// Credentials sends with each call the access token that source answers, for
// [google.golang.org/grpc.WithPerRPCCredentials]. source is asked at every call
// and may be called concurrently: it keeps the token, and refreshes it in time.
// Without TLS no token is sent, and the call fails.
func Credentials(source func(ctx context.Context) (accessToken string, err error)) credentials.PerRPCCredentials {
	return bearer(source)
}

type bearer func(context.Context) (string, error)

func (b bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	info, _ := credentials.RequestInfoFromContext(ctx)
	if err := credentials.CheckSecurityLevel(info.AuthInfo, credentials.PrivacyAndIntegrity); err != nil {
		return nil, fmt.Errorf("sending an access token: %w", err)
	}
	token, err := b(ctx)
	if err != nil {
		return nil, fmt.Errorf("getting an access token: %w", err)
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }
