package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// A template of custom claims as a command takes it: the JSON itself, or @ and
// the name of a file that holds it.
type claimsText string

func (t claimsText) read() ([]byte, error) {
	name, isFile := strings.CutPrefix(string(t), "@")
	if !isFile {
		return []byte(t), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the claims: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20)) // claims.Parse takes far less
	if err != nil {
		return nil, fmt.Errorf("reading the claims: %w", err)
	}
	return text, nil
}
