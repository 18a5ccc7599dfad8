package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// A misuse is an error in the words for one command, whose help says more.
type misuse struct {
	error
	path string
}

func (m misuse) Unwrap() error { return m.error }

func misused(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return misuse{err, cmd.CommandPath()}
}

// label is how messages call p.
func (p *parameter) label() string {
	if p.has("arg") {
		return "<" + p.name + ">"
	}
	return "--" + p.name
}

// written is p with its value, as a usage line has it.
func (p *parameter) written() string {
	switch {
	case !p.has("arg"):
		return "--" + p.name + "=" + p.Type()
	case p.isList() && p.has("optional"):
		return "[" + p.label() + " ...]"
	case p.isList():
		return p.label() + " ..."
	case p.has("optional"), p.has("default"):
		return "[" + p.label() + "]"
	}
	return p.label()
}

// purpose says what p is for.
func (p *parameter) purpose() string {
	return strings.ReplaceAll(p.tag.Get("help"), "${default}", p.tag.Get("default"))
}

// help says besides which environment variable gives p.
func (p *parameter) help() string {
	if env := p.tag.Get("env"); env != "" {
		return strings.TrimSuffix(p.purpose(), ".") + " ($" + env + ")."
	}
	return p.purpose()
}

// give hands the words that are no flags to a command's arguments.
func give(cmd *cobra.Command, arguments []*parameter, words []string) error {
	for _, p := range arguments {
		if len(words) == 0 && !p.has("optional") && !p.has("default") {
			return fmt.Errorf("missing argument: %s", p.written())
		}
		n := min(1, len(words))
		if p.isList() {
			n = len(words)
		}
		for _, word := range words[:n] {
			if err := p.Set(word); err != nil {
				return err
			}
		}
		words = words[n:]
	}
	if len(words) > 0 {
		cmd.SuggestionsMinimumDistance = 2
		return fmt.Errorf("unexpected argument %s%s", words[0], suggest(cmd.SuggestionsFor(words[0])))
	}
	return nil
}

// together checks what the flags of a command ask of each other.
func together(all []*parameter) error {
	var missing []string
	for _, p := range all {
		given, either := p.origin != "", p.written() // of the flags of which one is required
		for _, q := range all {
			switch {
			case q == p:
			case p.has("xor") && p.tag.Get("xor") == q.tag.Get("xor"):
				if p.origin != "" && q.origin != "" {
					return fmt.Errorf("%s and %s can't be used together", p.label(), q.label())
				}
				given = given || q.origin != ""
				either += " or " + q.written()
			case p.has("and") && p.tag.Get("and") == q.tag.Get("and") && p.origin != "" && q.origin == "":
				return fmt.Errorf("%s and %s must be used together", p.label(), q.label())
			}
		}
		told := slices.ContainsFunc(missing, func(s string) bool { return strings.Contains(s, p.written()) })
		if p.has("required") && !given && !told {
			missing = append(missing, either)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing flags: %s", strings.Join(missing, ", "))
	}
	return nil
}

// flagError words an error of the library as the others are.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var bare *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		dashes, name := "--", unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			dashes, name = "-", short
		}
		var near []string
		for _, p := range parameters(cmd) {
			if !p.has("hidden") && len(name) > 1 && (strings.HasPrefix(p.name, name) || distance(p.name, name) <= min(2, len(name)/2)) {
				near = append(near, p.label())
			}
		}
		err = fmt.Errorf("unknown flag %s%s%s", dashes, name, suggest(near))
	case errors.As(err, &bare):
		err = fmt.Errorf("--%s needs a value: %s", bare.GetFlag().Name, bare.GetFlag().Value.Type())
	case errors.As(err, &invalid):
		err = invalid.Unwrap()
	}
	return misused(cmd, err)
}

func suggest(near []string) string {
	if len(near) == 0 {
		return ""
	}
	return ", did you mean " + strings.Join(near, " or ") + "?"
}

// help explains a command, no wider than 80 columns.
func (l *commandLine) help(w io.Writer, cmd *cobra.Command) {
	cmd.InitDefaultHelpFlag() // which makes --help one of its flags
	width := 80
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns >= 40 { // some terminals say 0
			width = min(width, columns)
		}
	}
	fmt.Fprintf(w, "Usage: %s\n", cmd.UseLine())
	for _, paragraph := range append([]string{cmd.Short}, strings.Split(cmd.Long, "\n\n")...) {
		if paragraph != "" {
			fmt.Fprintf(w, "\n%s\n", wrapped(paragraph, 0, width))
		}
	}
	var arguments [][2]string
	for _, p := range l.arguments[cmd] {
		arguments = append(arguments, [2]string{p.written(), p.help()})
	}
	writeTable(w, "Arguments", arguments, width)
	fmt.Fprintf(w, "\nFlags:\n%s", cmd.Flags().FlagUsagesWrapped(width))
	writeTable(w, "Commands", leavesBeneath(cmd), width)
	if cmd.HasSubCommands() {
		fmt.Fprintf(w, "\nRun '%s <command> --help' for more on a command.\n", cmd.CommandPath())
	}
}

// leavesBeneath lists the commands that do something, as one types them after
// the program's name.
func leavesBeneath(cmd *cobra.Command) (rows [][2]string) {
	for _, c := range cmd.Commands() {
		if c.HasSubCommands() {
			rows = append(rows, leavesBeneath(c)...)
			continue
		}
		_, path, _ := strings.Cut(c.CommandPath(), " ")
		rows = append(rows, [2]string{path, c.Short})
	}
	return rows
}

func writeTable(w io.Writer, title string, rows [][2]string, width int) {
	if len(rows) == 0 {
		return
	}
	widest := 0
	for _, row := range rows {
		widest = max(widest, len(row[0]))
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	for _, row := range rows {
		fmt.Fprintf(w, "  %-*s    %s\n", widest, row[0], wrapped(row[1], widest+6, width))
	}
}

// wrapped breaks text into lines before the width; all but the first are
// indented.
func wrapped(text string, indent, width int) string {
	var b strings.Builder
	at := indent
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case at+1+len(word) > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += len(word)
	}
	return b.String()
}
