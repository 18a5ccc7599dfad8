package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/wire"
)

// A batch is what is sent to a running server at once. Its bounds are well
// below what the server takes.
type batch struct {
	body  bytes.Buffer
	lines []account.ImportLine
}

const (
	batchLines = 500
	batchSize  = 512 << 10
)

// importAccounts makes accounts: in this process as one act, and at a running
// server, after all were checked there, batch by batch.
func (r *remote) importAccounts(ctx context.Context, lines []account.ImportLine, mode account.ImportMode, progress func(inserting bool, done int)) (account.ImportResult, error) {
	if r.node != nil {
		return r.node.admin.ImportAccounts(ctx, operator(), lines, mode, progress)
	}
	batches, bad := batchesOf(lines)
	all := account.ImportResult{Hashes: map[string]int{}}
	done := 0
	for _, b := range batches {
		more, err := r.importBatch(ctx, b, account.ImportMode{Dry: true, SkipExisting: mode.SkipExisting}, &all)
		if err != nil {
			return account.ImportResult{}, err
		}
		bad = append(bad, more...)
		done += len(b.lines)
		progress(false, done)
	}
	switch {
	case len(bad) > 0:
		return account.ImportResult{}, bad
	case mode.Dry:
		return all, nil
	}
	all, done = account.ImportResult{Hashes: map[string]int{}}, 0
	for _, b := range batches {
		bad, err := r.importBatch(ctx, b, mode, &all)
		if len(bad) > 0 { // somebody has changed something since it was checked
			err = bad[0]
		}
		if err != nil {
			return account.ImportResult{}, broken(done, b, err)
		}
		done += len(b.lines)
		progress(true, done)
	}
	return all, nil
}

// broken says how far an import came that ends with err.
func broken(done int, b *batch, err error) error {
	first, last := b.lines[0].Line, b.lines[len(b.lines)-1].Line
	before := "nothing before them"
	if done > 0 {
		before = fmt.Sprintf("everything before line %d", first)
	}
	return hint(fmt.Errorf("importing lines %d to %d: %w; %s was imported, and nothing after line %d", first, last, err, before, last),
		"import the file again with --skip-existing, which leaves out what is there already")
}

// batchesOf cuts lines into batches. What two batches have in common no batch
// could tell, so user names that come twice are found here.
func batchesOf(lines []account.ImportLine) (all []*batch, bad account.ImportError) {
	at := map[string]int{} // user name → line
	b := &batch{}
	for _, l := range lines {
		text, err := json.Marshal(wire.AccountImport{
			Username: l.Username, DisplayName: l.DisplayName, Roles: l.Roles, PasswordHash: l.PasswordHash, Disabled: l.Disabled, Claims: l.Claims,
		})
		if err != nil { // which could quote the line
			bad = append(bad, account.LineError{Line: l.Line, Err: errors.New("its claims are no JSON")})
			continue
		}
		if name, err := account.Canonical(l.Username); err == nil {
			if first, twice := at[name]; twice {
				bad = append(bad, account.LineError{Line: l.Line, Err: fmt.Errorf("user name %q stands in line %d already", name, first)})
				continue
			}
			at[name] = l.Line
		}
		if len(b.lines) > 0 && (len(b.lines) == batchLines || b.body.Len()+len(text) >= batchSize) {
			all, b = append(all, b), &batch{}
		}
		b.body.Write(append(text, '\n'))
		b.lines = append(b.lines, l)
	}
	if len(b.lines) > 0 {
		all = append(all, b)
	}
	return all, bad
}

// importBatch sends one batch and adds to all what it did. bad are the lines
// for which the server refuses it.
func (r *remote) importBatch(ctx context.Context, b *batch, mode account.ImportMode, all *account.ImportResult) (bad account.ImportError, err error) {
	query := url.Values{}
	if mode.Dry {
		query.Set("dry_run", "true")
	}
	if mode.SkipExisting {
		query.Set("existing", "skip")
	}
	var done wire.AccountsImported
	err = r.send(ctx, "POST", "/v1/admin/import?"+query.Encode(), wire.MediaTypeLines, b.body.Bytes(), &done)
	if refused, ok := errors.AsType[refusal](err); ok && len(refused.Bad) > 0 {
		for _, l := range refused.Bad {
			if l.Line >= 1 && l.Line <= len(b.lines) {
				l.Line = b.lines[l.Line-1].Line
			}
			bad = append(bad, account.LineError{Line: l.Line, Err: errors.New(l.Error)})
		}
		return bad, nil
	}
	if err != nil {
		return nil, err
	}
	all.Accounts += done.Imported
	all.Skipped += done.Skipped
	for scheme, n := range done.Hashes {
		all.Hashes[scheme] += n
		if done.DryRun {
			all.Accounts += n
		}
	}
	return nil, nil
}
