package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/accountfile"
)

type accountImportCmd struct {
	dataFlags
	File   string `arg:"" help:"Accounts as lines of JSON (.jsonl) or as a table (.csv)."`
	DryRun bool   `help:"Check every line and change nothing."`
	JSON   bool   `help:"Print JSON."`
}

func (accountImportCmd) Help() string {
	return "Each line is an account: " + accountfile.Known() + "; only username and password_hash must be there. " +
		"In a table the first line names the columns, and roles are separated by spaces. " +
		"Password hashes may be of bcrypt, scrypt, PBKDF2 with SHA-256 or SHA-512, argon2id and argon2i; " +
		"each is replaced by one of ours when its holder logs in. " +
		"Where a line is bad, all bad lines are named and nothing is imported."
}

// importJSON is what --json prints.
type importJSON struct {
	Imported int             `json:"imported"`
	DryRun   bool            `json:"dry_run"`
	Hashes   map[string]int  `json:"hashes,omitempty"`
	Bad      []importBadJSON `json:"bad,omitempty"`
}

type importBadJSON struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

func (cmd *accountImportCmd) Run(ctx context.Context, c *console) error {
	f, err := os.Open(cmd.File)
	if err != nil {
		return fmt.Errorf("reading the accounts: %w", err)
	}
	defer f.Close()
	lines, bad, err := accountfile.Read(cmd.File, f)
	if err != nil {
		return fmt.Errorf("reading %s: %w", cmd.File, err)
	}
	open := openOfflineOrMake
	if cmd.DryRun {
		open = openOffline
	}
	n, err := open(ctx, cmd.dataFlags, c)
	if err != nil {
		return err
	}
	defer n.Close()
	// Where lines could not be read the others are still checked, so that all
	// faults are told at once.
	hashes, err := n.admin.ImportAccounts(ctx, operator(), lines, cmd.DryRun || len(bad) > 0, c.importProgress(len(lines)))
	more, isBad := errors.AsType[account.ImportError](err)
	if err != nil && !isBad {
		return err
	}
	if bad = append(bad, more...); len(bad) > 0 {
		slices.SortStableFunc(bad, func(a, b account.LineError) int { return cmp.Compare(a.Line, b.Line) })
		return cmd.refuse(c, bad)
	}
	return cmd.report(c, len(lines), hashes)
}

func (cmd *accountImportCmd) refuse(c *console, bad account.ImportError) error {
	if cmd.JSON {
		shown := importJSON{DryRun: cmd.DryRun}
		for _, b := range bad {
			shown.Bad = append(shown.Bad, importBadJSON{b.Line, b.Err.Error()})
		}
		if err := c.json(shown); err != nil {
			return err
		}
	} else {
		for _, b := range bad {
			fmt.Fprintln(c.err, printable(b.Error()))
		}
	}
	what := "lines"
	if len(bad) == 1 {
		what = "line"
	}
	return hint(fmt.Errorf("%d bad %s in %s; nothing was imported", len(bad), what, cmd.File),
		"mend them, or take them out, and import the file again; --dry-run only checks")
}

func (cmd *accountImportCmd) report(c *console, all int, hashes map[string]int) error {
	if cmd.JSON {
		shown := importJSON{Imported: all, DryRun: cmd.DryRun, Hashes: hashes}
		if cmd.DryRun {
			shown.Imported = 0
		}
		return c.json(shown)
	}
	if cmd.DryRun {
		fmt.Fprintf(c.out, "%d accounts could be imported; nothing was changed\n", all)
	} else {
		fmt.Fprintf(c.out, "%d accounts were imported\n", all)
	}
	for _, scheme := range slices.Sorted(maps.Keys(hashes)) {
		fmt.Fprintf(c.out, "  %d with %s\n", hashes[scheme], scheme)
	}
	return nil
}

// importProgress tells people how far an import is, once a second.
func (c *console) importProgress(all int) func(inserting bool, done int) {
	said := time.Now()
	return func(inserting bool, done int) {
		if time.Since(said) < time.Second {
			return
		}
		said = time.Now()
		doing := "checked"
		if inserting {
			doing = "imported"
		}
		fmt.Fprintf(c.err, "%s %d of %d\n", doing, done, all)
	}
}
