package sqlite

import (
	"context"
	"fmt"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// ImportAccounts inserts all accounts in one transaction.
func (s *Store) ImportAccounts(ctx context.Context, all []account.Imported, event func(account.ID) audit.Event, progress func(done int)) error {
	held := make([]string, len(all))
	for i, a := range all {
		var err error
		if held[i], err = joinRoles(a.Roles); err != nil {
			return err
		}
	}
	return s.do(ctx, func(t *tx) error {
		for i, a := range all {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.insertAccount(a.Account, held[i], a.PasswordHash); err != nil {
				return fmt.Errorf("account %q: %w", a.Username, err)
			}
			if err := t.record(event(a.ID)); err != nil {
				return err
			}
			progress(i + 1)
		}
		return nil
	})
}
