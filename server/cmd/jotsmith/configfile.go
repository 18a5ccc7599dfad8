package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxConfigFile bounds the size of a configuration file.
const maxConfigFile = 1 << 20

// A configFile is what a file says, as the text that each flag would be given.
type configFile struct {
	path   string
	values map[string]string // by flag
}

// readConfigFile refuses a file that others may write, since whoever does
// decides which keys and names this server uses.
func readConfigFile(name string) (*configFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, hint(fmt.Errorf("reading the configuration: %w", err), "--config or JOTSMITH_CONFIG names it")
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the configuration: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("configuration %s is not a regular file", name)
	case info.Mode().Perm()&0o022 != 0:
		return nil, hint(fmt.Errorf("configuration %s may be written by others (mode %04o)", name, info.Mode().Perm()), "chmod go-w %s", name)
	case info.Size() > maxConfigFile:
		return nil, fmt.Errorf("configuration %s has %d bytes: at most %d", name, info.Size(), maxConfigFile)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	values, err := parseConfig(string(raw), filepath.Dir(abs))
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", name, err)
	}
	return &configFile{path: name, values: values}, nil
}

// parseConfig reads TOML and answers the text of each flag that it gives.
// Every fault is reported at once. Relative paths are seen from dir.
func parseConfig(raw, dir string) (map[string]string, error) {
	tree := map[string]any{}
	if _, err := toml.Decode(raw, &tree); err != nil {
		if at, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, fmt.Errorf("line %d: %s", at.Position.Line, at.Message)
		}
		return nil, err
	}
	given := map[string]any{}
	flatten(given, "", tree)
	values := map[string]string{}
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(given)) {
		i := slices.IndexFunc(settings, func(s setting) bool { return s.key == key })
		if i < 0 {
			faults = append(faults, unknownKey(key))
			continue
		}
		text, err := settings[i].text(given[key], dir)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		values[settings[i].flag] = text
	}
	return values, errors.Join(faults...)
}

// flatten names each value by its tables. A table that is a setting itself is
// left whole.
func flatten(into map[string]any, prefix string, tree map[string]any) {
	for name, v := range tree {
		if strings.Contains(name, ".") {
			name = strconv.Quote(name) // "tls.cert" in quotes is not cert in the table tls
		}
		key := prefix + name
		sub, isTable := v.(map[string]any)
		whole := slices.ContainsFunc(settings, func(s setting) bool { return s.key == key })
		if isTable && !whole {
			flatten(into, key+".", sub)
			continue
		}
		into[key] = v
	}
}

// text is what the environment variable of the flag would hold.
func (s setting) text(v any, dir string) (string, error) {
	switch s.kind {
	case isText, isPath, isSource:
		if t, ok := v.(string); ok {
			return s.located(t, dir), nil
		}
		return "", fmt.Errorf("%s must be a string in quotes", s.key)
	case isNumber:
		if n, ok := v.(int64); ok {
			return fmt.Sprint(n), nil
		}
		return "", fmt.Errorf("%s must be a whole number", s.key)
	case isYesNo:
		if b, ok := v.(bool); ok {
			return fmt.Sprint(b), nil
		}
		return "", fmt.Errorf("%s must be true or false", s.key)
	case isList:
		parts, err := words(s.key, v)
		return strings.Join(parts, " "), err
	}
	entries, ok := v.(map[string]any)
	if !ok {
		return "", fmt.Errorf(`%s must be a table, with lines such as editor = ["tasks:read"]`, s.key)
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if strings.ContainsAny(name, " =,\\") {
			return "", fmt.Errorf("%s has the malformed name %q", s.key, name)
		}
		each, err := words(s.key+"."+name, entries[name])
		if err != nil {
			return "", err
		}
		for _, w := range each {
			if strings.Contains(w, ",") {
				return "", fmt.Errorf("%s.%s holds %q: no commas", s.key, name, w)
			}
		}
		parts = append(parts, name+"="+strings.Join(each, ","))
	}
	return strings.Join(parts, " "), nil
}

// located makes a relative path one that is seen from the file.
func (s setting) located(t, dir string) string {
	switch {
	case s.kind == isPath && t != "" && !filepath.IsAbs(t):
		return filepath.Join(dir, t)
	case s.kind == isSource:
		if name, ok := strings.CutPrefix(t, "file:"); ok && name != "" && !filepath.IsAbs(name) {
			return "file:" + filepath.Join(dir, name)
		}
	}
	return t
}

// words reads a list of strings without spaces.
func words(key string, v any) ([]string, error) {
	all, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf(`%s must be a list of strings, such as ["a", "b"]`, key)
	}
	var parts []string
	for _, one := range all {
		w, ok := one.(string)
		if !ok || w == "" || strings.ContainsAny(w, " \t\n\\") {
			return nil, fmt.Errorf("%s must hold strings without spaces, not %#v", key, one)
		}
		parts = append(parts, w)
	}
	return parts, nil
}

// unknownKey names the known key that is nearest, if one is near.
func unknownKey(key string) error {
	best, least := "", len(key)/2+1
	last := key[strings.LastIndexByte(key, '.')+1:]
	for _, s := range settings {
		for _, name := range []string{s.key, strings.ReplaceAll(s.key, ".", "_"), s.flag, strings.ReplaceAll(s.flag, "-", "_")} {
			if d := distance(key, name); d < least {
				best, least = s.key, d
			}
		}
		if strings.HasSuffix(s.key, "."+last) && least > 3 {
			best, least = s.key, 3
		}
	}
	if best == "" {
		return fmt.Errorf("unknown key %q", key)
	}
	return fmt.Errorf("unknown key %q: did you mean %s?", key, best)
}

// distance counts the letters to insert, delete or exchange to make a of b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
