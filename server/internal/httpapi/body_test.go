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
