// Package strictjson reads JSON (RFC 8259) that somebody else wrote and that
// two parsers must never understand differently.
//
// The whole text is validated before anything of it is used. Beyond the
// grammar it refuses: duplicate member names at every depth, compared after
// unescaping; invalid UTF-8, lone surrogates and a byte order mark; numbers
// that do not fit a float64 or are longer than 128 bytes; text after the value;
// nesting deeper than the caller allows. Names are case sensitive.
//
// Values are substrings of the text that was given, so that reading a claim
// copies nothing. The package keeps no data model, uses no reflection in
// reading ([Unmarshal] aside, which ends in encoding/json) and has no encoder.
package strictjson

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// MaxDepth is the nesting that tokens, keys and request bodies are allowed.
const MaxDepth = 16

const maxNumber = 128

// Member is one member of an object: its name, unescaped, and its value as it
// stands in the text.
type Member struct{ Name, Value string }

// Check validates text as one JSON value nested at most depth levels.
func Check(text string, depth int) error {
	p := parser{text: text, members: math.MaxInt}
	p.space()
	if err := p.value(depth); err != nil {
		return err
	}
	return p.end()
}

// Object validates text as one JSON object nested at most depth levels and
// appends its members to dst, in their order.
func Object(text string, depth int, dst []Member) ([]Member, error) {
	return BoundedObject(text, depth, math.MaxInt, dst)
}

// BoundedObject is [Object] for a text that nobody vouches for: it refuses more
// than limit members in all objects together, at every depth. A member takes
// some ten times the memory of the shortest text that it can have.
func BoundedObject(text string, depth, limit int, dst []Member) ([]Member, error) {
	p := parser{text: text, members: limit}
	p.space()
	if p.peek() != '{' {
		return dst, errors.New("not a JSON object")
	}
	var names nameSet
	done, err := p.open('}')
	for !done && err == nil {
		var name string
		if name, err = p.name(&names); err != nil {
			break
		}
		at := p.pos
		if err = p.value(depth - 1); err != nil {
			break
		}
		dst = append(dst, Member{name, text[at:p.pos]})
		done, err = p.next('}')
	}
	if err != nil {
		return dst, err
	}
	return dst, p.end()
}

// Array validates text as one JSON array nested at most depth levels and
// appends its elements to dst, as they stand in the text.
func Array(text string, depth int, dst []string) ([]string, error) {
	return BoundedArray(text, depth, math.MaxInt, dst)
}

// BoundedArray is [Array] for at most limit elements.
func BoundedArray(text string, depth, limit int, dst []string) ([]string, error) {
	p := parser{text: text, members: math.MaxInt}
	p.space()
	if p.peek() != '[' {
		return dst, errors.New("not a JSON array")
	}
	done, err := p.open(']')
	for n := 0; !done && err == nil; n++ {
		if n == limit {
			return dst, p.fault("too many elements")
		}
		at := p.pos
		if err = p.value(depth - 1); err != nil {
			break
		}
		dst = append(dst, text[at:p.pos])
		done, err = p.next(']')
	}
	if err != nil {
		return dst, err
	}
	return dst, p.end()
}

type parser struct {
	text    string
	pos     int
	members int // that may still come
}

// end demands that nothing follows the value.
func (p *parser) end() error {
	p.space()
	if p.pos != len(p.text) {
		return p.fault("text after the JSON value")
	}
	return nil
}

func (p *parser) fault(what string) error {
	return fmt.Errorf("%s at byte %d", what, p.pos)
}

func (p *parser) space() {
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		if c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return
		}
		p.pos++
	}
}

// peek returns the next byte, or 0, which begins nothing in JSON, at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// value reads one value that may hold depth more levels of containers.
func (p *parser) value(depth int) error {
	switch c := p.peek(); c {
	case '"':
		_, err := p.str()
		return err
	case '{', '[':
		if depth <= 0 {
			return p.fault("JSON nested too deep")
		}
		if c == '{' {
			return p.object(depth - 1)
		}
		return p.array(depth - 1)
	case 't':
		return p.literal("true")
	case 'f':
		return p.literal("false")
	case 'n':
		return p.literal("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return p.number()
		}
		return p.fault("no JSON value")
	}
}

func (p *parser) literal(word string) error {
	if rest := p.text[p.pos:]; len(rest) < len(word) || rest[:len(word)] != word {
		return p.fault("no JSON value")
	}
	p.pos += len(word)
	return nil
}

func (p *parser) object(depth int) error {
	var names nameSet
	done, err := p.open('}')
	for !done && err == nil {
		if _, err = p.name(&names); err != nil {
			return err
		}
		if err = p.value(depth); err != nil {
			return err
		}
		done, err = p.next('}')
	}
	return err
}

