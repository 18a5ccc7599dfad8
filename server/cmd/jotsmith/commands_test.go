package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// leaves are the commands that do something, by their words.
func leaves(root *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{}
	for _, child := range root.Commands() {
		if !child.HasSubCommands() {
			all[pathOf(child)] = child
		}
		maps.Copy(all, leaves(child))
	}
	return all
}

// pathOf is the words of a command, after the program's name.
func pathOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "jotsmith"), " ")
}

// scripted says for each command which exit codes the scripts of testdata
// expect of it.
func scripted(t *testing.T, root *cobra.Command) map[string][]string {
	t.Helper()
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			code := "0"
			switch {
			case len(words) > 2 && words[0] == "exec":
				words = words[1:]
			case len(words) > 3 && words[0] == "exit":
				code, words = words[1], words[2:]
			default:
				continue
			}
			if words[0] != "jotsmith" {
				continue
			}
			n := root
			for _, word := range words[1:] {
				i := slices.IndexFunc(n.Commands(), func(c *cobra.Command) bool { return c.Name() == word })
				if i < 0 {
					break
				}
				n = n.Commands()[i]
			}
			all[pathOf(n)] = append(all[pathOf(n)], code)
		}
	}
	return all
}

// TestEveryCommandHasAScript says that the scripts show how each command
// succeeds, how it refuses and what it says to a command line that makes no
// sense.
func TestEveryCommandHasAScript(t *testing.T) {
	t.Parallel()
	never := map[string][]string{ // what a command cannot do
		"help":        {"1"},
		"version":     {"1"},
		"config show": {"1"}, // it shows what was read, and judges nothing
		"completion":  {"1"},
	}
	root := parsed(t, "version").root
	shown := scripted(t, root)
	for path := range leaves(root) {
		for code, what := range map[string]string{"0": "succeeds", "1": "refuses", "2": "is misused"} {
			if !slices.Contains(shown[path], code) && !slices.Contains(never[path], code) {
				t.Errorf("no script shows how '%s' %s (exit %s)", path, what, code)
			}
		}
	}
}

// TestFlagsOfEveryCommand says that whatever prints data can print JSON, and
// that what cannot be undone wants to be confirmed.
func TestFlagsOfEveryCommand(t *testing.T) {
	t.Parallel()
	prints := map[string]string{ // no data, or such that has a form of its own
		"dev": "it runs", "serve": "it runs", "login": "it says whether", "logout": "it says whether", "help": "text",
		"completion": "a script", "config check": "it says whether", "audit export": "lines of JSON",
		"key generate": "a file", "key import": "a file", "key export": "a file", "key public": "a key",
	}
	final := func(path string) bool {
		words := strings.Fields(path)
		last := words[len(words)-1]
		return last == "delete" || last == "revoke" && path != "token revoke" // which names the one token
	}
	for path, leaf := range leaves(parsed(t, "version").root) {
		has := func(name string) bool {
			return leaf.Flags().Lookup(name) != nil
		}
		if _, other := prints[path]; !other && !has("json") {
			t.Errorf("'%s' has no --json", path)
		}
		if final(path) != has("yes") {
			t.Errorf("'%s': --yes is %v", path, has("yes"))
		}
	}
}
