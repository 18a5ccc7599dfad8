package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

type auditExportCmd struct {
	targetFlags
	File  string `arg:"" optional:"" placeholder:"FILE" help:"A new file; by default standard output."`
	After uint64 `placeholder:"NUMBER" help:"Only records after this one, which an export before this ended with."`
}

func (auditExportCmd) Help() string {
	return "Each record is checked while it is written; an export that succeeds is whole and good, and 'audit verify FILE' says so again at any time, without this data. " +
		"It holds names and addresses: keep it as you keep the log."
}

func (cmd *auditExportCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	p := c.progress("exporting")
	var done audit.Result
	err = cmd.to(c, func(w io.Writer) error {
		var err error
		done, err = r.verifyAudit(ctx, cmd.After, audit.Head{}, w, p.at)
		return err
	})
	p.end()
	if err != nil {
		return auditError(err)
	}
	fmt.Fprintf(c.err, "Exported %s. The head is %v\n", records(done.Records), done.Head)
	return nil
}

// to writes to the file, which must be new and is on the disk afterwards.
func (cmd *auditExportCmd) to(c *console, write func(io.Writer) error) error {
	if cmd.File == "" {
		return write(c.out)
	}
	f, err := os.OpenFile(cmd.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return hint(fmt.Errorf("%s exists already", cmd.File), "an export is never overwritten; name another file")
	}
	if err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// exportedAtOnce is how many records are fetched at a time.
const exportedAtOnce = 2000

// verifyAudit reads the audit log after a number part by part, verifies the
// whole as [audit.VerifyExport] does and writes it to w.
func (r *remote) verifyAudit(ctx context.Context, after uint64, known audit.Head, w io.Writer, progress func(done, all uint64)) (audit.Result, error) {
	in, out := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		out.CloseWithError(audit.Join(out, after, exportedAtOnce, func(after uint64) (io.ReadCloser, error) {
			return r.fetch(ctx, fmt.Sprintf("/v1/admin/audit/export?after=%d&limit=%d", after, exportedAtOnce))
		}))
	}()
	defer func() {
		in.Close()
		<-ended
	}()
	return audit.VerifyExport(io.TeeReader(in, w), known, progress)
}

func records(n uint64) string { return plural(int64(n), "record") }

// auditError adds what to do about a log that is not as it was written.
func auditError(err error) error {
	if f, ok := errors.AsType[*audit.Fault](err); ok {
		if f.Torn {
			return hint(err, "what stands is good; compare with exports and backups, which may have the rest")
		}
		return hint(err, "what stands before it is good; keep a copy of the data as it is, and compare with exports and backups")
	}
	return err
}
