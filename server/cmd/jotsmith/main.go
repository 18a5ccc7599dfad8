// Command jotsmith issues, refreshes, revokes and explains JSON Web Tokens: a
// token server, the acts of its operator, and a look into a token, in one
// program. Each command is one file here. What a command decides lives in the
// server's internal packages; this one only parses, wires and prints, and
// nothing imports it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/jotsmith/jotsmith/server/internal/account"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // refused or failed
	exitUsage  = 2 // the command line makes no sense
)

// commands is the whole command line.
type commands struct {
	Dev        devCmd        `cmd:"" help:"Try everything: a token server, a guarded API, and the curl lines to use them."`
	Serve      serveCmd      `cmd:"" help:"Run the token server."`
	Config     configCmd     `cmd:"" help:"Check and show the configuration."`
	Login      loginCmd      `cmd:"" help:"Log in at a running server, to administer it."`
	Logout     logoutCmd     `cmd:"" help:"End that log-in."`
	Account    accountCmd    `cmd:"" help:"Create, list and change the accounts that may log in."`
	API        apiCmd        `cmd:"" name:"api" help:"Register, list and change the APIs that tokens are made for."`
	Role       roleCmd       `cmd:"" help:"Register, list and change roles."`
	App        appCmd        `cmd:"" help:"Make, list and change apps: services with tokens of their own."`
	Session    sessionCmd    `cmd:"" help:"List and end sessions."`
	Key        keyCmd        `cmd:"" help:"Make and convert keys in files; list, rotate and revoke those of a server."`
	Audit      auditCmd      `cmd:"" help:"Read, export and verify the record of what was done."`
	Bench      benchCmd      `cmd:"" help:"Measure how much a server can do."`
	Migrate    migrateCmd    `cmd:"" help:"Bring the tables of the database up to date, or say what that would do."`
	Doctor     doctorCmd     `cmd:"" help:"Say what is wrong with a server, and what to do about it."`
	Token      tokenCmd      `cmd:"" help:"Explain, verify, make, encrypt or revoke a token."`
	Completion completionCmd `cmd:"" help:"Print a script with which a shell completes commands and flags."`
	Version    versionCmd    `cmd:"" help:"Say which version this is."`
	Help       helpCmd       `cmd:"" help:"Explain a command, as --help does."`
}

type helpCmd struct {
	Command []string `arg:"" optional:"" help:"Such as 'key rotate'."`
}

func (cmd *helpCmd) Run(_ context.Context, c *console, l *commandLine) error {
	topic, rest, err := l.root.Find(cmd.Command)
	if err == nil {
		err = give(topic, nil, rest)
	}
	if err != nil {
		return usageError{misused(topic, err)}
	}
	l.help(c.out, topic)
	return nil
}

func main() {
	// Whatever this program writes is its user's alone, also the files that a
	// library beneath it makes.
	syscall.Umask(0o077)
	if slices.Equal(os.Args[1:], []string{account.HashCommand}) {
		os.Exit(hashPasswords())
	}
	os.Exit(run(os.Args[1:], newConsole()))
}

// hashPasswords is a part of a server, which starts it; it is no command.
func hashPasswords() int {
	if err := account.ServeHashes(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "jotsmith: %s is for 'jotsmith serve' to start: %v\n", account.HashCommand, err)
		return exitFailed
	}
	return exitOK
}

// run is the program but for the process around it.
func run(args []string, c *console) int {
	l, err := parse(args, c)
	if err != nil {
		return c.fail(usageError{err})
	}
	if l.chosen == nil {
		return exitOK
	}
	if err := l.act.Run(context.Background(), c, l); err != nil {
		return c.fail(l.explain(err))
	}
	return exitOK
}

// A usageError is the caller's mistake in writing the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// A hinted error knows what to do about it.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

// hint adds what to do about err. It is nil where err is.
func hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return hinted{err, fmt.Sprintf(format, args...)}
}

// fail tells err on standard error and answers the exit code that it means.
func (c *console) fail(err error) int {
	if errors.Is(err, errSilent) {
		return exitFailed
	}
	text := strings.ReplaceAll(printable(err.Error()), "\n", "\n  ")
	fmt.Fprintf(c.err, "jotsmith: %s\n", text)
	if h, ok := errors.AsType[hinted](err); ok {
		fmt.Fprintf(c.err, "  hint: %s\n", printable(h.hint))
	}
	if m, ok := errors.AsType[misuse](err); ok {
		fmt.Fprintf(c.err, "  hint: see '%s --help'\n", m.path)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// errSilent fails a command that has said already what there is to say.
var errSilent = errors.New("failed")
