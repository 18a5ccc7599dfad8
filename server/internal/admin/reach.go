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
