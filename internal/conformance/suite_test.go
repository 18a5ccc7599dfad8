package conformance

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/conformance anew")

// dir is where the suite lies, seen from this package.
var dir = filepath.Join("..", "..", "testdata", "conformance")

// now is when everything happens unless a case says otherwise.
const now = 1_800_000_000 // 2027-01-15T08:00:00Z

// What follows is the suite as it is written: see its README.md.

type policyFile struct {
	Policies map[string]policy `json:"policies"`
}

type policy struct {
	About     string          `json:"about"`
	Issuer    string          `json:"issuer"`
	Audiences []string        `json:"audiences"`
	Type      string          `json:"type"`
	Leeway    int             `json:"leeway"` // seconds
	Algs      []string        `json:"algorithms,omitempty"`
	Keys      json.RawMessage `json:"keys,omitempty"`
	Secrets   json.RawMessage `json:"secrets,omitempty"`
}

type tokenFile struct {
	Cases []tokenCase `json:"cases"`
}

type tokenCase struct {
	ID     string          `json:"id"`
	What   string          `json:"what"`
	Policy string          `json:"policy"`
	Now    int64           `json:"now"`
	Token  string          `json:"token"`
	Want   string          `json:"want"`
	Claims json.RawMessage `json:"claims,omitempty"`
}

type requestFile struct {
	Cases []requestCase `json:"cases"`
}

type requestCase struct {
	ID      string              `json:"id"`
	What    string              `json:"what"`
	Policy  string              `json:"policy"`
	Now     int64               `json:"now"`
	Request request             `json:"request"`
	Rule    *rule               `json:"rule,omitempty"`
	Want    string              `json:"want"`
	Status  int                 `json:"status"`
	Error   string              `json:"challenge_error,omitempty"`
	Scope   string              `json:"challenge_scope,omitempty"`
	MaxAge  string              `json:"challenge_max_age,omitempty"`
	ACR     string              `json:"challenge_acr_values,omitempty"`
	Needs   string              `json:"challenge_description,omitempty"`
	Allow   map[string][]string `json:"allow,omitempty"`
	Note    string              `json:"note,omitempty"`
}

type request struct {
	Method  string      `json:"method"`
	Target  string      `json:"target"`
	Headers [][2]string `json:"headers"`
}

// rule is one of its members.
type rule struct {
	Scope string `json:"scope,omitempty"`
	Role  string `json:"role,omitempty"`
	// How the holder logged in (RFC 9470): seconds, classes, a method.
	MaxAge int64    `json:"max_age,omitempty"`
	ACR    []string `json:"acr,omitempty"`
	AMR    string   `json:"amr,omitempty"`
	All    []rule   `json:"all,omitempty"`
	Any    []rule   `json:"any,omitempty"`
}

type keySetFile struct {
	Cases []keySetCase `json:"cases"`
}

type keySetCase struct {
	ID   string   `json:"id"`
	What string   `json:"what"`
	Set  string   `json:"set"`            // as it arrives
	Want string   `json:"want"`           // "ok" or "refused"
	KIDs []string `json:"kids,omitempty"` // that are left, in their order
}

type feedFile struct {
	Cases []feedCase `json:"cases"`
}

type feedCase struct {
	ID      string          `json:"id"`
	What    string          `json:"what"`
	Policy  string          `json:"policy"`
	Now     int64           `json:"now"`
	Keys    json.RawMessage `json:"feed_keys"`
	Answers []feedAnswer    `json:"answers"`
	Tokens  []feedToken     `json:"tokens"`
}

type feedAnswer struct {
	Document string `json:"document"`
	Accepted bool   `json:"accepted"`
}

type feedToken struct {
	What  string `json:"what"`
	Token string `json:"token"`
	Want  string `json:"want"`
}

// files are the suite by name, made anew.
func files(t *testing.T) map[string]any {
	m := newMaker(t)
	return map[string]any{
		"policies.json": policyFile{m.policies()},
		"tokens.json":   tokenFile{m.tokens()},
		"requests.json": requestFile{m.requests()},
		"keysets.json":  keySetFile{m.keySets()},
		"feeds.json":    feedFile{m.feeds()},
	}
}

// TestSuite holds the files to what this package makes: nobody edits them by
// hand. With -update it writes them.
func TestSuite(t *testing.T) {
	for name, content := range files(t) {
		text := encode(t, content)
		path := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if held, err := os.ReadFile(path); err != nil || !bytes.Equal(held, text) {
			t.Errorf("%s is not what this package makes (%v): run go test ./internal/conformance -update", name, err)
		}
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read[T any](t *testing.T, name string) (v T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}
