package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCommandLine says what arguments mean to a command, or what is said
// against them.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	serve := func(l *commandLine) *serveCmd { return &l.commands.Serve }
	for name, c := range map[string]struct {
		line  string
		got   func(*commandLine) any
		want  any
		fault string
	}{
		"with a blank":         {"serve --addr [::1]:1", func(l *commandLine) any { return serve(l).Addr }, "[::1]:1", ""},
		"with an equals sign":  {"serve --addr=[::1]:1", func(l *commandLine) any { return serve(l).Addr }, "[::1]:1", ""},
		"the last counts":      {"serve --addr a --addr b", func(l *commandLine) any { return serve(l).Addr }, "b", ""},
		"a switch":             {"serve --status-lists", func(l *commandLine) any { return serve(l).StatusLists }, true, ""},
		"a switch, off":        {"serve --status-lists=no", func(l *commandLine) any { return serve(l).StatusLists }, false, ""},
		"repeated":             {"serve --api a --api=b", func(l *commandLine) any { return strings.Join(serve(l).API, "|") }, "a|b", ""},
		"separated by commas":  {"key generate --out k --enc A128GCM,A256GCM", func(l *commandLine) any { return len(l.commands.Key.Generate.Enc) }, 2, ""},
		"commas that are text": {"account create ada --role a,b", func(l *commandLine) any { return strings.Join(l.commands.Account.Create.Role, "|") }, "a,b", ""},
		"flags after words":    {"account create ada --name Ada", func(l *commandLine) any { return l.commands.Account.Create.Username }, "ada", ""},
		"a word like a flag":   {"account create -- --name", func(l *commandLine) any { return l.commands.Account.Create.Username }, "--name", ""},
		"absent and empty":     {"api set https://a.example --name=", func(l *commandLine) any { return *l.commands.API.Set.Name }, "", ""},
		"absent":               {"api set https://a.example", func(l *commandLine) any { return l.commands.API.Set.Name == nil }, true, ""},
		"default of a word":    {"key import --out k", func(l *commandLine) any { return l.commands.Key.Import.File }, "-", ""},
		"many words":           {"key public a b", func(l *commandLine) any { return strings.Join(l.commands.Key.Public.Files, "|") }, "a|b", ""},

		"negative number":     {"account list --limit -5", nil, nil, "--limit -5 is outside 1 to 1000"},
		"no number":           {"account list --limit x", nil, nil, `--limit must be a whole number, not "x"`},
		"no switch":           {"serve --status-lists=maybe", nil, nil, `--status-lists must be true or false, not "maybe"`},
		"no value":            {"serve --addr", nil, nil, "--addr needs a value: HOST:PORT"},
		"a flag as value":     {"serve --data --behind-proxy", nil, nil, "--data needs a value, and --behind-proxy is a flag"},
		"not one of":          {"key rotate --purpose x", nil, nil, `--purpose must be one of access, feed, refresh, sealing, not "x"`},
		"required":            {"key rotate", nil, nil, "missing flags: --purpose=PURPOSE"},
		"one of two required": {"token issue", nil, nil, "missing flags: --app=ID or --key=PATH"},
		"not both":            {"token issue --app a --key k", nil, nil, "--app and --key can't be used together"},
		"only both":           {"serve --tls-cert c", nil, nil, "--tls-cert and --tls-key must be used together"},
		"a word too few":      {"account create", nil, nil, "missing argument: <username>"},
		"a word too many":     {"account create a b", nil, nil, "unexpected argument b"},
		"no command":          {"account", nil, nil, "expected one of create, list"},
		"unknown command":     {"account creat", nil, nil, "unexpected argument creat, did you mean create?"},
		"unknown flag":        {"serve --adr x", nil, nil, "unknown flag --adr, did you mean --addr?"},
		"one dash":            {"serve -addr x", nil, nil, "unknown flag -addr, did you mean --addr?"},
	} {
		l, err := parse(strings.Fields(c.line), &console{out: new(bytes.Buffer), err: new(bytes.Buffer)})
		switch {
		case c.fault != "":
			if err == nil || !strings.HasPrefix(err.Error(), c.fault) {
				t.Errorf("%s: %s: %v, want %s", name, c.line, err, c.fault)
			}
		case err != nil:
			t.Errorf("%s: %s: %v", name, c.line, err)
		case c.got(l) != c.want:
			t.Errorf("%s: %s: %v, want %v", name, c.line, c.got(l), c.want)
		}
	}
}

// TestHelpFitsATerminal says that no line of any help is wider than 80 columns.
func TestHelpFitsATerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := parsed(t, "version")
	for _, p := range places(l.root, "") {
		cmd, _, err := l.root.Find(strings.Fields(p.path))
		if err != nil {
			t.Fatal(err)
		}
		l.help(&b, cmd)
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestGives says that a configuration file is not the command line: that it
// holds keys.lead makes no --key-lead for a running server.
func TestGives(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "jotsmith.toml")
	if err := os.WriteFile(file, []byte("keys.lead = \"9h\""), 0o600); err != nil {
		t.Fatal(err)
	}
	l := parsed(t, "key", "rotate", "--purpose", "access", "--config", file)
	if lead := l.commands.Key.Rotate.KeyLead; lead != span(9*time.Hour) {
		t.Errorf("the file's lead is %v", lead)
	}
	if !l.gives("purpose") || l.gives("key-lead") {
		t.Errorf("purpose %v, key-lead %v", l.gives("purpose"), l.gives("key-lead"))
	}
}
