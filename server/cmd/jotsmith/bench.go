package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/load"
)

type benchCmd struct {
	Operation      []weightedArg `arg:"" optional:"" help:"What to do: NAME, or NAME=WEIGHT for how often; by default a mix of all."`
	Server         string        `xor:"target" placeholder:"URL" help:"Ask this running server, where 'jotsmith login' has logged in an administrator. By default a server is started, for the time of the measurement."`
	Store          string        `xor:"target" placeholder:"URL" help:"The server that is started keeps everything in this PostgreSQL database, which must be empty, instead of in SQLite."`
	BeyondLoopback string        `placeholder:"HOST" help:"Ask a server on another machine: its host's name, once more."`
	Duration       span          `default:"10s" placeholder:"TIME" help:"How long (${default}), at most 24h."`
	Connections    int           `default:"16" placeholder:"N" help:"So many ask at once (${default}), 1 to 512."`
	Accounts       int           `default:"4" placeholder:"N" help:"So many accounts are made for it (${default}), 1 to 1000, each for at most 50 connections."`
	Rate           float64       `placeholder:"N" help:"Begin so many operations a second, up to 100000, whether earlier ones were answered or not. By default each connection begins the next when it has its answer."`
	Followers      int           `placeholder:"N" help:"So many follow the revocations meanwhile, as guards do, up to 1000."`
	JSON           bool          `help:"Print JSON."`
}

func (benchCmd) Help() string {
	var b strings.Builder
	b.WriteString("Measures how many operations a second a server answers, and how long each takes, so that you can size your machine. " +
		"The generator takes its share of the machine where it runs on the same.\n\n" +
		"The accounts that it makes are disabled at the end, which ends their sessions, and its app is deleted. " +
		"A server that it has started keeps nothing, save in the database that --store names. " +
		"One that runs counts requests: start it with --rate-exempt and the address of the generator.\n\n" +
		"With --rate, times are measured from when an operation should have begun, so that what a slow answer keeps waiting counts too. " +
		"Control-C ends the measurement and shows it. Exit code 1: something was not answered as it should be.\n\nOperations:")
	for _, o := range load.Operations {
		fmt.Fprintf(&b, "\n\n%s: %s", o.Name, o.What)
	}
	return b.String()
}

// usualMix is as if a hundred requests came between two log-ins, each session
// is refreshed now and then, and most of what comes is asked by APIs.
var usualMix = map[string]int{"login": 1, "refresh": 20, "me": 20, "sessions": 2, "introspect": 30, "client": 15, "revoke": 1, "jwks": 10, "verify": 20}

// A weightedArg is an operation and how often it is done.
type weightedArg struct {
	name   string
	weight int
}

func (w *weightedArg) UnmarshalText(text []byte) error {
	name, number, given := strings.Cut(string(text), "=")
	w.name, w.weight = name, 1
	var names []string
	for _, o := range load.Operations {
		names = append(names, o.Name)
	}
	if !slices.Contains(names, name) {
		return fmt.Errorf("unknown operation %q: one of %s", name, strings.Join(names, ", "))
	}
	if given {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > 1000 {
			return fmt.Errorf("malformed weight of %s %q: 1 to 1000", name, number)
		}
		w.weight = n
	}
	return nil
}

func (cmd *benchCmd) Run(ctx context.Context, c *console, _ *commandLine) error {
	mix := usualMix
	if len(cmd.Operation) > 0 {
		mix = map[string]int{}
		for _, o := range cmd.Operation {
			mix[o.name] = o.weight
		}
	}
	if err := cmd.check(mix); err != nil {
		return usageError{err}
	}
	ctx, stop := untilStopped(ctx)
	defer stop()
	s, err := cmd.server(ctx, c)
	if err != nil {
		return err
	}
	defer s.close()
	target, err := load.NewTarget(load.TargetConfig{Base: s.base, Accounts: cmd.Accounts, Connections: cmd.Connections, Administer: s.admin.do})
	if err != nil {
		return usageError{err}
	}
	report, used, err := cmd.measure(ctx, c, s, target, mix)
	stays, cleaning := cmd.cleanUp(ctx, s, target)
	if err != nil {
		return errors.Join(err, cleaning)
	}
	if err := cmd.show(c, s, report, used, stays); err != nil {
		return err
	}
	if cleaning != nil {
		return cleaning
	}
	if report.All.Failed > 0 {
		err := fmt.Errorf("%d of %d operations failed", report.All.Failed, report.All.Failed+report.All.Count)
		if slices.ContainsFunc(report.All.Errors, func(e load.Errors) bool { return strings.HasPrefix(e.Code, "429 ") }) {
			return hint(err, "the server counts these requests; start it with --rate-exempt and the address that they come from, such as 127.0.0.0/8")
		}
		return err
	}
	return nil
}

