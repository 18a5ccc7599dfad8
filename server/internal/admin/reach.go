package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
)

// reaches refuses an act that would hand out permissions of administration
// which the caller lacks, or take hold of somebody who has them: whoever may
// write accounts could otherwise make themselves an admin, or set an admin's
// password and log in as one.
func reaches(c Caller, permissions ...string) error {
	if c.Kind == audit.KindOperator {
		return nil
	}
	for _, p := range permissions {
		if strings.HasPrefix(p, catalog.Reserved) && !c.May(p) {
			return fmt.Errorf("%w: %s, which this would give or get hold of", ErrForbidden, p)
		}
	}
	return nil
}

// reachesRoles is reaches for all that roles give.
func (s *Service) reachesRoles(c Caller, roles ...[]string) error {
	if c.Kind == audit.KindOperator {
		return nil
	}
	return reaches(c, s.c.Catalog.Now().Permissions(slices.Concat(roles...))...)
}

// mayGive refuses roles that the caller may not give to somebody who holds some
// already: those that reach beyond the caller, and those that nobody has
// registered. Such a role gives nothing yet, but whoever registers it one day
// would hand it to all who have its name, so that giving it takes the permission
// to register it.
func (s *Service) mayGive(c Caller, held, roles []string) error {
	if err := s.reachesRoles(c, roles); err != nil || c.May(RolesWrite) {
		return err
	}
	registered := s.c.Catalog.Now()
	for _, r := range roles {
		if _, known := registered.Role(r); !known && !slices.Contains(held, r) {
			return fmt.Errorf("%w: %s, to give a role that is not registered", ErrForbidden, RolesWrite)
		}
	}
	return nil
}

// mayChangeApp asks whether the caller may before it says whether the app
// exists.
func (s *Service) mayChangeApp(ctx context.Context, c Caller, id app.ID) error {
	if err := allow(c, AppsWrite); err != nil {
		return err
	}
	a, err := s.c.Apps.Get(ctx, id)
	if err != nil {
		return err
	}
	return s.reachesRoles(c, a.Roles)
}
