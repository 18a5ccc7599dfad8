package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/wire"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List what was done, the newest first."`
	Export auditExportCmd `cmd:"" help:"Write the audit log as JSON lines that can be verified anywhere."`
	Verify auditVerifyCmd `cmd:"" help:"Find the first record that is not as it was written."`
}

func (auditCmd) Help() string {
	return targetHelp + " Whoever reads the log is recorded."
}

type auditListCmd struct {
	pageFlags
	Act     string   `placeholder:"ACT" help:"Only this act, such as account.disable, or all that begin with account. where it ends in a dot."`
	Outcome string   `enum:",ok,refused" default:"" placeholder:"OUTCOME" help:"Only ok, or only refused."`
	Actor   string   `placeholder:"WHO" help:"Only acts of this account id, name or kind: account, anonymous, operator or system."`
	Target  string   `placeholder:"ID" help:"Only acts on this account, session or key."`
	Since   momentAt `placeholder:"TIME" help:"Only from then on: a date, a time as in RFC 3339, or how long ago, such as 2h or 7d."`
	Until   momentAt `placeholder:"TIME" help:"Only before then."`
	Before  uint64   `placeholder:"NUMBER" help:"Only records before this one."`
}

// auditList is what --json prints. Next is what --before takes to go on; it is
// absent at the end.
type auditList struct {
	Records []audit.Shown `json:"records"`
	Next    uint64        `json:"next,omitempty"`
}

func (cmd *auditListCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var page wire.AuditList
	if err := r.do(ctx, "GET", "/v1/admin/audit"+cmd.selection(), nil, &page); err != nil {
		return err
	}
	list := auditList{Records: []audit.Shown{}}
	list.Next, _ = strconv.ParseUint(page.Next, 10, 64) // empty at the end
	for _, e := range page.Events {
		list.Records = append(list.Records, audit.Shown{
			Seq: e.Seq, ID: e.ID, At: e.At, Act: e.Act, Outcome: e.Outcome, Rule: e.Rule, Targets: e.Targets, Actor: audit.ShownActor(e.Actor),
		})
	}
	var rows [][]string
	for _, s := range list.Records {
		rows = append(rows, []string{strconv.FormatUint(s.Seq, 10), s.At.Format(time.DateTime), s.Act, outcome(s), actor(s.Actor), targets(s.Targets)})
	}
	return cmd.show(c, list, listing{
		heading: []string{"NUMBER", "TIME (UTC)", "ACT", "OUTCOME", "WHO", "ON"},
		rows:    rows, none: "No records.", more: next("--before", page.Next),
	})
}

func (cmd *auditListCmd) selection() string {
	before := ""
	if cmd.Before > 0 {
		before = strconv.FormatUint(cmd.Before, 10)
	}
	return cmd.query(map[string]string{
		"act": cmd.Act, "outcome": cmd.Outcome, "actor": cmd.Actor, "target": cmd.Target,
		"since": cmd.Since.text(), "until": cmd.Until.text(), "after": before,
	})
}

func outcome(s audit.Shown) string {
	if s.Rule == "" {
		return s.Outcome
	}
	return s.Outcome + ": " + s.Rule
}

// actor says who in a few words; the rest is in the JSON.
func actor(a audit.ShownActor) string {
	who := a.Kind
	switch {
	case a.Name != "":
		who += " " + a.Name
	case a.ID != "":
		who += " " + a.ID
	case a.Erased:
		who += " (erased)"
	}
	if a.Address != "" {
		who += " from " + a.Address
	}
	return who
}

func targets(all map[string]string) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, kind+" "+all[kind])
	}
	return strings.Join(parts, ", ")
}

// A momentAt is a time on the command line: a date, RFC 3339, or a span ago.
type momentAt time.Time

func (m *momentAt) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, string(text)); err == nil {
			*m = momentAt(t)
			return nil
		}
	}
	var ago span
	if err := ago.UnmarshalText(text); err != nil {
		return fmt.Errorf("malformed time %q: such as 2026-03-01, 2026-03-01T12:00:00Z, or 2h or 7d ago", text)
	}
	*m = momentAt(time.Now().Add(-time.Duration(ago)))
	return nil
}

func (m momentAt) text() string {
	if time.Time(m).IsZero() {
		return ""
	}
	return time.Time(m).Format(time.RFC3339Nano)
}

// progress shows on a terminal how far something is.
type progress struct {
	w     io.Writer // nil shows nothing
	what  string
	shown time.Time
}

func (c *console) progress(what string) *progress {
	if !isTerminal(c.err) {
		return &progress{}
	}
	return &progress{w: c.err, what: what, shown: time.Now()}
}

// at tells how far it is; all is 0 where that is not known.
func (p *progress) at(done, all uint64) {
	if p.w == nil || time.Since(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = time.Now()
	if all > 0 {
		fmt.Fprintf(p.w, "\r%s: %d of %d records (%d %%)", p.what, done, all, done*100/all)
	} else {
		fmt.Fprintf(p.w, "\r%s: %d records", p.what, done)
	}
}

func (p *progress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
