package strictjson_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/strictjson"
	"github.com/jotsmith/jotsmith/internal/vectors"
)

// duplicates are the only cases marked y_ that are refused: RFC 8259 §4 lets
// names repeat, and RFC 7515 §4 and RFC 7519 §4 do not.
var duplicates = []string{"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}

// accepted are the cases whose verdict the grammar leaves open (i_) and that
// are accepted: numbers that lose digits but fit a float64. All others are
// refused: numbers beyond a float64, lone surrogates, text that is not UTF-8,
// a byte order mark, 500 levels.
var accepted = []string{
	"i_number_double_huge_neg_exp.json",
	"i_number_real_underflow.json",
	"i_number_too_big_neg_int.json",
	"i_number_too_big_pos_int.json",
	"i_number_very_big_negative_int.json",
}

func TestJSONTestSuite(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(vectors.Dir(t, "jsontestsuite"), "test_parsing", "*.json"))
	if err != nil || len(files) != 318 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.HasPrefix(name, "y_") && !slices.Contains(duplicates, name) || slices.Contains(accepted, name)
			if err := strictjson.Check(string(text), strictjson.MaxDepth); (err == nil) != want {
				t.Errorf("accepted: %v, want %v: %v", err == nil, want, err)
			}
		})
	}
}

// The same text means the same to everybody, or it is refused.
func TestJSONTestSuiteTransform(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(vectors.Dir(t, "jsontestsuite"), "test_transform")
	for name, want := range map[string]bool{
		"number_-9223372036854775809.json":         true,
		"number_1.000000000000000005.json":         true,
		"number_1e-999.json":                       true,
		"object_key_nfc_nfd.json":                  true, // two names: no Unicode normalization
		"object_key_nfd_nfc.json":                  true,
		"object_same_key_different_values.json":    false,
		"object_same_key_same_value.json":          false,
		"object_same_key_unclear_values.json":      false,
		"string_1_escaped_invalid_codepoint.json":  false,
		"string_1_invalid_codepoint.json":          false,
		"string_2_escaped_invalid_codepoints.json": false,
		"string_3_invalid_codepoints.json":         false,
		"string_with_escaped_NULL.json":            true,
	} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := strictjson.Check(string(text), strictjson.MaxDepth); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
