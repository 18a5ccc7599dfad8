package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

type inspectCmd struct {
	tokenFlags
	Sensitive []string `placeholder:"NAME" help:"Point at claims of this name instead of those that are looked for by default; repeat it or separate by commas."`
	JSON      bool     `help:"Print JSON."`
}

func (inspectCmd) Help() string {
	return "Shows what a token says, in words, and what is wrong with it. It never says that a token is good: " +
		"anybody can write one that looks like this. 'jotsmith token verify' checks one. " +
		"Of an encrypted token only the header can be shown; 'jotsmith token decrypt' shows the rest to whoever has the key.\n\n" +
		"Claims that look sensitive and can be read by everybody are pointed at: e-mail and postal addresses, telephone numbers, dates of birth, numbers of documents and accounts, secrets.\n\n" +
		"The signature is not printed, so that what is printed can be shown to others."
}

// An inspection is what can be said about a token without verifying it.
type inspection struct {
	Verified  bool            `json:"verified"` // always false
	Header    json.RawMessage `json:"header"`
	Payload   json.RawMessage `json:"payload"`
	Signature int             `json:"signature_bytes"`
	Findings  []finding       `json:"findings"`
}

func (cmd inspectCmd) Run(_ context.Context, c *console, _ *commandLine) error {
	text, err := cmd.read(c)
	if err != nil {
		return err
	}
	if strings.Count(text, ".") == 4 {
		return cmd.encrypted(c, text)
	}
	raw, err := readUnverified(text)
	if err != nil {
		return err
	}
	now := time.Now()
	found := examine(raw, cmd.Sensitive, now)
	if cmd.JSON {
		return c.json(inspection{false, raw.header, raw.payload, len(raw.signature), found})
	}
	c.explain(raw, found, now)
	return nil
}

// explain prints the three parts, each in its colour, and the findings.
func (c *console) explain(raw *unverified, found []finding, now time.Time) {
	p := c.paint
	first, rest, _ := strings.Cut(raw.text, ".")
	second, third, _ := strings.Cut(rest, ".")
	fmt.Fprintf(c.out, "%s.%s.%s\n\n", p.red(first), p.violet(second), p.cyan(hide(third)))

	fmt.Fprintln(c.out, p.bold(p.red("Header")))
	c.object(raw.header, p.red, func(string, json.RawMessage) string { return "" })

	fmt.Fprintln(c.out, p.bold(p.violet("Payload")))
	c.object(raw.payload, p.violet, func(name string, value json.RawMessage) string { return timeInWords(name, value, now) })

	fmt.Fprintln(c.out, p.bold(p.cyan("Signature")))
	fmt.Fprintf(c.out, "  %s\n", p.cyan(plural(int64(len(raw.signature)), "byte")+", not checked"))

	c.found(found)
	fmt.Fprintf(c.out, "\n%s Anybody could have written this token. To check it:\n  jotsmith token verify --issuer URL --audience URL < FILE\n",
		p.bold("Nothing was verified."))
}

// found prints the findings.
func (c *console) found(found []finding) {
	p := c.paint
	if len(found) > 0 {
		fmt.Fprintln(c.out)
	}
	for _, f := range found {
		mark, colour := "note      ", p.dim
		switch f.Level {
		case wrong:
			mark, colour = "wrong     ", p.red
		case suspicious:
			mark, colour = "suspicious", p.yellow
		}
		fmt.Fprintf(c.out, "%s  %s\n", colour(mark), printable(f.Text))
	}
}

// object prints the members of a JSON object one to a line, in their order,
// each with what note has to say about it.
func (c *console) object(raw json.RawMessage, colour func(string) string, note func(name string, value json.RawMessage) string) {
	for _, m := range members(raw) {
		value := printable(compact(m.value))
		if note := note(m.name, m.value); note != "" {
			value += "  " + c.paint.dim(note)
		}
		fmt.Fprintf(c.out, "  %s  %s\n", colour(printable(fmt.Sprintf("%-10s", m.name))), value)
	}
	fmt.Fprintln(c.out)
}

// timeInWords explains the claims that hold a NumericDate (RFC 7519 §2).
func timeInWords(name string, value json.RawMessage, now time.Time) string {
	verb := map[string][2]string{
		"exp":       {"expired", "expires"},
		"nbf":       {"valid since", "not valid before"},
		"iat":       {"issued", "issued"},
		"auth_time": {"logged in", "logged in"},
	}[name]
	at, ok := numericDate(value)
	switch {
	case !ok || verb[0] == "":
		return ""
	case at.Year() > farFuture:
		return at.UTC().Format("year 2006")
	}
	tense := verb[1]
	if !at.After(now) {
		tense = verb[0]
	}
	return fmt.Sprintf("%s, %s %s", at.UTC().Format("2006-01-02 15:04:05 UTC"), tense, relative(at, now))
}

// hide keeps a signature from being pasted along with an inspection.
func hide(signature string) string {
	if len(signature) <= 8 {
		return signature
	}
	return signature[:8] + "…"
}
