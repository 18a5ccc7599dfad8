package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/wire"
)

// runners end a program of docs/verify-elsewhere.md, which defines verify, so
// that it prints for each token its subject or why it is refused.
var runners = map[string]struct {
	command []string
	driver  string
}{
	"js": {
		[]string{"node", "--input-type=module", "-"},
		"for (const t of process.argv.slice(2)) console.log(await verify(t).then((c) => c.sub, (e) => 'refused: ' + String(e.message).split('\\n')[0]))\n",
	},
	"python": {
		[]string{python, "-"},
		"\nimport sys\nfor t in sys.argv[1:]:\n    try:\n        print(verify(t)['sub'])\n    except jwt.PyJWTError as e:\n        print('refused:', e)\n",
	},
	"ruby": {
		[]string{"ruby", "-"},
		"\nARGV.each do |t|\n  puts verify(t)['sub']\nrescue JWT::DecodeError => e\n  puts \"refused: #{e.message}\"\nend\n",
	},
}

// TestVerifyElsewhere runs the programs of docs/verify-elsewhere.md as they
// stand there, but for the issuer's address.
func TestVerifyElsewhere(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/verify-elsewhere.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```(js|python|ruby)\n(?://|#) ([\\w-]+)(.*?)^```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 4 {
		t.Fatalf("%d programs instead of 4", len(blocks))
	}
	for _, b := range blocks {
		language, name, program := b[1], b[2], b[3]
		if name == "jwt" {
			name = "ruby-jwt"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, l := range libraries {
				if l.name == name {
					l.need(t)
				}
			}
			issuer := newElsewhere(t) // now: some tokens are only good for a while
			r := runners[language]
			args := r.command[1:len(r.command):len(r.command)]
			for _, c := range issuer.cases {
				args = append(args, c.token)
			}
			cmd := exec.CommandContext(t.Context(), r.command[0], args...)
			cmd.Dir = "interop"
			_, program, _ = strings.Cut(program, "\n") // the rest of the comment
			cmd.Stdin = strings.NewReader(strings.ReplaceAll(program, interopIssuer, issuer.url) + r.driver)
			out, err := cmd.CombinedOutput()
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if err != nil || len(lines) != len(issuer.cases) {
				t.Fatalf("%v\n%s", err, out)
			}
			for i, c := range issuer.cases {
				if accepted := lines[i] == "bob"; accepted != c.good || !accepted && !strings.HasPrefix(lines[i], "refused: ") {
					t.Errorf("%s: %s", c.name, lines[i])
				}
			}
		})
	}
}

// An elsewhere is an issuer that also makes bad tokens.
type elsewhere struct {
	url   string
	cases []elsewhereCase
}

type elsewhereCase struct {
	name, token string
	good        bool
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	key, other, stranger := generateKey(t, jwk.ES256), generateKey(t, jwk.ES384), generateKey(t, jwk.ES256)
	set, err := jwk.NewSet(key.Public(), other.Public())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(text)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	publishNothing(t, mux, server.URL)
	pem, err := key.Public().PEM()
	if err != nil {
		t.Fatal(err)
	}
	confused, err := jwk.NewHMAC(jwk.HS256, pem, key.KeyID())
	if err != nil {
		t.Fatal(err)
	}

	e := &elsewhere{url: server.URL}
	add := func(name string, c jwt.IssuerConfig, audience string, good bool) {
		t.Helper()
		if c.Issuer == "" {
			c.Issuer = e.url
		}
		if c.Key == nil {
			c.Key = key
		}
		issuer, err := jwt.NewIssuer(c)
		if err != nil {
			t.Fatal(err)
		}
		token, err := issuer.Issue(jwt.Claims{Subject: "bob", Audience: []string{audience}, Life: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		e.cases = append(e.cases, elsewhereCase{name, token, good})
	}
	ago := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(-d) } }
	add("good", jwt.IssuerConfig{}, interopAudience, true)
	add("expired within the leeway", jwt.IssuerConfig{Now: ago(61 * time.Second)}, interopAudience, true)
	add("expired", jwt.IssuerConfig{Now: ago(2 * time.Minute)}, interopAudience, false)
	add("for another API", jwt.IssuerConfig{}, "https://other.example.com", false)
	add("of another issuer", jwt.IssuerConfig{Issuer: "https://other.example.com"}, interopAudience, false)
	add("of another type", jwt.IssuerConfig{Type: "JWT"}, interopAudience, false)
	add("of a stranger's key", jwt.IssuerConfig{Key: stranger}, interopAudience, false)
	add("of another algorithm, with a key of the set", jwt.IssuerConfig{Key: other}, interopAudience, false)
	add("under the public key as a secret", jwt.IssuerConfig{Key: confused}, interopAudience, false)

	parts := strings.Split(e.cases[0].token, ".")
	e.cases = append(e.cases,
		elsewhereCase{"with the claims of another", parts[0] + "." + strings.Split(e.cases[1].token, ".")[1] + "." + parts[2], false},
		elsewhereCase{"unsigned", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + parts[1] + ".", false})
	signer, err := jws.NewSigner(key, jwt.DefaultType)
	if err != nil {
		t.Fatal(err)
	}
	forever, err := signer.Sign([]byte(`{"iss":"` + e.url + `","aud":"` + interopAudience + `","sub":"bob"}`))
	if err != nil {
		t.Fatal(err)
	}
	e.cases = append(e.cases, elsewhereCase{"without an end", forever, false})
	return e
}

// publishNothing makes an issuer known by its metadata, and has it revoke nothing.
func publishNothing(t *testing.T, mux *http.ServeMux, url string) {
	t.Helper()
	const keysPath, feedPath = "/feed-keys.json", "/v1/revocations"
	key := generateKey(t, jwk.ES256)
	set, err := jwk.NewSet(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: url, Key: key, Type: revocation.Type})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(pattern, mediaType string, body func() ([]byte, error)) {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, _ *http.Request) {
			b, err := body()
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", mediaType)
			w.Write(b)
		})
	}
	answer(wire.PathMetadata, "application/json", func() ([]byte, error) {
		return json.Marshal(wire.Metadata{
			Issuer: url, JWKSURI: url + "/.well-known/jwks.json", RevocationsURI: url + feedPath, RevocationsJWKSURI: url + keysPath,
		})
	})
	answer(keysPath, "application/json", func() ([]byte, error) { return json.Marshal(set) })
	answer(feedPath, revocation.MediaType, func() ([]byte, error) {
		d := revocation.Document{Epoch: "e1", To: 1, Snapshot: true}
		document, err := signer.Issue(jwt.Claims{Subject: url, Audience: []string{url}, Life: time.Minute, Custom: d.Custom()})
		return []byte(document), err
	})
}

func generateKey(t *testing.T, alg jwk.Algorithm) *jwk.PrivateKey {
	t.Helper()
	key, err := jwk.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
