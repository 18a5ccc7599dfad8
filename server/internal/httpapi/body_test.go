package httpapi

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/wire"
)

// What is read is what every other parser reads, or nothing.
func FuzzReadObject(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		var a string
		var b *string
		if readObject(body, Members{"a": &a, "b": &b}) != nil {
			return
		}
		var other map[string]any
		if err := json.Unmarshal(body, &other); err != nil {
			t.Fatalf("%q is no JSON: %v", body, err)
		}
		for name, value := range other {
			if name != "a" && name != "b" {
				t.Errorf("%q: member %q was let through", body, name)
			}
			if s, ok := value.(string); !ok || name == "a" && s != a || name == "b" && (b == nil || s != *b) {
				t.Errorf("%q: %s is read as %q, %v", body, name, a, b)
			}
		}
		if _, present := other["b"]; present != (b != nil) {
			t.Errorf("%q: present %v", body, b)
		}
	})
}

// Whatever a proxy forwards, the result is an address that stood there or the
// peer's own.
func FuzzClientAddress(f *testing.F) {
	s := &shell{Config: Config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {forwarded}}}
		got := s.clientAddress(r)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("%q: %v", forwarded, got)
		}
		r.RemoteAddr = "192.0.2.1:1"
		if got := s.clientAddress(r); got.String() != "192.0.2.1" {
			t.Errorf("a stranger is believed: %q: %v", forwarded, got)
		}
	})
}

func TestClientAddressWithoutAPeer(t *testing.T) {
	t.Parallel()
	s := &shell{Config: Config{Proxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}}
	for _, peer := range []string{"", "@", "pipe", "1.2.3.4"} {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}}}
		if got := s.clientAddress(r); got.IsValid() {
			t.Errorf("%q: %v", peer, got)
		}
	}
}

// Each body that package wire declares is read under the names that it
// declares, so that neither can be changed without the other.
func TestMembersAreThoseOfWire(t *testing.T) {
	t.Parallel()
	var login wire.LoginRequest
	members := Members{
		"username": &login.Username, "password": &login.Password, "audience": &login.Audience,
		"scope": &login.Scope, "device_token": &login.DeviceToken, "mode": &login.Mode,
	}
	v := reflect.ValueOf(&login).Elem()
	if v.NumField() != len(members) {
		t.Errorf("a log-in has %d members, %d are read", v.NumField(), len(members))
	}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if err := readObject([]byte(`{"`+name+`":"`+name+`"}`), members); err != nil || v.Field(i).String() != name {
			t.Errorf("%s: %q, %v", name, v.Field(i), err)
		}
	}
}

func TestNewReportsEveryFault(t *testing.T) {
	t.Parallel()
	for _, realm := range []string{"", "a\"b", "a\\b", "a\r\nb", "ä"} {
		_, err := New(http.NewServeMux(), Config{Realm: realm, Proxies: []netip.Prefix{{}}})
		if err == nil || !strings.Contains(err.Error(), "realm") || !strings.Contains(err.Error(), "trusted proxy 0") {
			t.Errorf("realm %q: %v", realm, err)
		}
	}
	if _, err := NewAuthenticator(AuthConfig{}); err == nil || !strings.Contains(err.Error(), "Issuer") || !strings.Contains(err.Error(), "no sessions") {
		t.Errorf("got %v", err)
	}
}

// A route that is served without the shell would be without all that it does.
func TestMuxWithoutShell(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	Handle(mux, "GET /x", Quick, func(*Call, *http.Request) error { return nil })
	defer func() {
		if recover() == nil {
			t.Error("it was served")
		}
	}()
	r, _ := http.NewRequest("GET", "/x", nil)
	mux.ServeHTTP(nil, r)
}

// What is no text: read whole and of its own type, or refused.
func TestReadObjectTypes(t *testing.T) {
	t.Parallel()
	type body struct {
		yes     bool
		maybe   *bool
		n       int64
		some    *int64
		list    []string
		few     *[]string
		object  json.RawMessage
		another *json.RawMessage
	}
	for text, want := range map[string]bool{
		`{}`:                          true,
		`{"yes":true,"maybe":false}`:  true,
		`{"n":0,"some":86400}`:        true,
		`{"n":9007199254740992}`:      true,
		`{"list":[],"few":["a","b"]}`: true,
		`{"object":{},"another":{"a":[1,{"b":null}]}}`: true,
		`{"yes":"true"}`:               false,
		`{"yes":1}`:                    false,
		`{"maybe":null}`:               false,
		`{"n":1.5}`:                    false,
		`{"n":-1}`:                     false,
		`{"n":"1"}`:                    false,
		`{"n":1e300}`:                  false,
		`{"n":9007199254740994}`:       false,
		`{"list":"a"}`:                 false,
		`{"list":["a",1]}`:             false,
		`{"list":[["a"]]}`:             false,
		`{"list":["\ud800"]}`:          false,
		`{"few":null}`:                 false,
		`{"object":[]}`:                false,
		`{"object":"{}"}`:              false,
		`{"another":null}`:             false,
		`{"list":[],"list":["a"]}`:     false,
		`{"object":{},"object":{}}`:    false,
		`{"object":{"a":1},"other":1}`: false,
	} {
		var b body
		err := readObject([]byte(text), Members{
			"yes": &b.yes, "maybe": &b.maybe, "n": &b.n, "some": &b.some, "list": &b.list, "few": &b.few, "object": &b.object, "another": &b.another,
		})
		if (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	var b body
	if err := readObject([]byte(`{"object":{"a":[1,"}"]},"list":["x","y"],"some":7,"yes":true}`), Members{"object": &b.object, "list": &b.list, "some": &b.some, "yes": &b.yes}); err != nil {
		t.Fatal(err)
	}
	if string(b.object) != `{"a":[1,"}"]}` || !reflect.DeepEqual(b.list, []string{"x", "y"}) || b.some == nil || *b.some != 7 || !b.yes {
		t.Errorf("read %+v", b)
	}
}
