package mint_test

import (
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

// A claim that looks sensitive is warned of once, by its name alone, where
// everybody can read it.
func TestSensitiveClaimsAreWarnedOfOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	for range 3 {
		for _, claims := range []string{`{"email":"ada@example.com","plan":"team"}`, `{"person":{"birthdate":"1990-01-01"}}`} {
			if _, err := h.Token(request(claims)); err != nil {
				t.Fatal(err)
			}
		}
	}
	api, err := jwk.GenerateDecryption(jwk.ECDHESA128KW, "")
	if err != nil {
		t.Fatal(err)
	}
	sealed := request(`{"passport_number":"X123"}`)
	sealed.Encrypter = api.Public()
	if _, err := h.Token(sealed); err != nil {
		t.Fatal(err)
	}
	log := h.log.String()
	for name, want := range map[string]int{"claim=email": 1, "claim=person.birthdate": 1, "passport": 0, "ada@": 0, "1990": 0, "plan": 0} {
		if n := strings.Count(log, name); n != want {
			t.Errorf("%q %d times, want %d: %s", name, n, want, log)
		}
	}
}
