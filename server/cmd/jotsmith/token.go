package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

type tokenCmd struct {
	Inspect inspectCmd      `cmd:"" help:"Explain a token, without verifying it."`
	Verify  verifyCmd       `cmd:"" help:"Verify a token, and say why not."`
	Issue   tokenIssueCmd   `cmd:"" help:"Make an access token for an app."`
	Encrypt tokenEncryptCmd `cmd:"" help:"Encrypt a signed token, or any text, for a key or with a password."`
	Decrypt tokenDecryptCmd `cmd:"" help:"Decrypt a token or text, without verifying what is inside."`
	Revoke  tokenRevokeCmd  `cmd:"" help:"Revoke a token: a refresh token with its session, an access token alone."`
}

// tokenFlags say where a token comes from.
type tokenFlags struct {
	Token string `arg:"" optional:"" help:"The token; '-' or nothing reads it from standard input, which is better: other users of a machine see arguments."`
	File  string `placeholder:"PATH" help:"Read the token from a file."`
}

// maxTokenText bounds what is read as a token. Verifiers take far less.
const maxTokenText = 64 << 10

// read answers the token's text, without what people copy along with it.
func (f tokenFlags) read(c *console) (string, error) {
	if f.Token != "" && f.Token != "-" && f.File != "" {
		return "", usagef("one token at a time: as an argument or with --file")
	}
	var raw []byte
	var err error
	switch {
	case f.File != "":
		var file *os.File
		if file, err = os.Open(f.File); err == nil {
			defer file.Close()
			raw, err = io.ReadAll(io.LimitReader(file, maxTokenText+1))
		}
	case f.Token != "" && f.Token != "-":
		raw = []byte(f.Token)
	default:
		if isTerminal(c.in) {
			fmt.Fprintln(c.err, "Paste the token, then press Enter and Ctrl-D.")
		}
		raw, err = io.ReadAll(io.LimitReader(c.in, maxTokenText+1))
	}
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	if len(raw) > maxTokenText {
		return "", fmt.Errorf("not a token: more than %d bytes", maxTokenText)
	}
	text := strings.TrimSpace(string(raw))
	for _, prefix := range []string{"authorization:", "bearer "} {
		if len(text) > len(prefix) && strings.EqualFold(text[:len(prefix)], prefix) {
			text = strings.TrimSpace(text[len(prefix):])
		}
	}
	text = strings.Trim(text, `"'`)
	if text == "" {
		return "", errors.New("no token was given")
	}
	return text, nil
}
