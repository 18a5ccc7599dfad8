package claims_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/claims"
)

var ada = claims.Values{Subject: "acc_ada", Username: "ada", DisplayName: "Ada \"L.\"", App: "app_first_party", Audience: "https://tasks.example"}

// made is the JSON of what templates make.
func made(t *testing.T, v claims.Values, templates ...string) (string, error) {
	t.Helper()
	var raw []json.RawMessage
	for _, s := range templates {
		raw = append(raw, json.RawMessage(s))
	}
	all, err := claims.Make(v, raw...)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

func TestMake(t *testing.T) {
	t.Parallel()
	app := claims.Values{Subject: "app_x", App: "app_x", Audience: ada.Audience}
	for _, c := range []struct {
		name      string
		values    claims.Values
		templates []string
		want      string
	}{
		{"none", ada, nil, `null`},
		{"empty ones", ada, []string{"", "{}", ""}, `{}`},
		{"as it is", ada, []string{`{"tenant":"acme","n":1.50,"on":true,"none":null,"list":[1,"a",{}]}`}, `{"list":[1,"a",{}],"n":1.50,"none":null,"on":true,"tenant":"acme"}`},
		{"large integers stay exact", ada, []string{`{"id":9007199254740993}`}, `{"id":9007199254740993}`},
		{"variables", ada, []string{`{"who":"${username}","all":["${subject}",{"in":"${app} at ${audience}"}]}`}, `{"all":["acc_ada",{"in":"app_first_party at https://tasks.example"}],"who":"ada"}`},
		{"quotes in a value", ada, []string{`{"name":"${display_name}"}`}, `{"name":"Ada \"L.\""}`},
		{"a dollar is a dollar", ada, []string{`{"price":"$5, {x} $ {y}"}`}, `{"price":"$5, {x} $ {y}"}`},
		{"a name of two", ada, []string{`{"a":"api","b":"api"}`, `{"b":"role","c":"role"}`, `{"c":"account"}`, `{"d":"session"}`}, `{"a":"api","b":"role","c":"account","d":"session"}`},
		{"objects are not joined", ada, []string{`{"x":{"a":1}}`, `{"x":{"b":2}}`}, `{"x":{"b":2}}`},
		{"no value, no claim", app, []string{`{"who":"${username}","deep":[{"x":"${display_name}"}],"id":"${subject}"}`}, `{"id":"app_x"}`},
		{"nor the one beneath", app, []string{`{"who":"nobody"}`, `{"who":"user ${username}"}`}, `{}`},
		{"only the same case is the same name", ada, []string{`{"a":1}`, `{"A":2}`}, `{"A":2,"a":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got, err := made(t, c.values, c.templates...); err != nil || got != c.want {
				t.Errorf("made %s, %v\nwant %s", got, err, c.want)
			}
		})
	}
}

// TestCLM07Reserved says that no spelling of a reserved name is taken, neither
// when a template is saved nor, should it have come into the store another way,
// when a token is made.
func TestCLM07Reserved(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "client_id", "scope", "roles",
		"acr", "amr", "auth_time", "azp", "nonce", "act", "may_act", "cnf", "status", "authorization_details", "active", "token_type", "events",
		"EXP", "Sub", "i\\u0073s", "\\u0069ss", "i\u017fs", "\\u017fub", "Client_ID",
	} {
		for _, template := range []string{
			`{"` + name + `":"x"}`,
			`{"tenant":"a","` + name + `":null}`,
		} {
			if kept, err := claims.Parse([]byte(template)); !errors.Is(err, claims.ErrTemplate) || kept != nil {
				t.Errorf("%s was saved: %v", template, err)
			}
			if got, err := made(t, ada, `{"x":1}`, template); !errors.Is(err, claims.ErrTemplate) {
				t.Errorf("%s made %s: %v", template, got, err)
			}
		}
	}
	// Within a claim of one's own a name means nothing.
	if _, err := claims.Parse([]byte(`{"user":{"sub":"x","roles":[]}}`)); err != nil {
		t.Error(err)
	}
}

func TestCLM07Malformed(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 8) + strings.Repeat("]", 8)
	for name, template := range map[string]string{
		"not JSON":               `{`,
		"a string":               `"x"`,
		"an array":               `[{}]`,
		"null":                   `null`,
		"two objects":            `{} {}`,
		"twice":                  `{"a":1,"a":2}`,
		"twice, escaped":         `{"a":1,"\u0061":2}`,
		"twice within":           `{"a":{"b":1,"b":2}}`,
		"unknown variable":       `{"a":"${password}"}`,
		"variable in other case": `{"a":"${Username}"}`,
		"empty variable":         `{"a":"${}"}`,
		"open variable":          `{"a":"${username"}`,
		"variable in a variable": `{"a":"${user${app}}"}`,
		"escaped variable":       `{"a":"\u0024{password}"}`,
		"variable in a name":     `{"${username}":1}`,
		"variable deep down":     `{"a":[{"b":["${x}"]}]}`,
		"empty name":             `{"":1}`,
		"control in a name":      `{"a\u0000":1}`,
		"line feed in a name":    `{"a\n":1}`,
		"long name":              `{"` + strings.Repeat("a", 129) + `":1}`,
		"not UTF-8":              "{\"a\":\"\xff\"}",
		"half a surrogate":       `{"a":"\ud800"}`,
		"number out of range":    `{"a":1e400}`,
		"endless number":         `{"a":` + strings.Repeat("1", 65) + `}`,
		"too deep":               `{"a":[` + deep + `]}`,
		"too large":              `{"a":"` + strings.Repeat("x", claims.MaxTemplate) + `"}`,
		"far too large":          `{"a":"` + strings.Repeat("x", 1<<20) + `"}`,
		"many spaces":            `{"a":` + strings.Repeat(" ", 1<<20) + `1}`,
		"too many":               `{` + many(65) + `}`,
		"BOM":                    "\uFEFF{}",
	} {
		if kept, err := claims.Parse([]byte(template)); !errors.Is(err, claims.ErrTemplate) || kept != nil {
			t.Errorf("%s: kept %s, %v", name, kept, err)
		}
	}
	for name, c := range map[string]struct{ template, want string }{
		"nothing":      {"", ""},
		"spaces":       {" \n", ""},
		"empty object": {" { } ", ""},
		"compact":      {"{ \"a\" : [ 1 ] }", `{"a":[1]}`},
		"64":           {`{` + many(64) + `}`, `{` + many(64) + `}`},
	} {
		if kept, err := claims.Parse([]byte(c.template)); err != nil || string(kept) != c.want {
			t.Errorf("%s: kept %s, %v", name, kept, err)
		}
	}
}

func many(n int) string {
	var all []string
	for i := range n {
		all = append(all, `"c`+strings.Repeat("x", i)+`":1`)
	}
	return strings.Join(all, ",")
}

// FuzzMake says that whatever a variable stands for, it comes out as that very
// text and as nothing else, and that what is made of an accepted template is an
// object without reserved names.
func FuzzMake(f *testing.F) {
	for _, c := range [][2]string{
		{`{"a":"${username}"}`, "ada"}, {`{"a":"${username}"}`, `","sub":"root`}, {`{"a":["${username}"]}`, "${password}"},
		{`{"a":"${username}"}`, "\x00\u2028<&>"}, {`{"a":"${username}"}`, "\xff"}, {`{"a":1e400}`, ""}, {`{"ſub":1}`, ""},
	} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, template, value string) {
		all, err := claims.Make(claims.Values{Username: value}, json.RawMessage(template))
		if err != nil {
			return
		}
		for name := range all {
			if strings.EqualFold(name, "sub") || strings.EqualFold(name, "exp") || strings.EqualFold(name, "roles") {
				t.Errorf("made %q", name)
			}
		}
		text, err := json.Marshal(all)
		if err != nil || !json.Valid(text) {
			t.Errorf("made %s, %v", text, err)
		}
		all, err = claims.Make(claims.Values{Username: value}, json.RawMessage(`{"a":"${username}"}`))
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if value != "" {
			if err := json.Unmarshal(all["a"], &back); err != nil || back != strings.ToValidUTF8(value, "\ufffd") && strings.ToValidUTF8(value, "") == value {
				t.Errorf("%q became %q, %v", value, back, err)
			}
		}
	})
}
