package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

type auditVerifyCmd struct {
	targetFlags
	File string    `arg:"" optional:"" placeholder:"FILE" help:"Verify this export instead of a server's log."`
	Head notedHead `placeholder:"HEAD" help:"A head that was printed before and noted elsewhere. It must still stand in the log."`
	JSON bool      `help:"Print JSON."`
}

func (auditVerifyCmd) Help() string {
	return "Exits with 1 and names the first bad record where there is one. " +
		"On the data directory of a stopped server no root key is needed, and nothing is recorded; a running server (--server) sends its whole log, which is recorded, and the chain is computed here. " +
		"Whoever may write to the data could make the whole chain anew: note the head that is printed, apart from the data, and give it to --head the next time."
}

// A notedHead is an audit.Head on the command line.
type notedHead audit.Head

func (h *notedHead) UnmarshalText(text []byte) error {
	parsed, err := audit.ParseHead(string(text))
	*h = notedHead(parsed)
	return err
}

// verified is what --json prints.
type verified struct {
	State   string `json:"state"` // good, torn or bad
	Records uint64 `json:"records"`
	Erased  uint64 `json:"erased"`
	Head    string `json:"head"`
	Bad     uint64 `json:"first_bad,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (cmd *auditVerifyCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	began := time.Now()
	p := c.progress("verifying")
	r, err := cmd.verify(ctx, c, l, p)
	p.end()
	f, faulty := errors.AsType[*audit.Fault](err)
	if err != nil && !faulty {
		return err
	}
	if cmd.JSON {
		v := verified{State: "good", Records: r.Records, Erased: r.Erased, Head: r.Head.String()}
		if faulty {
			v.State, v.Bad, v.Reason = "bad", f.Seq, f.Why
			if f.Torn {
				v.State = "torn"
			}
		}
		if err := c.json(v); err != nil {
			return err
		}
		if faulty {
			return errSilent
		}
		return nil
	}
	if faulty {
		fmt.Fprintf(c.out, "%s good, up to %v\n", are(r.Records), r.Head)
		return auditError(err)
	}
	fmt.Fprintf(c.out, "%s good.\n", are(r.Records))
	if r.Erased > 0 {
		fmt.Fprintf(c.out, "Of %d the names, address and device were erased.\n", r.Erased)
	}
	fmt.Fprintf(c.out, "head: %v\n", r.Head)
	if took := time.Since(began); took > time.Second {
		fmt.Fprintf(c.err, "Verified in %v, %d records a second.\n", took.Round(100*time.Millisecond), uint64(float64(r.Records)/took.Seconds()))
	}
	return nil
}

func are(n uint64) string {
	if n == 1 {
		return "1 record is"
	}
	return records(n) + " are"
}

func (cmd *auditVerifyCmd) verify(ctx context.Context, c *console, l *commandLine, p *progress) (audit.Result, error) {
	if cmd.File != "" {
		f, err := os.Open(cmd.File)
		if err != nil {
			return audit.Result{}, fmt.Errorf("verifying: %w", err)
		}
		defer f.Close()
		r, err := audit.VerifyExport(f, audit.Head(cmd.Head), p.at)
		if errors.Is(err, audit.ErrFormat) {
			err = hint(fmt.Errorf("%s: %w", cmd.File, err), "'jotsmith audit export FILE' writes one")
		}
		return r, err
	}
	if cmd.remote(l) {
		r, err := openRemote(ctx, cmd.Server)
		if err != nil {
			return audit.Result{}, err
		}
		defer r.Close()
		return r.verifyAudit(ctx, 0, audit.Head(cmd.Head), io.Discard, p.at)
	}
	var dir *dataDir
	if cmd.Store == "" {
		var err error
		if dir, err = findDataDir(cmd.Data); err != nil {
			return audit.Result{}, err
		}
		defer dir.Close()
	}
	store, err := openStore(ctx, cmd.Store, dir, false, slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn})), nil)
	if err != nil {
		return audit.Result{}, err
	}
	defer store.Close()
	return audit.Verify(ctx, store, audit.Head(cmd.Head), p.at)
}
