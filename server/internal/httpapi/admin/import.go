package admin

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/accountfile"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

// Of one batch, which is one transaction: others wait for it.
const (
	mostImported     = 1000
	mostImportedSize = 1 << 20
)

// importAccounts makes the accounts of one batch, all of them or none. Nothing
// of a line but its number and what is wrong with it is told or logged: it
// holds a password hash.
func (s server) importAccounts(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var mode account.ImportMode
	var dry, existing string
	if err := httpapi.ReadQuery(r, map[string]*string{"dry_run": &dry, "existing": &existing}); err != nil {
		return err
	}
	switch {
	case dry != "" && dry != "true" && dry != "false":
		return httpapi.Refuse(wire.CodeInvalidRequest, "dry_run is true or false", nil)
	case existing != "" && existing != "refuse" && existing != "skip":
		return httpapi.Refuse(wire.CodeInvalidRequest, "existing is refuse or skip", nil)
	}
	mode.Dry, mode.SkipExisting = dry == "true", existing == "skip"
	body, err := c.ReadBody(r, wire.MediaTypeLines, mostImportedSize)
	if err != nil {
		return err
	}
	lines, bad, err := accountfile.Read(".jsonl", bytes.NewReader(body))
	switch {
	case err != nil:
		return httpapi.Refuse(wire.CodeInvalidRequest, err.Error(), nil)
	case len(lines)+len(bad) > mostImported:
		return httpapi.Refuse(wire.CodeInvalidRequest, fmt.Sprintf("%d accounts, at most %d at a time", len(lines)+len(bad), mostImported), nil)
	}
	mode.Dry = mode.Dry || len(bad) > 0 // the others are checked, so that all faults are told at once
	done, err := s.admin.ImportAccounts(r.Context(), by, lines, mode, func(bool, int) {})
	more, isBad := errors.AsType[account.ImportError](err)
	if err != nil && !isBad {
		return err
	}
	if bad = append(bad, more...); len(bad) > 0 {
		return refuseLines(bad)
	}
	answer := wire.AccountsImported{DryRun: mode.Dry, Skipped: done.Skipped, Hashes: done.Hashes}
	if !mode.Dry {
		answer.Imported = done.Accounts
	}
	return c.JSON(http.StatusOK, answer)
}

func refuseLines(bad account.ImportError) error {
	slices.SortStableFunc(bad, func(a, b account.LineError) int { return cmp.Compare(a.Line, b.Line) })
	refusal := &httpapi.Refusal{Code: wire.CodeInvalidRequest, Detail: fmt.Sprintf("nothing was imported: %d bad lines", len(bad))}
	for _, b := range bad {
		if errors.Is(b, admin.ErrForbidden) {
			refusal.Cause = b // goes on record
		}
		refusal.Bad = append(refusal.Bad, wire.BadLine{Line: b.Line, Error: b.Err.Error()})
	}
	return refusal
}
