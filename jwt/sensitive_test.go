package jwt_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

func TestSensitiveClaims(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		object string
		names  []string
		want   string
	}{
		{`{"iss":"https://auth.example.com","sub":"acc_anna","roles":["editor"],"plan":{"seats":5}}`, nil, ""},
		{`{"email":"x"}`, nil, "email"},
		{`{"email":null}`, nil, ""},
		{`{"email_verified":true,"phone_number_verified":false}`, nil, ""},
		{`{"user_email":1,"userEmail":2,"User-Email":3,"https://example.com/claims/email":4}`, nil, "user_email userEmail User-Email https://example.com/claims/email"},
		{`{"birthdate":"1990-01-01","dateOfBirth":"","phone_number":"","passport_number":"","ssn":"","iban":"","client_secret":"","apiKey":""}`, nil,
			"birthdate dateOfBirth phone_number passport_number ssn iban client_secret apiKey"},
		{`{"person":{"contact":{"email":"x"},"name":"Anna"}}`, nil, "person.contact.email"},
		{`{"login":"anna@example.com"}`, nil, "login"},
		{`{"login":"anna@host","uri":"https://anna@example.com","text":"anna@example.com writes","two":"a@b@c.d","at":"@example.com"}`, nil, ""},
		{`{"k":"-----BEGIN PRIVATE KEY-----"}`, nil, "k"},
		{`{"emailing":"x","smartphones":2,"spin":1}`, nil, ""},
		{`{"email":"x","shoe_size":44}`, []string{"shoe_size"}, "shoe_size"},
		{`{"shoeSize":44}`, []string{"shoe_size"}, "shoeSize"},
		{`[]`, nil, ""}, {``, nil, ""}, {`{"email":1,"email":2}`, nil, ""}, {`{"":1}`, nil, ""},
	} {
		if got := strings.Join(jwt.SensitiveClaims([]byte(c.object), c.names...), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.object, got, c.want)
		}
	}
	names := jwt.DefaultSensitiveNames()
	names[0] = "x"
	if jwt.DefaultSensitiveNames()[0] == "x" {
		t.Error("the list can be changed")
	}
}

func TestIssuerTellsOfSensitiveClaims(t *testing.T) {
	t.Parallel()
	key, api := newKey(t, jwk.ES256), newSeal(t)
	var told []string
	config := jwt.IssuerConfig{Issuer: issuerName, Key: key, OnSensitive: func(claim string) { told = append(told, claim) }}
	issue := func(i *jwt.Issuer, custom any) {
		if _, err := i.Issue(jwt.Claims{Subject: "acc_anna", Audience: []string{audience}, Life: time.Minute, Custom: custom}); err != nil {
			t.Fatal(err)
		}
	}
	i, err := jwt.NewIssuer(config)
	if err != nil {
		t.Fatal(err)
	}
	issue(i, map[string]any{"email": "anna@example.com", "phone": "1"})
	issue(i, map[string]any{"email": "bert@example.com", "dob": "x"})
	issue(i, map[string]any{})
	issue(i, nil)
	if !slices.Equal(told, []string{"email", "phone", "dob"}) {
		t.Errorf("told of %v", told)
	}
	sealed, err := i.Sealed(api.Public())
	if err != nil {
		t.Fatal(err)
	}
	issue(sealed, map[string]any{"ssn": "1"})
	if len(told) != 3 {
		t.Errorf("told of what nobody can read: %v", told)
	}
	told, config.SensitiveNames = nil, []string{"shoe_size"}
	if i, err = jwt.NewIssuer(config); err != nil {
		t.Fatal(err)
	}
	issue(i, map[string]any{"shoe_size": 44, "ssn": "1"})
	if !slices.Equal(told, []string{"shoe_size"}) {
		t.Errorf("told of %v", told)
	}
	config.OnSensitive = nil
	if _, err := jwt.NewIssuer(config); err == nil {
		t.Error("names that nobody would hear of were taken")
	}
}
