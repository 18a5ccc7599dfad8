package strictjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// Unmarshal decodes data into v as encoding/json does, with two differences:
// the text must pass [Check] first, and a member fills a field only where the
// name is spelled exactly alike. encoding/json takes "ROLES" for a field named
// "roles", and where both are present the last one wins.
//
// Types that decode themselves (json.Unmarshaler) are given their text as it
// stands. Errors describe types and places, and never quote the data.
func Unmarshal(data []byte, v any, depth int) error {
	text := string(data)
	if err := Check(text, depth); err != nil {
		return err
	}
	if t := reflect.TypeOf(v); t != nil && t.Kind() == reflect.Pointer {
		data = exact(nil, strings.TrimSpace(text), t.Elem(), depth)
	}
	return json.Unmarshal(data, v)
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// exact appends to dst the checked value raw without those members of objects
// that have no field of exactly their name in t.
func exact(dst []byte, raw string, t reflect.Type, depth int) []byte {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if p := reflect.PointerTo(t); p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler) {
		return append(dst, raw...)
	}
	switch {
	case t.Kind() == reflect.Struct && raw[0] == '{':
		fields := make(map[string]reflect.Type)
		fieldsOf(t, fields, nil)
		return exactMembers(dst, raw, depth, func(name string) reflect.Type { return fields[name] })
	case t.Kind() == reflect.Map && raw[0] == '{':
		return exactMembers(dst, raw, depth, func(string) reflect.Type { return t.Elem() })
	case (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && raw[0] == '[':
		elements, _ := Array(raw, depth, nil)
		dst = append(dst, '[')
		for i, e := range elements {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = exact(dst, e, t.Elem(), depth)
		}
		return append(dst, ']')
	}
	return append(dst, raw...)
}

func exactMembers(dst []byte, raw string, depth int, field func(name string) reflect.Type) []byte {
	members, _ := Object(raw, depth, nil)
	dst = append(dst, '{')
	for _, m := range members {
		t := field(m.Name)
		if t == nil {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		name, _ := json.Marshal(m.Name)
		dst = append(append(dst, name...), ':')
		dst = exact(dst, m.Value, t, depth)
	}
	return append(dst, '}')
}

// fieldsOf adds the JSON names of t's fields to names, those of embedded
// structs among them; within holds the structs being visited.
func fieldsOf(t reflect.Type, names map[string]reflect.Type, within []reflect.Type) {
	for _, w := range within {
		if w == t {
			return
		}
	}
	within = append(within, t)
	var embedded []reflect.Type
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case tag == "-":
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			embedded = append(embedded, inner)
		case f.IsExported() && name != "":
			names[name] = f.Type
		case f.IsExported():
			names[f.Name] = f.Type
		}
	}
	for _, e := range embedded {
		inner := make(map[string]reflect.Type)
		fieldsOf(e, inner, within)
		for name, t := range inner {
			if _, outer := names[name]; !outer {
				names[name] = t
			}
		}
	}
}
