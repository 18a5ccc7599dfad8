package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say whether 'serve' would start with this configuration."`
	Show  configShowCmd  `cmd:"" help:"Print the whole configuration, and where each value comes from."`
}

func (configCmd) Help() string {
	return "A value comes from a flag, else from an environment variable, else from the file that --config names, else it is the default. " +
		"Both commands take the flags of 'serve' and touch nothing."
}

type configCheckCmd struct{ serveCmd }

func (configCheckCmd) Help() string {
	return "Everything is checked that can be without touching data or opening a port: every value, the certificate, " +
		"and whether the whole makes sense together."
}

func (cmd *configCheckCmd) Run(_ context.Context, c *console, l *commandLine) error {
	if _, err := cmd.check(); err != nil {
		return err
	}
	if _, err := parseRootKeySource(cmd.RootKey, cmd.Data); err != nil {
		return err
	}
	from := "flags, environment and defaults"
	if l.file != nil {
		from = printable(l.file.path)
	}
	fmt.Fprintf(c.out, "The configuration is good (%s).\n", from)
	return nil
}

type configShowCmd struct {
	serveCmd
	JSON bool `help:"Print JSON."`
}

func (configShowCmd) Help() string {
	return "What it prints can be saved as a file for --config. A root key that was written where only its place belongs is not repeated."
}

// shownJSON is a setting as --json prints it.
type shownJSON struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
}

func (cmd *configShowCmd) Run(_ context.Context, c *console, l *commandLine) error {
	shown := l.show()
	if cmd.JSON {
		return c.json(struct {
			Settings []shownJSON `json:"settings"`
		}{shown})
	}
	in := ""
	for _, s := range shown {
		table, name := tableOf(s.Key)
		if table != in {
			in = table
			fmt.Fprintf(c.out, "\n[%s]\n", table)
		}
		if entries, ok := s.Value.(map[string][]string); ok {
			fmt.Fprintf(c.out, "# %s\n", s.Origin)
			for _, role := range slices.Sorted(maps.Keys(entries)) {
				fmt.Fprintln(c.out, printable(tomlLine(role, entries[role])))
			}
			continue
		}
		fmt.Fprintf(c.out, "%-44s # %s\n", printable(tomlLine(name, s.Value)), s.Origin)
	}
	return nil
}

// tableOf splits a key into its table and its name there. Roles are a table
// without names of its own.
func tableOf(key string) (table, name string) {
	if key == "roles" {
		return key, ""
	}
	if table, name, ok := strings.Cut(key, "."); ok {
		return table, name
	}
	return "", key
}

// show answers every setting. Those without a table come first, as TOML wants
// it.
func (l *commandLine) show() []shownJSON {
	flags := l.flags()
	var plain, tabled []shownJSON
	for _, s := range settings {
		p := flags[s.flag]
		one := shownJSON{s.key, s.shown(plainValue(p.field.Interface())), cmp.Or(p.origin, "default")}
		if table, _ := tableOf(s.key); table == "" {
			plain = append(plain, one)
		} else {
			tabled = append(tabled, one)
		}
	}
	return append(plain, tabled...)
}

// shown hides what is no place of a secret and so may be the secret, and makes
// paths absolute, since a file that holds them may lie anywhere.
func (s setting) shown(v any) any {
	t, ok := v.(string)
	if !ok || t == "" {
		return v
	}
	switch s.key {
	case "store":
		return hideStore(t)
	case "shared":
		return hideShared(t)
	}
	if s.kind == isSource && !strings.HasPrefix(t, "file:") && !strings.HasPrefix(t, "env:") {
		return "(hidden)"
	}
	if here, err := os.Getwd(); err == nil {
		return s.located(t, here)
	}
	return t
}

// plainValue is a flag's value in terms of the file.
func plainValue(v any) any {
	switch v := v.(type) {
	case span:
		return v.String()
	case string, bool, int:
		return v
	case []string:
		return append([]string{}, v...)
	case []netip.Prefix:
		all := []string{}
		for _, p := range v {
			all = append(all, p.String())
		}
		return all
	case []roleFlag:
		roles := map[string][]string{}
		for _, r := range v {
			roles[r.Name] = append([]string{}, r.Permissions...)
		}
		return roles
	}
	return fmt.Sprint(v)
}

// tomlLine writes name = value.
func tomlLine(name string, value any) string {
	raw, err := toml.Marshal(map[string]any{name: value})
	if err != nil {
		return fmt.Sprintf("# %s: %v", name, err) // plainValue answers nothing of that kind
	}
	return strings.TrimSpace(string(raw))
}
