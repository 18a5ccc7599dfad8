package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jotsmith": main})
}

// TestScripts runs testdata/*.txtar, which say what each command prints and
// how it exits: 0, 1 where it refuses, 2 where the command line is wrong.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("ADDR", freeAddr(t))
			e.Setenv("ADDR2", freeAddr(t))
			e.Setenv("COLUMNS", "80")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit":     cmdExit,
			"http":     cmdHTTP,
			"sql":      cmdSQL,
			"mint":     cmdMint,
			"makecert": cmdMakeCert,
			"mode":     cmdMode,
			"pick":     cmdPick,
			"edit":     cmdEdit,
			"cut":      cmdCut,
			"noted":    cmdNoted,
		},
		RequireUniqueNames: true,
	})
}

func freeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// cmdExit runs a command that must exit with a code: exit 2 jotsmith serve …
func cmdExit(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// cmdHTTP waits until a URL answers a status: http 200 http://…/readyz
func cmdHTTP(ts *testscript.TestScript, _ bool, args []string) {
	client := &http.Client{Timeout: time.Second}
	last := "no answer"
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); {
		resp, err := client.Get(args[1])
		if err == nil {
			resp.Body.Close()
			if last = fmt.Sprint(resp.StatusCode); last == args[0] {
				return
			}
		}
		time.Sleep(5 * time.Millisecond) // between two looks at another process
	}
	ts.Fatalf("%s: %s, want %s", args[1], last, args[0])
}

// cmdSQL changes a database behind the program's back: sql FILE STATEMENT
func cmdSQL(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}

// cmdPick sets a variable to what a pattern's group matches in what the last
// command printed: pick app '^(app_\S+) +Nightly'
func cmdPick(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) != 2 {
		ts.Fatalf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// cmdMode wants a file's permissions: mode 0600 FILE
func cmdMode(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", name, got, args[0])
		}
	}
}

// cmdEdit copies a file with a change in it: edit FROM TO OLD NEW
func cmdEdit(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[2]) {
		ts.Fatalf("%s does not hold %q", args[0], args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Replace(text, args[2], args[3], 1)), 0o600))
}

// cmdCut copies some lines of a file and half of the next: cut FROM TO LINES
func cmdCut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	lines := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	text := strings.Join(lines[:n], "") + lines[n][:len(lines[n])/2]
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// cmdNoted sets NOTED to the head in the last line of an export.
func cmdNoted(ts *testscript.TestScript, _ bool, args []string) {
	var last struct{ Head string }
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	ts.Check(json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	ts.Setenv("NOTED", last.Head)
}

const (
	testIssuer   = "https://auth.example.com"
	testAudience = "https://tasks.example.com"
)

// cmdMint writes a key (key.jwk, key.pem, jwks.json), another one (other.jwk)
// and tokens that the first one signed: good.jwt, expired.jwt, id.jwt.
func cmdMint(ts *testscript.TestScript, _ bool, _ []string) {
	key, err := jwk.Generate(jwk.ES256)
	ts.Check(err)
	other, err := jwk.Generate(jwk.ES256)
	ts.Check(err)
	write := func(name string, raw []byte, err error) {
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name), raw, 0o600))
	}
	raw, err := json.Marshal(key.Public())
	write("key.jwk", raw, err)
	raw, err = json.Marshal(other.Public())
	write("other.jwk", raw, err)
	raw, err = key.Public().PEM()
	write("key.pem", raw, err)
	set, err := jwk.NewSet(key.Public())
	ts.Check(err)
	raw, err = set.MarshalJSON()
	write("jwks.json", raw, err)

	for name, c := range map[string]struct {
		at   time.Time
		typ  string
		life time.Duration
	}{
		"good.jwt":    {time.Now(), "", 15 * time.Minute},
		"expired.jwt": {time.Now().Add(-time.Hour), "", 15 * time.Minute},
		"id.jwt":      {time.Now(), "JWT", 15 * time.Minute},
		"long.jwt":    {time.Now(), "", 24 * time.Hour},
	} {
		issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: testIssuer, Key: key, Type: c.typ, Now: func() time.Time { return c.at }})
		ts.Check(err)
		compact, err := issuer.Issue(jwt.Claims{Subject: "acc_ada", Audience: []string{testAudience}, Life: c.life, Roles: []string{"editor"}})
		write(name, []byte(compact+"\n"), err)
	}
}

// cmdMakeCert writes cert.pem and cert.key for 127.0.0.1.
func cmdMakeCert(ts *testscript.TestScript, _ bool, args []string) {
	c := &x509.Certificate{SerialNumber: big.NewInt(1)}
	if len(args) > 0 { // such as -1h, one that expired an hour ago
		life, err := time.ParseDuration(args[0])
		ts.Check(err)
		c.NotAfter = time.Now().Add(life)
	}
	der, key, err := selfSigned(c)
	ts.Check(err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("cert.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
}

// selfSigned completes c to a certificate for 127.0.0.1.
func selfSigned(c *x509.Certificate) (der []byte, key *ecdsa.PrivateKey, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	c.Subject = pkix.Name{CommonName: "test"}
	c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	c.NotBefore = time.Now().Add(-48 * time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(90 * 24 * time.Hour)
	}
	der, err = x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	return der, key, err
}
