package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/httpapi/oauth"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// parsed answers the command line that args make.
func parsed(t *testing.T, args ...string) *commandLine {
	t.Helper()
	l, err := parse(args, &console{out: new(bytes.Buffer), err: new(bytes.Buffer)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestHelpNamesEveryEnvironmentVariable compares what the code reads with what
// the help texts and the documentation name.
func TestHelpNamesEveryEnvironmentVariable(t *testing.T) {
	t.Parallel()
	l := parsed(t, "version")
	read := readVariables(t)
	var texts strings.Builder
	texts.WriteString(help(t))
	for _, p := range places(l.root, "")[1:] {
		words := strings.Fields(p.path)
		texts.WriteString(help(t, words...))
		cmd, _, err := l.root.Find(words)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range parameters(cmd) {
			if env := f.tag.Get("env"); env != "" {
				read[env] = f.label()
			}
		}
	}
	docs, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`\b(?:JOTSMITH_[A-Z_]+|OTEL_[A-Z_]+|NO_COLOR|TERM)\b`)
	named := variable.FindAllString(texts.String(), -1)
	documented := variable.FindAllString(string(docs), -1)
	for name, where := range read {
		if !slices.Contains(named, name) {
			t.Errorf("%s is read (%s), and no help text names it", name, where)
		}
		if !slices.Contains(documented, name) {
			t.Errorf("%s is read (%s), and docs/configuration.md does not name it", name, where)
		}
	}
	for _, name := range append(named, documented...) {
		if _, ok := read[name]; !ok {
			t.Errorf("%s is named, and nothing reads it", name)
		}
	}
}

func help(t *testing.T, command ...string) string {
	t.Helper()
	cmd := exec.Command("jotsmith", append(command, "--help")...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("help of %v: %v", command, err)
	}
	return string(out)
}

// readVariables finds the environment variables that the server's code reads by
// name, and where. A name that is no constant must be one that somebody else
// has named: the user, or a flag.
func readVariables(t *testing.T) map[string]string {
	t.Helper()
	named := []string{"rootkey.go", "settings.go"}
	read := map[string]string{}
	root := "../.."
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "realtest" {
			return filepath.SkipDir // servers for tests, no part of the binary
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := f.X.(*ast.Ident)
			if !ok || pkg.Name != "os" || f.Sel.Name != "Getenv" && f.Sel.Name != "LookupEnv" {
				return true
			}
			if name, ok := call.Args[0].(*ast.BasicLit); ok {
				text, _ := strconv.Unquote(name.Value)
				read[text] = path
			} else if !slices.Contains(named, filepath.Base(path)) {
				t.Errorf("%s reads an environment variable whose name is no constant", path)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestEverySettingIsAFlag says that file, environment and flags are equal: each
// flag of serve with an environment variable has a key, but for what is for one
// start only, and docs/configuration.md shows all three in one row.
func TestEverySettingIsAFlag(t *testing.T) {
	t.Parallel()
	once := []string{"config", "dangerously-accept-clock"}
	docs, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := parsed(t, "config", "check").flags()
	for _, s := range settings {
		f := flags[s.flag]
		if f == nil || !f.has("env") {
			t.Errorf("%s: serve has no flag --%s with an environment variable", s.key, s.flag)
			continue
		}
		row := "| `" + s.key + "` | `--" + s.flag + "` | `" + f.tag.Get("env") + "` |"
		if !strings.Contains(string(docs), row) {
			t.Errorf("docs/configuration.md has no row %s", row)
		}
	}
	for name, f := range flags {
		known := slices.ContainsFunc(settings, func(s setting) bool { return s.flag == name })
		if f.has("env") && !known && !slices.Contains(once, name) {
			t.Errorf("--%s has an environment variable and no key", name)
		}
	}
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, flag, want, fault string }{
		"relative path":      {"[tls]\ncert = \"c.pem\"", "tls-cert", "/etc/j/c.pem", ""},
		"absolute path":      {"data = \"/var/j\"", "data", "/var/j", ""},
		"root key file":      {"root_key = \"file:k\"", "root-key", "file:/etc/j/k", ""},
		"root key variable":  {"root_key = \"env:K\"", "root-key", "env:K", ""},
		"list":               {"apis = [\"https://a\", \"https://b\"]", "api", "https://a https://b", ""},
		"dotted key":         {"sessions.idle = \"1d\"", "session-idle", "1d", ""},
		"dots in quotes":     {"\"tls.cert\" = \"a\"\n[tls]\ncert = \"b\"", "", "", "unknown key"},
		"table of lists":     {"[roles]\nb = []\na = [\"x\", \"y\"]", "role", "a=x,y b=", ""},
		"yes":                {"[proxy]\nbehind = true", "behind-proxy", "true", ""},
		"number as duration": {"[sessions]\nidle = 5", "", "", "sessions.idle must be a string"},
		"twice":              {"addr = \"a\"\naddr = \"b\"", "", "", "line 2"},
		"table as value":     {"[addr]\nx = 1", "", "", "addr must be a string"},
		"comma in a scope":   {"[roles]\na = [\"x,y\"]", "", "", "no commas"},
		"equals in a role":   {"[roles]\n\"a=b\" = [\"x\"]", "", "", "malformed name"},
		"blank in an API":    {"apis = [\"a b\"]", "", "", "strings without spaces"},
		"by flag":            {"tls_cert = \"x\"", "", "", "did you mean tls.cert?"},
		"other table":        {"[session]\nidle = \"1d\"", "", "", "did you mean sessions.idle?"},
		"one letter":         {"adr = \"x\"", "", "", "did you mean addr?"},
		"far from anything":  {"xyzzyplugh = 1", "", "", "unknown key \"xyzzyplugh\""},
	} {
		values, err := parseConfig(c.text, "/etc/j")
		switch {
		case c.fault == "" && (err != nil || values[c.flag] != c.want):
			t.Errorf("%s: %q, %v, want %q", name, values[c.flag], err, c.want)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: %v, want %s", name, err, c.fault)
		}
	}
}

// FuzzConfig says that whatever a configuration file holds, it is read or
// refused, and gives known flags only.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		"", "addr = \"127.0.0.1:1\"", "[roles]\na = [\"x\"]", "[tls]\ncert = \"x\"\n[proxy]\nbehind = true", "apis = [[]]", "roles = 1", "a.b.c.d = 1",
		"[[roles]]", "addr = 1979-05-27", "\"\" = 1", "[\"\"]\n\"\" = 2",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := parseConfig(text, "/etc")
		if err != nil {
			return
		}
		for flag := range values {
			if !slices.ContainsFunc(settings, func(s setting) bool { return s.flag == flag }) {
				t.Errorf("unknown flag %q", flag)
			}
		}
	})
}

// TestKeyLead says that keys are published for longer than anybody may
// cache a key set, also with the shortest lead that is allowed.
func TestKeyLead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags rotationFlags
		good  bool
	}{
		"defaults":        {rotationFlags{KeyRotateEvery: span(90 * 24 * 3600e9), KeyLead: span(24 * 3600e9)}, true},
		"by command":      {rotationFlags{KeyLead: span(24 * 3600e9)}, true},
		"short lead":      {rotationFlags{KeyLead: span(599e9)}, false},
		"no time between": {rotationFlags{KeyRotateEvery: span(47 * 3600e9), KeyLead: span(24 * 3600e9)}, false},
		"hurried":         {rotationFlags{KeyRotateEvery: span(5e9), KeyLead: span(2e9), DangerouslyHurryKeys: true}, true},
	} {
		if faults := c.flags.check(); (len(faults) == 0) != c.good {
			t.Errorf("%s: %v", name, faults)
		}
	}
	if minKeyLead < oauth.MaxAge+2*keyring.Poll {
		t.Errorf("a lead of %v is not longer than the key set is cached", minKeyLead)
	}
}
