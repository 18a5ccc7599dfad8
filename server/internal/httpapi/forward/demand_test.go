package forward

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Whatever a query says, either it is refused or every one of its parameters is
// a demand.
func FuzzDemand(f *testing.F) {
	f.Add("audience=https://tasks.example")
	f.Add("audience=https://tasks.example&scope=tasks:read&scope=tasks:write&role=editor")
	f.Add("audience=a&scope=%22")
	f.Add("audience=a;role=admin")
	f.Add("audience=a&audience=b")
	f.Add("audience=a&rol=admin")
	f.Add("audience=a&max_age=300&acr_values=gold+silver&amr=otp")
	f.Add("audience=a&max_age=0300&acr_values=+")
	f.Fuzz(func(t *testing.T, query string) {
		d, err := readDemand(query)
		if err != nil {
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil || len(values["audience"]) != 1 || d.audience == "" || d.audience != values.Get("audience") {
			t.Fatalf("%q: audience %q", query, d.audience)
		}
		rules := 0
		for name, all := range values {
			if rules += len(all); (name == "max_age" || name == "acr_values") && len(all) != 1 {
				t.Fatalf("%q: %d times %s", query, len(all), name)
			}
		}
		if len(d.rules) != rules-1 || len(values) > 6 {
			t.Fatalf("%q: %d rules", query, len(d.rules))
		}
		for _, rule := range d.rules {
			word, value, _ := strings.Cut(rule.String(), " ")
			if !slices.Contains([]string{"scope", "role", "log-in", "acr", "amr"}, word) || !isValue(strings.ReplaceAll(value, " ", "")) {
				t.Fatalf("%q: rule %q", query, rule)
			}
		}
	})
}

// The same refusal each time, whatever order the parameters come in.
func TestDemandInOrder(t *testing.T) {
	t.Parallel()
	want := "[scope read scope write role admin log-in within 300 s acr gold amr otp]"
	for _, query := range []string{
		"audience=a&scope=read&scope=write&role=admin&max_age=300&acr_values=gold&amr=otp",
		"amr=otp&acr_values=gold&max_age=300&role=admin&scope=read&scope=write&audience=a",
	} {
		for range 20 {
			d, err := readDemand(query)
			if got := fmt.Sprint(d.rules); err != nil || got != want {
				t.Fatalf("%s: %s, %v", query, got, err)
			}
		}
	}
}

func TestSerialize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ scheme, host, want string }{
		{"https", "Shop.example.com", "https://shop.example.com"},
		{"https", "shop.example.com:443", "https://shop.example.com"},
		{"https", "shop.example.com:80", "https://shop.example.com:80"},
		{"http", "shop.example.com:80", "http://shop.example.com"},
		{"http", "[::1]:8080", "http://[::1]:8080"},
		{"http", "[::1]:80", "http://[::1]"},
		{"https", "shop.example.com:4443", "https://shop.example.com:4443"},
	} {
		if got := serialize(c.scheme, c.host); got != c.want {
			t.Errorf("%s %s: %s", c.scheme, c.host, got)
		}
	}
}
