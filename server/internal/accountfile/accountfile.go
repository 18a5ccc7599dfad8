// Package accountfile reads the accounts of another system from a file: lines
// of JSON, or a table (CSV). It says which lines cannot be read and goes on; it
// checks no names and no password hashes, which is account's business, and it
// imports nothing.
package accountfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/server/internal/account"
)

// Bounds on a file.
const (
	maxLine  = 64 << 10
	maxLines = 1_000_000
	maxFile  = 1 << 30
)

// The members of a line and the columns of a table.
var members = []string{"username", "display_name", "roles", "password_hash", "disabled", "claims"}

// Known is what a file may say of an account, for people.
func Known() string { return strings.Join(members, ", ") }

// Read reads what r holds, in the form that the name of the file says: .jsonl
// or .ndjson, or .csv. bad are the lines that could not be read; err is about
// the file as a whole.
func Read(name string, r io.Reader) (lines []account.ImportLine, bad account.ImportError, err error) {
	limited := &io.LimitedReader{R: r, N: maxFile}
	b := bufio.NewReader(limited)
	if mark, _ := b.Peek(3); string(mark) == "\uFEFF" { // as spreadsheets write it
		b.Discard(3)
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jsonl", ".ndjson":
		lines, bad, err = readJSON(b)
	case ".csv":
		lines, bad, err = readCSV(b)
	default:
		return nil, nil, fmt.Errorf("%s is neither .jsonl nor .csv", name)
	}
	switch {
	case err != nil:
	case limited.N == 0:
		err = fmt.Errorf("larger than %d MiB: split it", maxFile>>20)
	case len(lines)+len(bad) == 0:
		err = errors.New("it holds no accounts")
	}
	return lines, bad, err
}

var errLines = fmt.Errorf("more than %d lines: split it", maxLines)

func readJSON(r io.Reader) (lines []account.ImportLine, bad account.ImportError, err error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for n := 1; s.Scan(); n++ {
		text := bytes.TrimSpace(s.Bytes())
		if len(text) == 0 {
			continue
		}
		if n > maxLines {
			return nil, nil, errLines
		}
		l, err := readObject(text)
		if err != nil {
			bad = append(bad, account.LineError{Line: n, Err: err})
			continue
		}
		l.Line = n
		lines = append(lines, l)
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return nil, nil, fmt.Errorf("a line has more than %d KiB; each account is one line", maxLine>>10)
	}
	return lines, bad, s.Err()
}

// readObject reads the object of one line. encoding/json by itself would take a
// member twice, and in any case.
func readObject(text []byte) (l account.ImportLine, err error) {
	if !utf8.Valid(text) {
		return l, errors.New("not UTF-8")
	}
	if !json.Valid(text) {
		return l, errors.New("not one JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if t, _ := d.Token(); t != json.Delim('{') {
		return l, errors.New("not a JSON object")
	}
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		switch {
		case err != nil || !ok:
			return l, errors.New("not a JSON object")
		case seen[name]:
			return l, fmt.Errorf("%q comes twice", name)
		}
		seen[name] = true
		var raw json.RawMessage
		into := map[string]any{
			"username": &l.Username, "display_name": &l.DisplayName, "roles": &l.Roles,
			"password_hash": &l.PasswordHash, "disabled": &l.Disabled, "claims": &raw,
		}[name]
		if into == nil {
			return l, fmt.Errorf("unknown member %.40q; there are %s", name, Known())
		}
		// The error of the decoder could quote the value.
		if err := d.Decode(into); err != nil {
			return l, fmt.Errorf("%q has the wrong type", name)
		}
		if raw != nil {
			l.Claims = raw
		}
	}
	return l, nil
}

func readCSV(r io.Reader) (lines []account.ImportLine, bad account.ImportError, err error) {
	table := csv.NewReader(r)
	heading, err := table.Read()
	if err != nil {
		if err == io.EOF {
			return nil, nil, nil
		}
		return nil, nil, fmt.Errorf("reading the heading: %w", err)
	}
	for i, name := range heading {
		switch {
		case !slices.Contains(members, name):
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
				name = "…" // where the heading is missing, it could be a password hash
			}
			return nil, nil, fmt.Errorf("unknown column %.40q; the first line names the columns: %s", name, Known())
		case slices.Contains(heading[:i], name):
			return nil, nil, fmt.Errorf("column %q comes twice", name)
		}
	}
	for _, name := range []string{"username", "password_hash"} {
		if !slices.Contains(heading, name) {
			return nil, nil, fmt.Errorf("no column %q; the first line names the columns", name)
		}
	}
	for {
		row, err := table.Read()
		if err == io.EOF {
			return lines, bad, nil
		}
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			bad = append(bad, account.LineError{Line: wrong.StartLine, Err: wrong.Err})
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if len(lines)+len(bad) == maxLines {
			return nil, nil, errLines
		}
		line, _ := table.FieldPos(0)
		l, err := readRow(heading, row)
		if err != nil {
			bad = append(bad, account.LineError{Line: line, Err: err})
			continue
		}
		l.Line = line
		lines = append(lines, l)
	}
}

func readRow(heading, row []string) (l account.ImportLine, err error) {
	for i, cell := range row {
		switch heading[i] {
		case "username":
			l.Username = cell
		case "display_name":
			l.DisplayName = cell
		case "roles":
			l.Roles = strings.Fields(cell)
		case "password_hash":
			l.PasswordHash = cell
		case "claims":
			l.Claims = []byte(cell)
		case "disabled":
			if cell == "" {
				continue
			}
			if l.Disabled, err = strconv.ParseBool(cell); err != nil {
				return l, errors.New(`"disabled" is neither true nor false`)
			}
		}
	}
	return l, nil
}
