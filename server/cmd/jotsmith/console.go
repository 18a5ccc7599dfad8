package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"

	"golang.org/x/term"
)

// A console is where a command reads and writes.
type console struct {
	in  io.Reader
	out io.Writer
	err io.Writer
	// paint colours what goes to out, where that is a terminal.
	paint palette
}

func newConsole() *console {
	return &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, paint: palette{wantsColour(os.Stdout)}}
}

// isTerminal says whether f, a reader or writer, is a person's terminal.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// wantsColour follows https://no-color.org: set to anything is a no.
func wantsColour(f *os.File) bool {
	return isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// json prints v as one indented document. What could command a terminal is
// spelled out, which changes nothing of what the JSON says.
func (c *console) json(v any) error {
	var text, b bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	for _, r := range text.String() {
		switch {
		case !unprintable(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	_, err := c.out.Write(b.Bytes())
	return err
}

// table prints rows beneath a heading in aligned columns.
func (c *console) table(heading []string, rows [][]string) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heading, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = strings.ReplaceAll(printable(cell), "\n", `\n`)
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), " \t"))
	}
	return w.Flush()
}

// printable spells out what could command a terminal or mislead its reader:
// control and format characters, such as escape sequences and changes of the
// direction of text. Line feeds stay.
func printable(s string) string {
	if !strings.ContainsFunc(s, unprintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !unprintable(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// A palette colours text, or leaves it as it is.
type palette struct{ on bool }

func (p palette) paint(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p palette) bold(s string) string   { return p.paint("1", s) }
func (p palette) dim(s string) string    { return p.paint("2", s) }
func (p palette) red(s string) string    { return p.paint("31", s) }
func (p palette) green(s string) string  { return p.paint("32", s) }
func (p palette) yellow(s string) string { return p.paint("33", s) }
func (p palette) violet(s string) string { return p.paint("35", s) }
func (p palette) cyan(s string) string   { return p.paint("36", s) }
