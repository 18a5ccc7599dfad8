package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
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
	args     []string
	commands commands
	parser   *kong.Kong
	file     *configFile // nil where none is named
	chosen   *kong.Context
}

// parse reads the command line whole. It can be called again on the same
// arguments, to see what the configuration file has become.
func parse(args []string, c *console) (*commandLine, error) {
	l := &commandLine{args: args}
	parser, err := kong.New(&l.commands,
		kong.Name("jotsmith"),
		kong.Description("Issues, verifies, refreshes and revokes JSON Web Tokens for APIs. New here? Run 'jotsmith dev'.\n\n"+
			"Colours are left out where $NO_COLOR is set or $TERM is dumb."),
		kong.Writers(c.out, c.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 80}),
		kong.Resolvers(l),
		kong.Vars{
			"algorithms": algorithms(), "encryption_algorithms": encryptionAlgorithms(), "content_encryptions": contentEncryptions(),
		},
	)
	if err != nil {
		return nil, err
	}
	l.parser = parser
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(args[1:len(args):len(args)], "--help")
	}
	if name := l.configPath(args); name != "" {
		if l.file, err = readConfigFile(name); err != nil {
			return nil, err
		}
	}
	if l.chosen, err = parser.Parse(args); err != nil {
		return nil, l.explain(err)
	}
	return l, nil
}

// configPath is the configuration file that the arguments or the environment
// name, where the command has one at all.
func (l *commandLine) configPath(args []string) string {
	trace, err := kong.Trace(l.parser, args)
	if err != nil || trace.Error != nil || slices.Contains(args, "--help") {
		return "" // the whole parse tells why
	}
	for _, p := range trace.Path {
		if p.Flag != nil && p.Flag.Name == "config" {
			name, _ := trace.FlagValue(p.Flag).(string)
			return name
		}
	}
	for _, f := range trace.Flags() {
		if f.Name == "config" {
			return os.Getenv("JOTSMITH_CONFIG")
		}
	}
	return ""
}

// Validate has nothing to check: the file was, when it was read.
func (*commandLine) Validate(*kong.Application) error { return nil }

// Resolve answers what the configuration file says for a flag that was not
// given. The environment stands over the file. A flag of a setting's name that
// has no environment variable is another: an account has roles too.
func (l *commandLine) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	if l.file == nil || len(f.Envs) == 0 || fromEnvironment(f) != "" {
		return nil, nil
	}
	if v, ok := l.file.values[f.Name]; ok {
		return v, nil
	}
	return nil, nil
}

// fromEnvironment names the environment variable that gives a flag its value.
func fromEnvironment(f *kong.Flag) string {
	for _, name := range f.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return name
		}
	}
	return ""
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

// origin says where a flag of the chosen command has its value from.
func (l *commandLine) origin(f *kong.Flag) string {
	for _, p := range l.chosen.Path {
		if p.Flag == f && !p.Resolved {
			return "--" + f.Name
		}
	}
	if name := fromEnvironment(f); name != "" {
		return "$" + name
	}
	if l.file != nil {
		if _, ok := l.file.values[f.Name]; ok {
			return filepath.Base(l.file.path)
		}
	}
	return "default"
}

// flags are those of the chosen command, by name.
func (l *commandLine) flags() map[string]*kong.Flag {
	all := map[string]*kong.Flag{}
	for _, f := range l.chosen.Flags() {
		all[f.Name] = f
	}
	return all
}
