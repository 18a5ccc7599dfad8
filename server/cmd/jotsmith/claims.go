package main

import (
	"encoding/json"
	"errors"
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
		return valid([]byte(t))
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
	return valid(text)
}

// valid says what is wrong with a text that cannot even be sent.
func valid(text []byte) ([]byte, error) {
	if len(text) > 0 && !json.Valid(text) {
		return nil, errors.New("malformed claims: not JSON")
	}
	return text, nil
}

// patch is read for a change: nothing takes the template away.
func (t claimsText) patch() (*json.RawMessage, error) {
	text, err := t.read()
	if err == nil && len(text) == 0 {
		text = []byte("{}")
	}
	return (*json.RawMessage)(&text), err
}
