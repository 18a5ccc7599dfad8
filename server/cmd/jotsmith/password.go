package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// passwordFlags say where a new password comes from. There is no way to pass
// one as an argument, which anybody on the machine could read.
type passwordFlags struct {
	PasswordFile     string `xor:"password" placeholder:"PATH" help:"Read the password from a file (its first line)."`
	PasswordStdin    bool   `xor:"password" help:"Read the password from standard input (its first line)."`
	GeneratePassword bool   `xor:"password" help:"Make a strong password and print it, once."`
}

// maxPassword is far above what an account accepts; it bounds reading.
const maxPassword = 4096

// asks says whether somebody will be asked.
func (f passwordFlags) asks(c *console) bool {
	return f == passwordFlags{} && isTerminal(c.in)
}

// read answers the password, and whether it was generated here.
func (f passwordFlags) read(c *console, username string) (password string, generated bool, err error) {
	switch {
	case f.GeneratePassword:
		return unlike(username, newPassword), true, nil
	case f.PasswordStdin:
		password, err = firstLine(c.in)
		return password, false, wrap(err, "reading the password from standard input")
	case f.PasswordFile != "":
		password, err = passwordIn(f.PasswordFile)
		return password, false, err
	case f.asks(c):
		password, err = askTwice(c, username)
		return password, false, err
	}
	return "", false, hint(errors.New("there is no terminal to ask for a password"),
		"use --password-stdin, --password-file or --generate-password")
}

// passwordIn reads the password that is in a file.
func passwordIn(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	defer file.Close()
	password, err := firstLine(file)
	return password, wrap(err, "reading the password from "+path)
}

// newPassword makes a password of 130 bits that is easy to read out and paste.
func newPassword() string {
	raw := strings.ToLower(rand.Text())
	return raw[:6] + "-" + raw[6:13] + "-" + raw[13:20] + "-" + raw[20:]
}

// unlike makes passwords until one does not contain the user name by chance, as
// one in some thousand does: it would be refused as weak.
func unlike(username string, make func() string) string {
	for {
		if p := make(); len(username) < 3 || !strings.Contains(p, strings.ToLower(username)) {
			return p
		}
	}
}

func firstLine(r io.Reader) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxPassword+1))
	if err != nil {
		return "", err
	}
	if len(raw) > maxPassword {
		return "", fmt.Errorf("more than %d bytes", maxPassword)
	}
	line, rest, _ := strings.Cut(string(raw), "\n")
	switch {
	case strings.TrimSpace(rest) != "":
		return "", errors.New("more than one line")
	case strings.TrimSuffix(line, "\r") == "":
		return "", errors.New("it is empty")
	}
	return strings.TrimSuffix(line, "\r"), nil
}

func askTwice(c *console, username string) (string, error) {
	first, err := ask(c, fmt.Sprintf("Password for %s: ", printable(username)))
	if err != nil {
		return "", err
	}
	second, err := ask(c, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

// ask reads a line without echo. The question goes to standard error, so that
// standard output holds nothing but data.
func ask(c *console, question string) (string, error) {
	fmt.Fprint(c.err, question)
	line, err := term.ReadPassword(int(c.in.(*os.File).Fd()))
	fmt.Fprintln(c.err)
	return string(line), wrap(err, "reading the password")
}

func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