// check refuses what can be refused before anything is asked or started.
func (cmd *benchCmd) check(mix map[string]int) error {
	var ops []load.Op
	for name, weight := range mix {
		ops = append(ops, load.Op{Name: name, Weight: weight})
	}
	err := load.Config{Ops: ops, Connections: cmd.Connections, Duration: time.Duration(cmd.Duration), Rate: cmd.Rate}.Validate()
	_, err2 := load.NewTarget(load.TargetConfig{Accounts: cmd.Accounts, Connections: cmd.Connections})
	if cmd.Followers < 0 || cmd.Followers > load.MaxFollowers {
		err = errors.Join(err, fmt.Errorf("followers: 0 to %d", load.MaxFollowers))
	}
	return errors.Join(err, err2, cmd.checkServer(), checkStore(cmd.Store))
}

// checkServer lets a server beyond this machine be asked only by somebody who
// names it twice: what a bench does to one in use is not undone by its end.
func (cmd *benchCmd) checkServer() error {
	if cmd.Server == "" {
		if cmd.BeyondLoopback != "" {
			return errors.New("--beyond-loopback goes with --server")
		}
		return nil
	}
	if _, err := serverURL(cmd.Server); err != nil {
		return err
	}
	u, err := url.Parse(cmd.Server)
	switch {
	case err != nil:
		return err
	case cmd.BeyondLoopback == "" && !isLoopbackHost(u.Hostname()):
		return fmt.Errorf("%s is not this machine: whoever uses that server would wait; to ask it nevertheless, add --beyond-loopback %s", cmd.Server, u.Hostname())
	case cmd.BeyondLoopback != "" && cmd.BeyondLoopback != u.Hostname():
		return fmt.Errorf("--beyond-loopback %s is not the host of --server %s", cmd.BeyondLoopback, cmd.Server)
	}
	return nil
}

// measure makes everything ready and runs the mix. A run that is cut short has
// a report too.
func (cmd *benchCmd) measure(ctx context.Context, c *console, s *benchServer, target *load.Target, mix map[string]int) (load.Report, load.Usage, error) {
	view := newBenchView(c, cmd)
	view.say("Making %s and logging in %s ...", plural(int64(cmd.Accounts), "account"), plural(int64(cmd.Connections), "time"))
	if err := target.Prepare(ctx); err != nil {
		if ctx.Err() != nil {
			err = errors.New("stopped before anything was measured")
		}
		return load.Report{}, load.Usage{}, limited(err)
	}
	ops, err := target.Ops(maps.Clone(mix))
	if err != nil {
		return load.Report{}, load.Usage{}, err
	}
	if err := target.Follow(ctx, cmd.Followers); err != nil {
		return load.Report{}, load.Usage{}, err
	}
	before := s.usage()
	report, err := load.Run(ctx, load.Config{
		Ops: ops, Connections: cmd.Connections, Duration: time.Duration(cmd.Duration), Rate: cmd.Rate, Watch: view.progress,
	})
	used := s.usage()
	used.CPU -= before.CPU
	view.end()
	return report, used, err
}

// limited adds what to do where a server counts the requests of the generator.
func limited(err error) error {
	if r, ok := errors.AsType[*load.Refusal](err); ok && r.Status == 429 {
		return hint(err, "start the server with --rate-exempt and the address of the generator")
	}
	return err
}

// cleanUp ends what was made, also after a Control-C. What a server of one's own
// has made goes with it.
func (cmd *benchCmd) cleanUp(ctx context.Context, s *benchServer, target *load.Target) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	stays, err := target.CleanUp(ctx)
	switch {
	case err != nil:
		return stays, fmt.Errorf("cleaning up: %w", err)
	case s.keeps == "":
		return nil, nil
	}
	return append(stays, s.leaves...), nil
}
