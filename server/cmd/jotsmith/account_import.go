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
	targetFlags
	File         string `arg:"" help:"Accounts as lines of JSON (.jsonl) or as a table (.csv)."`
	DryRun       bool   `help:"Check every line and change nothing."`
	SkipExisting bool   `help:"Leave out lines whose user name an account has already, as after an import that broke off."`
	JSON         bool   `help:"Print JSON."`
}

func (accountImportCmd) Help() string {
	return "Each line is an account: " + accountfile.Known() + "; only username and password_hash must be there. " +
		"In a table the first line names the columns, and roles are separated by spaces. " +
		"Password hashes may be of bcrypt, scrypt, PBKDF2 with SHA-256 or SHA-512, argon2id and argon2i; " +
		"each is replaced by one of ours when its holder logs in.\n\n" +
		"Every line is checked first: where one is bad, all bad lines are named and nothing is imported. " +
		"On the data of a stopped server the rest is one act, all or nothing. On a running one it is one act for every 500 lines, " +
		"so that nobody waits; where it breaks off, you are told how far it came, and --skip-existing does the rest."
}

// importJSON is what --json prints.
type importJSON struct {
	Imported int             `json:"imported"`
	Skipped  int             `json:"skipped"`
	DryRun   bool            `json:"dry_run"`
	Hashes   map[string]int  `json:"hashes,omitempty"`
	Bad      []importBadJSON `json:"bad,omitempty"`
}

type importBadJSON struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

func (cmd *accountImportCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	f, err := os.Open(cmd.File)
	if err != nil {
		return fmt.Errorf("reading the accounts: %w", err)
	}
	defer f.Close()
	lines, bad, err := accountfile.Read(cmd.File, f)
	if err != nil {
		return fmt.Errorf("reading %s: %w", cmd.File, err)
	}
	open := cmd.openOrMake
	if cmd.DryRun {
		open = cmd.open
	}
	r, err := open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	// Where lines could not be read the others are still checked, so that all
	// faults are told at once.
	mode := account.ImportMode{Dry: cmd.DryRun || len(bad) > 0, SkipExisting: cmd.SkipExisting}
	done, err := r.importAccounts(ctx, lines, mode, c.importProgress(len(lines)))
	more, isBad := errors.AsType[account.ImportError](err)
	if err != nil && !isBad {
		return err
	}
	if bad = append(bad, more...); len(bad) > 0 {
		slices.SortStableFunc(bad, func(a, b account.LineError) int { return cmp.Compare(a.Line, b.Line) })
		return cmd.refuse(c, bad)
	}
	return cmd.report(c, done)
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
	return hint(fmt.Errorf("%s in %s; nothing was imported", plural(int64(len(bad)), "bad line"), cmd.File),
		"mend them, or take them out, and import the file again; --dry-run only checks")
}

func (cmd *accountImportCmd) report(c *console, done account.ImportResult) error {
	if cmd.JSON {
		shown := importJSON{Imported: done.Accounts, Skipped: done.Skipped, DryRun: cmd.DryRun, Hashes: done.Hashes}
		if cmd.DryRun {
			shown.Imported = 0
		}
		return c.json(shown)
	}
	if cmd.DryRun {
		fmt.Fprintf(c.out, "%d accounts could be imported; nothing was changed\n", done.Accounts)
	} else {
		fmt.Fprintf(c.out, "%d accounts were imported\n", done.Accounts)
	}
	for _, scheme := range slices.Sorted(maps.Keys(done.Hashes)) {
		fmt.Fprintf(c.out, "  %d with %s\n", done.Hashes[scheme], scheme)
	}
	if done.Skipped > 0 {
		fmt.Fprintf(c.out, "  %d left out, whose user names accounts have already\n", done.Skipped)
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