func (p *parser) array(depth int) error {
	done, err := p.open(']')
	for !done && err == nil {
		if err = p.value(depth); err != nil {
			return err
		}
		done, err = p.next(']')
	}
	return err
}

// open reads the bracket that begins a container, and the one that ends it
// where it is empty.
func (p *parser) open(end byte) (done bool, err error) {
	p.pos++
	p.space()
	if p.peek() == end {
		p.pos++
		return true, nil
	}
	return false, nil
}

// name reads a member's name, which must be new to names, and the colon.
func (p *parser) name(names *nameSet) (string, error) {
	if p.peek() != '"' {
		return "", p.fault("no member name")
	}
	at := p.pos
	escaped, err := p.str()
	if err != nil {
		return "", err
	}
	name := p.text[at+1 : p.pos-1]
	if escaped {
		name = unescape(name)
	}
	if !names.add(name) {
		return "", p.fault("duplicate member name")
	}
	if p.members--; p.members < 0 {
		return "", p.fault("too many members")
	}
	p.space()
	if p.peek() != ':' {
		return "", p.fault("no colon after a member name")
	}
	p.pos++
	p.space()
	return name, nil
}

// next reads the comma before another element, or the end of the container.
func (p *parser) next(end byte) (done bool, err error) {
	p.space()
	switch p.peek() {
	case end:
		p.pos++
		return true, nil
	case ',':
		p.pos++
		p.space()
		return false, nil
	}
	return false, p.fault("no comma and no end of the container")
}

func (p *parser) number() error {
	at := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	whole := p.pos
	if p.digits() == 0 || p.text[whole] == '0' && p.pos-whole > 1 {
		return p.fault("malformed number")
	}
	simple := true
	if p.peek() == '.' {
		p.pos++
		simple = false
		if p.digits() == 0 {
			return p.fault("malformed number")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		simple = false
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if p.digits() == 0 {
			return p.fault("malformed number")
		}
	}
	text := p.text[at:p.pos]
	if len(text) > maxNumber {
		return p.fault("number too long")
	}
	if simple {
		return nil
	}
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return p.fault("number out of range")
	}
	return nil
}

func (p *parser) digits() (n int) {
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.pos++
		n++
	}
	return n
}

// plainLen returns how many bytes at the beginning of s stand for themselves in
// a string: ASCII without control characters, quote and backslash. It looks at
// eight at a time.
func plainLen(s string) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; len(s)-n >= 8; n += 8 {
		t := s[n : n+8]
		w := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
		quote, backslash := w^ones*'"', w^ones*'\\'
		// A byte below the one subtracted borrows, and so does at most what
		// stands above it: the lowest top bit is exact.
		if end := (w | (w - ones*' ') | (quote-ones)&^quote | (backslash-ones)&^backslash) & tops; end != 0 {
			return n + bits.TrailingZeros64(end)/8
		}
	}
	for ; n < len(s); n++ {
		if c := s[n]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
	}
	return n
}

// str reads a string with both its quotes and tells whether it has escapes.
func (p *parser) str() (escaped bool, err error) {
	text := p.text
	i := p.pos + 1
	for {
		i += plainLen(text[i:])
		if i >= len(text) {
			break
		}
		switch c := text[i]; {
		case c == '"':
			p.pos = i + 1
			return escaped, nil
		case c == '\\':
			escaped = true
			n := escapeLen(text[i:])
			if n == 0 {
				p.pos = i
				return false, p.fault("malformed escape")
			}
			i += n
		case c < 0x20:
			p.pos = i
			return false, p.fault("control character in a string")
		default:
			r, n := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && n == 1 {
				p.pos = i
				return false, p.fault("invalid UTF-8")
			}
			i += n
		}
	}
	p.pos = i
	return false, p.fault("string without end")
}

// nameSet finds duplicate names. Objects of a usual size need no map, and large
// ones no quadratic time. A name that leaves a new mark is new itself.
type nameSet struct {
	marks uint64
	n     int
	first [16]string
	rest  map[string]struct{}
}

func (s *nameSet) add(name string) bool {
	mark := uint64(1)
	if n := len(name); n > 0 {
		mark <<= (uint(n) + 5*uint(name[0]) + 11*uint(name[n/2])) % 64
	}
	if s.marks&mark != 0 && s.has(name) {
		return false
	}
	s.marks |= mark
	if s.n < len(s.first) {
		s.first[s.n] = name
		s.n++
		return true
	}
	if s.rest == nil {
		s.rest = make(map[string]struct{})
	}
	s.rest[name] = struct{}{}
	return true
}

func (s *nameSet) has(name string) bool {
	for i := range s.n {
		if s.first[i] == name {
			return true
		}
	}
	_, known := s.rest[name]
	return known
}
