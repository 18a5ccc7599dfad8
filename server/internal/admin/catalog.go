package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// ListAPIs lists the APIs as they were registered, the default one first and
// the built-in one last.
func (s *Service) ListAPIs(_ context.Context, caller Caller) ([]catalog.API, error) {
	if err := allow(caller, APIsRead); err != nil {
		return nil, err
	}
	return s.c.Catalog.Now().APIs(), nil
}

// API reads an API as it was registered. catalog.ErrUnknownAPI.
func (s *Service) API(_ context.Context, caller Caller, audience string) (catalog.API, error) {
	if err := allow(caller, APIsRead); err != nil {
		return catalog.API{}, err
	}
	a, err := s.c.Catalog.Now().Registered(audience)
	if err != nil {
		return catalog.API{}, fmt.Errorf("API %q: %w", audience, err)
	}
	return a, nil
}

// SaveAPI registers an API where its Version is 0, and else changes the one
// that has it: see [catalog.Live.SaveAPI]. Its algorithm has a key from then on.
func (s *Service) SaveAPI(ctx context.Context, caller Caller, a catalog.API) (catalog.API, error) {
	if err := allow(caller, APIsWrite); err != nil {
		return catalog.API{}, err
	}
	saved, err := s.c.Catalog.SaveAPI(ctx, caller.Actor, a)
	if err != nil {
		return catalog.API{}, err
	}
	return saved, s.c.Ring.Want(ctx, s.c.Catalog.Now().Algorithms()...)
}

// ChangeAPI changes what is registered: see SaveAPI. catalog.ErrUnknownAPI;
// fault.ErrChanged where somebody else was faster.
func (s *Service) ChangeAPI(ctx context.Context, caller Caller, audience string, edit func(*catalog.API)) (catalog.API, error) {
	if err := allow(caller, APIsWrite); err != nil {
		return catalog.API{}, err
	}
	a, err := s.c.Catalog.Now().Registered(audience)
	if err != nil {
		return catalog.API{}, fmt.Errorf("API %q: %w", audience, err)
	}
	edit(&a)
	return s.SaveAPI(ctx, caller, a)
}

// DeleteAPI withdraws an API: see [catalog.Live.DeleteAPI].
func (s *Service) DeleteAPI(ctx context.Context, caller Caller, audience string) error {
	if err := allow(caller, APIsWrite); err != nil {
		return err
	}
	return s.c.Catalog.DeleteAPI(ctx, caller.Actor, audience)
}

// ListRoles lists the roles by name.
func (s *Service) ListRoles(_ context.Context, caller Caller) ([]catalog.Role, error) {
	if err := allow(caller, RolesRead); err != nil {
		return nil, err
	}
	return s.c.Catalog.Now().Roles(), nil
}

// Role reads a role. fault.ErrNotFound.
func (s *Service) Role(_ context.Context, caller Caller, name string) (catalog.Role, error) {
	if err := allow(caller, RolesRead); err != nil {
		return catalog.Role{}, err
	}
	r, ok := s.c.Catalog.Now().Role(name)
	if !ok {
		return catalog.Role{}, fmt.Errorf("role %q: %w", name, fault.ErrNotFound)
	}
	return r, nil
}

// SaveRole registers a role where its Version is 0, and else changes the one
// that has it: see [catalog.Live.SaveRole].
func (s *Service) SaveRole(ctx context.Context, caller Caller, r catalog.Role) (catalog.Role, error) {
	if err := allow(caller, RolesWrite); err != nil {
		return catalog.Role{}, err
	}
	old, _ := s.c.Catalog.Now().Role(r.Name)
	if err := reaches(caller, slices.Concat(old.Permissions, r.Permissions)...); err != nil {
		return catalog.Role{}, err
	}
	return s.c.Catalog.SaveRole(ctx, caller.Actor, r)
}

// ChangeRole changes what is registered: see SaveRole. fault.ErrNotFound;
// fault.ErrChanged where somebody else was faster.
func (s *Service) ChangeRole(ctx context.Context, caller Caller, name string, edit func(*catalog.Role)) (catalog.Role, error) {
	if err := allow(caller, RolesWrite); err != nil {
		return catalog.Role{}, err
	}
	r, ok := s.c.Catalog.Now().Role(name)
	if !ok {
		return catalog.Role{}, fmt.Errorf("role %q: %w", name, fault.ErrNotFound)
	}
	edit(&r)
	return s.SaveRole(ctx, caller, r)
}

// DeleteRole deletes a role: see [catalog.Live.DeleteRole].
func (s *Service) DeleteRole(ctx context.Context, caller Caller, name string) error {
	if err := allow(caller, RolesWrite); err != nil {
		return err
	}
	old, _ := s.c.Catalog.Now().Role(name)
	if err := reaches(caller, old.Permissions...); err != nil {
		return err
	}
	return s.c.Catalog.DeleteRole(ctx, caller.Actor, name)
}
