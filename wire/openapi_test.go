package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The bodies that openapi.yaml describes are the types of this package: the
// same members, required where they are never left out, of the same type.
func TestOpenAPISchemas(t *testing.T) {
	t.Parallel()
	text := openapi(t)
	_, schemas, found := strings.Cut(text, "\n  schemas:\n")
	if !found {
		t.Fatal("no schemas")
	}
	lines := strings.Split(strings.TrimRight(schemas, "\n"), "\n")
	described, rest := block(lines, 4)
	if len(rest) > 0 {
		t.Fatalf("not understood: %q", rest[0])
	}
	types := structs(t)
	for name, schema := range described {
		fields, known := types[name]
		if !known {
			t.Errorf("%s is described and is no type here", name)
			continue
		}
		properties, _ := schema.(yaml)["properties"].(yaml)
		var required []string
		for _, f := range fields {
			if !f.optional {
				required = append(required, f.name)
			}
			switch p, ok := properties[f.name].(yaml); {
			case !ok:
				t.Errorf("%s: member %s is not described", name, f.name)
			case !f.is(p):
				t.Errorf("%s: member %s is a %s, described as %v", name, f.name, f.kind, p)
			}
		}
		if len(properties) != len(fields) {
			t.Errorf("%s has %d members, %d are described", name, len(fields), len(properties))
		}
		if got, _ := schema.(yaml)["required"].(string); got != list(required) {
			t.Errorf("%s: required is %s, want %s", name, got, list(required))
		}
	}
	for name := range types {
		if _, ok := described[name]; !ok {
			t.Errorf("%s is not described", name)
		}
	}
}

func TestOpenAPIReferences(t *testing.T) {
	t.Parallel()
	text := openapi(t)
	for _, m := range regexp.MustCompile(`'#/components/\w+/(\w+)'`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, "\n    "+m[1]+":\n") {
			t.Errorf("%s is referred to and not there", m[1])
		}
	}
	for code := range codes {
		if !regexp.MustCompile(`enum: \[.*\b` + string(code) + `\b.*\]`).MatchString(text) {
			t.Errorf("code %s is not described", code)
		}
	}
}

func openapi(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func list(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "[" + strings.Join(names, ", ") + "]"
}

// yaml is a mapping of names to texts and mappings: all that schemas here need.
type yaml map[string]any

// block reads the mapping whose names stand at the given depth.
func block(lines []string, depth int) (yaml, []string) {
	m := yaml{}
	for len(lines) > 0 {
		line := lines[0]
		name, value, ok := strings.Cut(line[min(depth, len(line)):], ":")
		if !ok || strings.TrimLeft(line, " ") != line[min(depth, len(line)):] {
			break
		}
		lines = lines[1:]
		if value = strings.TrimSpace(value); value != "" {
			m[name] = strings.Trim(value, "'")
			continue
		}
		m[name], lines = block(lines, depth+2)
	}
	return m, lines
}

type field struct {
	name, kind string
	optional   bool
}

// is says whether a schema describes the field's type.
func (f field) is(p yaml) bool { return describes(p, f.kind) }

func describes(p yaml, kind string) bool {
	kind = strings.TrimPrefix(kind, "*")
	items, _ := p["items"].(yaml)
	switch {
	case strings.HasPrefix(kind, "[]"):
		return p["type"] == "array" && describes(items, kind[2:])
	case strings.HasPrefix(kind, "map[string]"):
		values, _ := p["additionalProperties"].(yaml)
		return p["type"] == "object" && describes(values, strings.TrimPrefix(kind, "map[string]"))
	}
	switch kind {
	case "string", "Code":
		return p["type"] == "string" && p["format"] == nil
	case "bool":
		return p["type"] == "boolean"
	case "int", "int64", "uint64":
		return p["type"] == "integer"
	case "time.Time":
		return p["type"] == "string" && p["format"] == "date-time"
	case "json.RawMessage":
		return p["type"] == "object"
	}
	return p["$ref"] == "#/components/schemas/"+kind
}

// structs reads the types of this package that travel as JSON.
func structs(t *testing.T) map[string][]field {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]field{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if s, ok := spec.Type.(*ast.StructType); ok {
				all[spec.Name.Name] = fields(t, s)
			}
			return false
		})
	}
	return all
}

func fields(t *testing.T, s *ast.StructType) []field {
	t.Helper()
	var all []field
	for _, f := range s.Fields.List {
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(reflect.StructTag(tag).Get("json"), ",")
		all = append(all, field{parts[0], kindOf(f.Type), slices.Contains(parts, "omitempty")})
	}
	return all
}

func kindOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + kindOf(e.X)
	case *ast.ArrayType:
		return "[]" + kindOf(e.Elt)
	case *ast.MapType:
		return "map[" + kindOf(e.Key) + "]" + kindOf(e.Value)
	case *ast.SelectorExpr:
		return kindOf(e.X) + "." + e.Sel.Name
	}
	return "?"
}
