package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
)

// A setting is a flag of serve that the configuration file can give too.
type setting struct {
	key  string // in the file, with the names of its tables
	flag string
	kind kind
	live bool // it can change while the server runs
}

// A kind says how a setting is written in the file.
type kind int

const (
	isText   kind = iota // "a string", also for durations
	isNumber             // a whole number
	isYesNo              // true or false
	isList               // ["a", "b"]
	isTable              // name = ["a", "b"], each a NAME=A,B of the flag
	isPath               // text; relative to the file
	isSource             // text; file:PATH, relative to the file, or env:NAME
)

// settings is all that a configuration file may hold, in the order in which it
// is shown. What is for one start only, such as accepting a wrong clock, is not
// among it.
var settings = []setting{
	{"addr", "addr", isText, false},
	{"issuer", "issuer", isText, false},
	{"data", "data", isPath, false},
	{"store", "store", isText, false},
	{"shared", "shared", isText, false},
	{"root_key", "root-key", isSource, false},
	{"apis", "api", isList, true},
	{"roles", "role", isTable, true},
	{"origins", "origin", isList, true},
	{"access_cookie", "access-cookie", isYesNo, true},
	{"tls.cert", "tls-cert", isPath, true},
	{"tls.key", "tls-key", isPath, true},
	{"proxy.behind", "behind-proxy", isYesNo, false},
	{"proxy.trusted", "trusted-proxy", isList, true},
	{"tokens.access_life", "access-life", isText, false},
	{"tokens.sensitive_claims", "sensitive-claim", isList, false},
	{"tokens.status_lists", "status-lists", isYesNo, false},
	{"sessions.idle", "session-idle", isText, false},
	{"sessions.max", "session-max", isText, true},
	{"sessions.refresh_grace", "refresh-grace", isText, true},
	{"sessions.per_account", "sessions-per-account", isNumber, true},
	{"limits.exempt", "rate-exempt", isList, true},
	{"keys.rotate_every", "key-rotate-every", isText, false},
	{"keys.lead", "key-lead", isText, false},
	{"log.format", "log", isText, false},
	{"log.level", "log-level", isText, true},
	{"log.slow", "slow", isText, true},
	{"drain", "drain", isText, false},
	{"admin.addr", "admin-addr", isText, false},
	{"admin.pprof", "admin-pprof", isYesNo, false},
	{"admin.dangerously_open", "dangerously-open-admin", isYesNo, false},
	{"traces.endpoint", "trace", isText, false},
	{"traces.percent", "trace-percent", isNumber, false},
}

// A commandLine is what the program was started with: arguments, environment
// and, where one is named, a configuration file beneath both.
type commandLine struct {
	args      []string
	commands  commands
	root      *cobra.Command
	arguments map[*cobra.Command][]*parameter
	file      *configFile    // nil where none is named
	chosen    *cobra.Command // nil where help was asked for, and printed
	act       runner         // what chosen does
}

// A runner is a command that does something.
type runner interface {
	Run(context.Context, *console, *commandLine) error
}

// parse reads the command line whole. It can be called again on the same
// arguments, to see what the configuration file has become.
func parse(args []string, c *console) (*commandLine, error) {
	l := &commandLine{args: args, arguments: map[*cobra.Command][]*parameter{}}
	l.root = l.command("jotsmith", "", reflect.ValueOf(&l.commands).Elem())
	l.root.Long = "Issues, verifies, refreshes and revokes JSON Web Tokens for APIs. New here? Run 'jotsmith dev'.\n\n" +
		"Colours are left out where $NO_COLOR is set or $TERM is dumb."
	l.root.SilenceErrors, l.root.SilenceUsage = true, true
	l.root.CompletionOptions.DisableDefaultCmd = true
	l.root.SetFlagErrorFunc(flagError)
	l.root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { l.help(c.out, cmd) })
	help := &parameter{name: "help", cmd: l.root, tag: `help:"Show this help."`, field: reflect.ValueOf(new(bool)).Elem()}
	help.addTo(l.root.PersistentFlags(), "h")
	helper, _, _ := l.root.Find([]string{"help"})
	l.root.SetHelpCommand(helper) // instead of the library's
	if len(args) == 0 {
		args = []string{"--help"}
	}
	l.root.SetArgs(args)
	if err := l.root.Execute(); err != nil {
		return nil, l.explain(err)
	}
	return l, nil
}

// choose reads, for the flags of a command that were not given, environment and
// configuration file, and checks the whole.
func (l *commandLine) choose(cmd *cobra.Command, target any) error {
	all := parameters(cmd)
	for _, p := range all {
		if err := p.fromEnvironment(); err != nil {
			return misused(cmd, err)
		}
	}
	for _, p := range all {
		if name := p.field.String(); p.name == "config" && name != "" {
			var err error
			if l.file, err = readConfigFile(name); err != nil {
				return err
			}
		}
	}
	for _, p := range all {
		if err := p.fromFile(l.file); err != nil {
			return misused(cmd, err)
		}
	}
	if err := together(all); err != nil {
		return misused(cmd, err)
	}
	if v, ok := target.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return misused(cmd, err)
		}
	}
	l.chosen, l.act = cmd, target.(runner)
	return nil
}

// fromEnvironment reads p's environment variable, where p was not given.
func (p *parameter) fromEnvironment() error {
	name := p.tag.Get("env")
	text, ok := os.LookupEnv(name)
	if !ok || p.origin != "" {
		return nil
	}
	if err := p.set(text, "$"+name); err != nil {
		return fmt.Errorf("%w (from $%s)", err, name)
	}
	return nil
}

// fromFile reads what the configuration file says for p, where neither command
// line nor environment gave it. A flag of a setting's name that has no
// environment variable is another: an account has roles too.
func (p *parameter) fromFile(file *configFile) error {
	if file == nil || p.origin != "" || !p.has("env") {
		return nil
	}
	text, ok := file.values[p.name]
	if !ok {
		return nil
	}
	return p.set(text, filepath.Base(file.path))
}

// explain adds to an error which speaks of flags where their values came from,
// if that was the configuration file.
func (l *commandLine) explain(err error) error {
	if err == nil || l.file == nil {
		return err
	}
	var from []string
	for _, s := range settings {
		_, ok := l.file.values[s.flag]
		_, over := os.LookupEnv("JOTSMITH_" + strings.ToUpper(strings.ReplaceAll(s.flag, "-", "_")))
		if ok && !over && mentions(err.Error(), "--"+s.flag) && !mentions(strings.Join(l.args, " "), "--"+s.flag) {
			from = append(from, fmt.Sprintf("--%s is %s in %s", s.flag, s.key, l.file.path))
		}
	}
	if len(from) == 0 {
		return err
	}
	return hint(err, "%s", strings.Join(from, "; "))
}

// mentions says whether flag stands in text as a whole word.
func mentions(text, flag string) bool {
	for {
		_, after, ok := strings.Cut(text, flag)
		if !ok {
			return false
		}
		if after == "" || after[0] != '-' && (after[0] < 'a' || after[0] > 'z') {
			return true
		}
		text = after
	}
}

// flags are those of the chosen command, by name.
func (l *commandLine) flags() map[string]*parameter {
	all := map[string]*parameter{}
	for _, p := range parameters(l.chosen) {
		all[p.name] = p
	}
	return all
}
