package mint_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/mint"
)

// What travels is the encrypted token, so its size is what counts.
func TestSizeOfEncryptedTokens(t *testing.T) {
	t.Parallel()
	key, err := jwk.GenerateDecryption(jwk.ECDHES, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		claim   int // bytes; below the bound where the token is only signed
		warns   bool
		refused bool
	}{{300, false, false}, {900, true, false}, {4800, false, true}} {
		for _, form := range []string{"signed", "for the API", "opaque"} {
			t.Run(fmt.Sprintf("%s, a claim of %d bytes", form, c.claim), func(t *testing.T) {
				t.Parallel()
				h := open(t)
				r := request(fmt.Sprintf(`{"big":%q}`, strings.Repeat("x", c.claim)))
				switch form {
				case "for the API":
					r.Encrypter = key.Public()
				case "opaque":
					r.Opaque = true
				}
				compact, err := h.Token(r)
				encrypted := form != "signed"
				if refused := errors.Is(err, mint.ErrTooLarge); refused != (encrypted && c.refused) || refused && compact != "" {
					t.Fatalf("%d bytes, %v", len(compact), err)
				}
				if err == nil && strings.Count(compact, ".") == 4 != encrypted {
					t.Errorf("made %s", compact)
				}
				if c.refused {
					return
				}
				if warned := strings.Contains(h.log.String(), "access token is large"); warned != (encrypted && c.warns) {
					t.Errorf("%d bytes, logged %q", len(compact), h.log)
				}
			})
		}
	}
}
