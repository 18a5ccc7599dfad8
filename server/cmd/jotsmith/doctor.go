package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

type doctorCmd struct {
	serveCmd
	JSON bool `help:"Print JSON."`
}

func (doctorCmd) Help() string {
	return "Give it the same flags, environment and configuration file as 'serve'. It looks at the configuration, the data directory, file modes, " +
		"the root key, the database, shared state, the clock, the ages of keys, the certificate, and at the server as its clients see it. " +
		"It changes nothing and can run beside the server. Exits with 1 where there is a problem."
}

// What an examination of one thing says.
const (
	fine    = "ok"
	warning = "warning" // nothing has to be done now
	problem = "problem"
	skipped = "skipped"
)

// A diagnosis is what the doctor says about one thing.
type diagnosis struct {
	Check  string `json:"check"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// A doctor examines one thing after the other; what one has found out, the
// next may use.
type doctor struct {
	cmd       *serveCmd
	now       time.Time
	data      string // absolute
	running   bool   // a server works on the data
	keys      []keyring.Key
	diagnoses []diagnosis
}

func (cmd *doctorCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	d := &doctor{cmd: &cmd.serveCmd, now: time.Now()}
	d.configuration(l)
	d.directory()
	d.clock()
	d.database(ctx, d.rootKey())
	d.shared()
	d.certificate()
	d.outside(ctx)

	healthy := true
	for _, f := range d.diagnoses {
		healthy = healthy && f.State != problem
	}
	if cmd.JSON {
		if err := c.json(struct {
			Healthy   bool        `json:"healthy"`
			Diagnoses []diagnosis `json:"diagnoses"`
		}{healthy, d.diagnoses}); err != nil {
			return err
		}
	} else {
		c.diagnoses(d.diagnoses)
	}
	if !healthy {
		return errSilent
	}
	return nil
}

// diagnoses prints each diagnosis and, beneath, what to do about it.
func (c *console) diagnoses(all []diagnosis) {
	counts := map[string]int{}
	for _, f := range all {
		counts[f.State]++
		state := fmt.Sprintf("%-8s", f.State)
		switch f.State {
		case fine:
			state = c.paint.green(state)
		case warning:
			state = c.paint.yellow(state)
		case problem:
			state = c.paint.red(state)
		case skipped:
			state = c.paint.dim(state)
		}
		const indent = "\n                         "
		fmt.Fprintf(c.out, "%s %-15s %s\n", state, f.Check, strings.ReplaceAll(printable(f.Detail), "\n", indent))
		if f.Remedy != "" {
			fmt.Fprintf(c.out, "                         remedy: %s\n", strings.ReplaceAll(printable(f.Remedy), "\n", indent))
		}
	}
	summary := "Everything is in order."
	switch {
	case counts[problem] > 0:
		summary = plural(int64(counts[problem]), "problem") + "."
	case counts[warning] > 0:
		summary = "No problem, " + plural(int64(counts[warning]), "warning") + "."
	}
	fmt.Fprintln(c.out, summary)
}

func (d *doctor) say(check, state, remedy, format string, args ...any) {
	d.diagnoses = append(d.diagnoses, diagnosis{check, state, fmt.Sprintf(format, args...), remedy})
}

// fault says what err says, with the remedy that it knows.
func (d *doctor) fault(check string, err error, remedy string) {
	if h, ok := errors.AsType[hinted](err); ok {
		remedy = h.hint
	}
	d.say(check, problem, remedy, "%v", err)
}

func (d *doctor) configuration(l *commandLine) {
	_, err := d.cmd.check()
	switch {
	case err != nil:
		d.fault("configuration", l.explain(err), "'jotsmith config show' tells where each value comes from")
	case l.file != nil:
		d.say("configuration", fine, "", "%s", l.file.path)
	default:
		d.say("configuration", fine, "", "flags, environment and defaults")
	}
}
