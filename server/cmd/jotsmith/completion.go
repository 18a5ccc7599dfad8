package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return "Prints a script that lets a shell complete commands and flags. For one session:\n\n" +
		"bash: source <(jotsmith completion bash)\n\n" +
		"zsh: source <(jotsmith completion zsh)\n\n" +
		"fish: jotsmith completion fish | source\n\n" +
		"For all: put that line into ~/.bashrc, ~/.zshrc or ~/.config/fish/config.fish."
}

func (cmd *completionCmd) Run(_ context.Context, c *console, l *commandLine) error {
	write := map[string]func(io.Writer, []place){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[cmd.Shell]
	write(c.out, places(l.root, ""))
	return nil
}

// A place is where one can be in the command line: after the words in path,
// each with a blank before it.
type place struct {
	path  string
	words []described // commands and values that may stand here
	flags []flagWords
}

type described struct{ word, help string }

type flagWords struct {
	described
	takes  bool     // a value
	file   bool     // which is a path
	values []string // or one of these
}

// places lists every command, those above before those beneath.
func places(cmd *cobra.Command, path string) []place {
	here := place{path: path}
	for _, child := range cmd.Commands() {
		here.words = append(here.words, described{child.Name(), firstSentence(child.Short)})
	}
	for _, v := range cmd.ValidArgs {
		here.words = append(here.words, described{v, ""})
	}
	for _, p := range parameters(cmd) {
		if p.has("hidden") {
			continue
		}
		placeholder := p.tag.Get("placeholder")
		here.flags = append(here.flags, flagWords{
			described: described{p.label(), firstSentence(p.purpose())},
			takes:     p.Type() != "bool",
			file:      placeholder == "PATH" || placeholder == "DIR" || placeholder == "FILE",
			values:    p.enum,
		})
	}
	here.flags = append(here.flags, flagWords{described: described{"--help", "Show help."}})
	all := []place{here}
	for _, child := range cmd.Commands() {
		all = append(all, places(child, path+" "+child.Name())...)
	}
	return all
}

func firstSentence(help string) string {
	if i := strings.Index(help, ". "); i >= 0 {
		return help[:i]
	}
	return strings.TrimSuffix(help, ".")
}

// paths lists the places beneath the first one as a shell's pattern.
func paths(all []place) string {
	var quoted []string
	for _, p := range all[1:] {
		quoted = append(quoted, "'"+p.path+"'")
	}
	return strings.Join(quoted, "|")
}

func bashCompletion(w io.Writer, all []place) {
	fmt.Fprintf(w, `_jotsmith() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= word
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "$at $word" in
		%s) at="$at $word" ;;
		esac
	done
	local words=
	case "$at $prev" in
`, paths(all))
	for _, p := range all {
		for _, f := range p.flags {
			switch {
			case f.file:
				fmt.Fprintf(w, "\t'%s %s') mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n", p.path, f.word)
			case f.takes:
				fmt.Fprintf(w, "\t'%s %s') mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"); return ;;\n", p.path, f.word, strings.Join(f.values, " "))
			}
		}
	}
	fmt.Fprint(w, "\tesac\n\tcase \"$at\" in\n")
	for _, p := range all {
		var words []string
		for _, d := range p.words {
			words = append(words, d.word)
		}
		for _, f := range p.flags {
			words = append(words, f.word)
		}
		fmt.Fprintf(w, "\t'%s') words='%s' ;;\n", p.path, strings.Join(words, " "))
	}
	fmt.Fprint(w, "\tesac\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\ncomplete -o default -F _jotsmith jotsmith\n")
}

func zshCompletion(w io.Writer, all []place) {
	fmt.Fprintf(w, `#compdef jotsmith
_jotsmith() {
	local at= word
	local -a entries
	for word in "${(@)words[2,CURRENT-1]}"; do
		case "$at $word" in
		%s) at="$at $word" ;;
		esac
	done
	case "$at ${words[CURRENT-1]}" in
`, paths(all))
	for _, p := range all {
		for _, f := range p.flags {
			switch {
			case f.file:
				fmt.Fprintf(w, "\t'%s %s') _files; return ;;\n", p.path, f.word)
			case f.takes:
				fmt.Fprintf(w, "\t'%s %s') compadd -- %s; return ;;\n", p.path, f.word, strings.Join(f.values, " "))
			}
		}
	}
	fmt.Fprint(w, "\tesac\n\tcase \"$at\" in\n")
	for _, p := range all {
		fmt.Fprintf(w, "\t'%s') entries=(\n", p.path)
		for _, d := range p.described() {
			fmt.Fprintf(w, "\t\t%s\n", singleQuoted(d.word+":"+d.help, `'\''`))
		}
		fmt.Fprint(w, "\t) ;;\n")
	}
	fmt.Fprint(w, "\tesac\n\t_describe jotsmith entries\n}\ncompdef _jotsmith jotsmith\n")
}

func fishCompletion(w io.Writer, all []place) {
	fmt.Fprintf(w, `function __jotsmith_at
	set -l at ''
	for word in (commandline -opc)[2..]
		contains -- "$at $word" %s; and set at "$at $word"
	end
	test "$at" = "$argv[1]"
end
complete -c jotsmith -f
`, strings.ReplaceAll(paths(all), "|", " "))
	for _, p := range all {
		at := fmt.Sprintf("complete -c jotsmith -n \"__jotsmith_at '%s'\"", p.path)
		for _, d := range p.words {
			fmt.Fprintf(w, "%s -a %s -d %s\n", at, d.word, fishQuoted(d.help))
		}
		for _, f := range p.flags {
			more := ""
			switch {
			case f.file:
				more = " -r -F"
			case len(f.values) > 0:
				more = " -x -a '" + strings.Join(f.values, " ") + "'"
			case f.takes:
				more = " -x"
			}
			fmt.Fprintf(w, "%s -l %s%s -d %s\n", at, strings.TrimPrefix(f.word, "--"), more, fishQuoted(f.help))
		}
	}
}

func (p place) described() []described {
	all := p.words[:len(p.words):len(p.words)]
	for _, f := range p.flags {
		all = append(all, f.described)
	}
	return all
}

func singleQuoted(s, quote string) string { return "'" + strings.ReplaceAll(s, "'", quote) + "'" }

func fishQuoted(s string) string { return singleQuoted(strings.ReplaceAll(s, `\`, `\\`), `\'`) }
