package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/wire"
)

// ReadQuery reads the query of a request into parameters by name, each a
// *string. As in a body, nothing is guessed: a parameter that was not asked
// for or that comes twice is refused, so that a filter which is misspelled
// does not select everything.
func ReadQuery(r *http.Request, into map[string]*string) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Refuse(wire.CodeInvalidRequest, "malformed query", nil)
	}
	for name, values := range query {
		target, known := into[name]
		switch {
		case !known:
			return Refuse(wire.CodeInvalidRequest, fmt.Sprintf("unknown parameter %.40q", name), errQuery)
		case len(values) > 1:
			return Refuse(wire.CodeInvalidRequest, fmt.Sprintf("parameter %q comes twice", name), errQuery)
		case len(values[0]) > maxParameter || !utf8.ValidString(values[0]):
			return Refuse(wire.CodeInvalidRequest, fmt.Sprintf("parameter %q is not at most %d bytes of UTF-8", name, maxParameter), errQuery)
		}
		*target = values[0]
	}
	return nil
}

// maxParameter is longer than any name, id or cursor.
const maxParameter = 1024

var errQuery = errors.New("the query breaks the rules")

// Limit reads the parameter limit: how much one answer lists.
func Limit(s string, usual, most int) (int, error) {
	if s == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, Refuse(wire.CodeInvalidRequest, fmt.Sprintf("limit is a number from 1 to %d", most), nil)
	}
	return n, nil
}
