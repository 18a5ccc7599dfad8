package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/wire"
)

// MaxBody bounds request bodies, but for those that say otherwise.
const MaxBody = 64 << 10

// Members says which members a body may have: by name, a *string, *bool,
// *int64, *[]string or *json.RawMessage for an object; or a pointer to a pointer
// to one of these where being absent differs from being empty.
type Members map[string]any

// ReadJSON reads a body that is one JSON object. Nothing is guessed:
// the media type must be application/json; members that were not asked for,
// are spelled in another case or come twice, null, and text that is no valid
// Unicode are refused.
func (c *Call) ReadJSON(r *http.Request, into Members) error {
	body, err := c.ReadBody(r, "application/json", MaxBody)
	if err != nil {
		return err
	}
	if err := readObject(body, into); err != nil {
		return Refuse(wire.CodeInvalidRequest, err.Error(), errBody)
	}
	return nil
}

// errBody stands in the log for what the caller is told about a body, which may
// quote the name of a member.
var errBody = errors.New("the body breaks the rules")

// readObject's errors tell the caller what is wrong; they quote no value.
func readObject(body []byte, into Members) error {
	// encoding/json reads invalid UTF-8 and half surrogates as U+FFFD, so that
	// two different passwords would be one. Nobody types U+FFFD.
	if !utf8.Valid(body) {
		return errors.New("the body is not UTF-8")
	}
	if !json.Valid(body) {
		return errors.New("the body is malformed JSON")
	}
	d := json.NewDecoder(bytes.NewReader(body)) // of valid text its tokens are without error
	if t, _ := d.Token(); t != json.Delim('{') {
		return errors.New("the body is not a JSON object")
	}
	seen := make(map[string]bool, len(into))
	for d.More() {
		t, _ := d.Token()
		name, _ := t.(string)
		target, known := into[name]
		switch {
		case !known:
			return fmt.Errorf("unknown member %.40q", name)
		case seen[name]:
			return fmt.Errorf("member %q comes twice", name)
		}
		seen[name] = true
		if err := readMember(d, target); err != nil {
			return fmt.Errorf("member %q is not %w", name, err)
		}
	}
	return nil
}

// readMember reads one value; its errors say what is wanted.
func readMember(d *json.Decoder, target any) (err error) {
	switch p := target.(type) {
	case *string:
		*p, err = readText(d)
	case **string:
		return present(p, d)
	case *bool:
		*p, err = readBool(d)
	case **bool:
		return present(p, d)
	case *int64:
		*p, err = readNumber(d)
	case **int64:
		return present(p, d)
	case *[]string:
		*p, err = readTexts(d)
	case **[]string:
		return present(p, d)
	case *json.RawMessage:
		_ = d.Decode(p) // valid text
		if len(*p) == 0 || (*p)[0] != '{' {
			return errors.New("an object")
		}
	case **json.RawMessage:
		return present(p, d)
	default:
		panic(fmt.Sprintf("httpapi: a body's member cannot be a %T", target))
	}
	return err
}

func present[T any](p **T, d *json.Decoder) error {
	*p = new(T)
	return readMember(d, *p)
}

func readText(d *json.Decoder) (string, error) {
	t, _ := d.Token()
	s, ok := t.(string)
	if !ok || strings.ContainsRune(s, utf8.RuneError) {
		return "", errors.New("a string of Unicode text")
	}
	return s, nil
}

func readBool(d *json.Decoder) (bool, error) {
	t, _ := d.Token()
	b, ok := t.(bool)
	if !ok {
		return false, errors.New("true or false")
	}
	return b, nil
}

// readNumber reads a whole number that is not negative; up to 2^53 a float64
// tells each from its neighbours.
func readNumber(d *json.Decoder) (int64, error) {
	t, _ := d.Token()
	f, ok := t.(float64)
	if !ok || f < 0 || f > 1<<53 || f != math.Trunc(f) {
		return 0, errors.New("a whole number")
	}
	return int64(f), nil
}

func readTexts(d *json.Decoder) ([]string, error) {
	all := []string{}
	if t, _ := d.Token(); t != json.Delim('[') {
		return nil, errors.New("an array of strings")
	}
	for d.More() {
		s, err := readText(d)
		if err != nil {
			return nil, errors.New("an array of strings of Unicode text")
		}
		all = append(all, s)
	}
	_, _ = d.Token()
	return all, nil
}

// ReadForm reads a body of application/x-www-form-urlencoded. Its errors are
// refusals.
func (c *Call) ReadForm(r *http.Request) (url.Values, error) {
	body, err := c.ReadBody(r, "application/x-www-form-urlencoded", MaxBody)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, Refuse(wire.CodeInvalidRequest, "the body is not a form", nil)
	}
	return form, nil
}

// ReadBody reads a body of one media type and at most so many bytes. Its errors
// are refusals.
func (c *Call) ReadBody(r *http.Request, mediaType string, most int64) ([]byte, error) {
	types := r.Header["Content-Type"]
	if len(types) != 1 {
		return nil, Refuse(wire.CodeUnsupportedMediaType, "Content-Type must be "+mediaType, nil)
	}
	if types[0] != mediaType { // as most spell it
		got, params, err := mime.ParseMediaType(types[0])
		charset := params["charset"]
		if err != nil || got != mediaType || charset != "" && !strings.EqualFold(charset, "utf-8") {
			return nil, Refuse(wire.CodeUnsupportedMediaType, "Content-Type must be "+mediaType, nil)
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.ResponseWriter, r.Body, most))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, Refuse(wire.CodeBodyTooLarge, fmt.Sprintf("at most %d bytes", most), nil)
	}
	if err != nil {
		return nil, Refuse(wire.CodeInvalidRequest, "the body could not be read", err)
	}
	return body, nil
}
