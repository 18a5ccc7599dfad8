package admin

import (
	"context"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// ListKeys lists the ring's keys.
func (s *Service) ListKeys(_ context.Context, caller Caller) ([]keyring.Key, error) {
	if err := allow(caller, KeysRead); err != nil {
		return nil, err
	}
	return s.c.Ring.List(), nil
}

// RevokeKey takes a key out of use at once and answers its successor: see
// [keyring.Ring.Revoke].
func (s *Service) RevokeKey(ctx context.Context, caller Caller, id string) (keyring.Key, error) {
	if err := allow(caller, KeysWrite); err != nil {
		return keyring.Key{}, err
	}
	return s.c.Ring.Revoke(ctx, id, caller.Actor)
}

// RotateKey announces a successor: see [keyring.Ring.Rotate].
func (s *Service) RotateKey(ctx context.Context, caller Caller, purpose string, alg jwk.Algorithm, now bool) (keyring.Key, error) {
	if err := allow(caller, KeysWrite); err != nil {
		return keyring.Key{}, err
	}
	return s.c.Ring.Rotate(ctx, purpose, alg, now, caller.Actor)
}
