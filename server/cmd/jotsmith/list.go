package main

import (
	"fmt"
	"net/url"
	"strconv"
)

// pageFlags are those of a list that comes in pages. Each such list has besides
// a flag that says where to go on.
type pageFlags struct {
	targetFlags
	Limit int  `default:"100" placeholder:"N" help:"At most so many (${default}), 1 to 1000."`
	JSON  bool `help:"Print JSON."`
}

// Validate is called when the command line is read.
func (f pageFlags) Validate() error {
	if f.Limit < 1 || f.Limit > 1000 {
		return fmt.Errorf("--limit %d is outside 1 to 1000", f.Limit)
	}
	return nil
}

// query asks for a page of what the parameters select; an empty one is none.
func (f pageFlags) query(parameters map[string]string) string {
	query := url.Values{"limit": {strconv.Itoa(f.Limit)}}
	for name, value := range parameters {
		if value != "" {
			query.Set(name, value)
		}
	}
	return "?" + query.Encode()
}

// A listing is a list as people read it.
type listing struct {
	heading []string
	rows    [][]string
	none    string // what is said where there are no rows
	more    string // the flag that goes on after this page; empty at the end
}

// show prints v for programs, or its listing for people.
func (f pageFlags) show(c *console, v any, l listing) error {
	if f.JSON {
		return c.json(v)
	}
	if len(l.rows) == 0 {
		fmt.Fprintln(c.err, l.none)
	} else if err := c.table(l.heading, l.rows); err != nil {
		return err
	}
	if l.more != "" {
		fmt.Fprintf(c.err, "There may be more: %s\n", printable(l.more))
	}
	return nil
}

// next is the flag that goes on after a page, and nothing at the end.
func next(flag, cursor string) string {
	if cursor == "" {
		return ""
	}
	return flag + " " + cursor
}
