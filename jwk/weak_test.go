package jwk_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

// What can be guessed is taken only by the function whose name says so, and what
// is too short by none.
func TestJWS03DangerousSecrets(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{
		"all zero": strings.Repeat("\x00", 32), "a word again and again": strings.Repeat("secret", 6),
		"from documentation": "a-string-secret-at-least-256-bits-long",
	} {
		if key, err := jwk.NewHMAC(jwk.HS256, []byte(secret), "k"); err == nil || key != nil {
			t.Errorf("%s: NewHMAC made a key", name)
		}
		k := base64.RawURLEncoding.EncodeToString([]byte(secret))
		if key, err := jwk.ParseSecret([]byte(`{"kty":"oct","alg":"HS256","kid":"k","k":"` + k + `"}`)); err == nil || key != nil {
			t.Errorf("%s: ParseSecret made a key", name)
		}
		key, err := jwk.DangerouslyNewHMAC(jwk.HS256, []byte(secret), "k")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		mac, _ := key.AppendSignature(nil, []byte("m"))
		if err := key.Verify([]byte("m"), mac); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, secret := range map[string]string{"empty": "", "secret": "secret", "31 zero bytes": strings.Repeat("\x00", 31), "too long": strings.Repeat("k", 5000)} {
		if key, err := jwk.DangerouslyNewHMAC(jwk.HS256, []byte(secret), "k"); err == nil || key != nil {
			t.Errorf("%s: DangerouslyNewHMAC made a key", name)
		}
	}
	if key, err := jwk.DangerouslyNewHMAC(jwk.HS256, make([]byte, 32), ""); err == nil || key != nil {
		t.Error("DangerouslyNewHMAC made a key without an id")
	}
}

func TestJWS03WeakSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, secret string
		ok           bool
	}{
		{"empty", "", false},
		{"secret", "secret", false},
		{"31 bytes", "0123456789abcdefghijklmnopqrstu", false},
		{"32 bytes", "0123456789abcdefghijklmnopqrstuv", true},
		{"all zero", strings.Repeat("\x00", 32), false},
		{"one byte", strings.Repeat("x", 64), false},
		{"a word again and again", strings.Repeat("secret", 6), false},
		{"a word again and again, cut", strings.Repeat("jotsmith-", 5)[:40], false},
		{"half twice", strings.Repeat("0123456789abcdef", 2), false},
		{"few different bytes", "abcabdabeabcaabbccddeeaebdcabdeacbde", false},
		{"from documentation", "a-string-secret-at-least-256-bits-long", false},
		{"hexadecimal", "5f4dcc3b5aa765d61d8327deb882cf99b9a1c0d2e3f40516", true},
		{"too long", strings.Repeat("0123456789abcdefghijklmnopqrstuv", 200), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key, err := jwk.NewHMAC(jwk.HS256, []byte(c.secret), "k")
			if (err == nil) != c.ok || (key == nil) == c.ok {
				t.Errorf("%v, %v", key, err)
			}
			if err != nil && len(c.secret) > 6 && strings.Contains(err.Error(), c.secret) {
				t.Error("the error shows the secret")
			}
		})
	}
	// RFC 7518 §3.2: at least as long as the hash's output.
	for alg, size := range map[jwk.Algorithm]int{jwk.HS256: 32, jwk.HS384: 48, jwk.HS512: 64} {
		long := []byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/")
		for _, n := range []int{0, 1, 31, 32, 47, 48, 63, 64} {
			_, err := jwk.NewHMAC(alg, long[:n], "k")
			if (err == nil) != (n >= size) {
				t.Errorf("%s with %d bytes: %v", alg, n, err)
			}
			_, err = jwk.DangerouslyNewHMAC(alg, long[:n], "k")
			if (err == nil) != (n >= size) {
				t.Errorf("%s with %d bytes, dangerously: %v", alg, n, err)
			}
		}
		mac, err := must(jwk.GenerateSecret(alg)).AppendSignature(nil, []byte("m"))
		if err != nil || len(mac) != size {
			t.Errorf("%s: %d bytes, %v", alg, len(mac), err)
		}
	}
	good := []byte("0123456789abcdefghijklmnopqrstuv")
	for name, kid := range map[string]string{"empty": "", "too long": strings.Repeat("k", 201), "control": "a\nb", "not UTF-8": "\xff"} {
		if _, err := jwk.NewHMAC(jwk.HS256, good, kid); err == nil {
			t.Errorf("key id %s: accepted", name)
		}
	}
	for _, alg := range []jwk.Algorithm{jwk.RS256, jwk.ES256, jwk.EdDSA, "none", "", "HS1"} {
		if _, err := jwk.NewHMAC(alg, good, "k"); err == nil {
			t.Errorf("secret for %q: accepted", alg)
		}
		if _, err := jwk.GenerateSecret(alg); err == nil {
			t.Errorf("secret for %q: generated", alg)
		}
	}
	secret := bytes.Clone(good)
	key, _ := jwk.NewHMAC(jwk.HS256, secret, "k")
	before, _ := key.AppendSignature(nil, []byte("m"))
	secret[0] = 'X'
	if err := key.Verify([]byte("m"), before); err != nil {
		t.Error("the key changes with its caller's bytes")
	}
}

func TestJWS19WeakRSA(t *testing.T) {
	t.Parallel()
	good := generated()[jwk.RS256]
	private, _ := good.MarshalPrivateJWK()
	var m map[string]string
	if err := json.Unmarshal(private, &m); err != nil {
		t.Fatal(err)
	}
	n := number(t, m["n"])
	public := func(n *big.Int, e int) error {
		_, err := jwk.NewRSAPublic(jwk.RS256, &rsa.PublicKey{N: n, E: e}, "")
		return err
	}
	odd := func(bits uint) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(12345))
	}
	for _, c := range []struct {
		name string
		n    *big.Int
		e    int
		ok   bool
	}{
		{"good", n, 65537, true},
		{"1024 bits", odd(1024), 65537, false},
		{"2047 bits", odd(2047), 65537, false},
		{"8193 bits", odd(8193), 65537, false},
		{"even modulus", new(big.Int).Add(n, big.NewInt(1)), 65537, false},
		{"negative modulus", new(big.Int).Neg(n), 65537, false},
		{"zero", new(big.Int), 65537, false},
		{"e=0", n, 0, false},
		{"e=1", n, 1, false},
		{"e=2", n, 2, false},
		{"e=3", n, 3, false},
		{"e=17", n, 17, false},
		{"e even", n, 65538, false},
		{"e negative", n, -65537, false},
		{"e larger", n, 65539, true},
		{"ROCA", rocaModulus(t), 65537, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := public(c.n, c.e); (err == nil) != c.ok {
				t.Errorf("error %v", err)
			} else if c.name == "ROCA" && !strings.Contains(err.Error(), "ROCA") {
				t.Errorf("refused for another reason: %v", err)
			}
		})
	}
	for name, alg := range map[string]jwk.Algorithm{"none": "none", "HS256": jwk.HS256, "ES256": jwk.ES256, "RSA1_5": "RSA1_5", "empty": ""} {
		if _, err := jwk.NewRSAPublic(alg, &rsa.PublicKey{N: n, E: 65537}, ""); err == nil {
			t.Errorf("RSA key for %s accepted", name)
		}
	}
	other, _ := rsa.GenerateKey(rand.Reader, 2048)
	for _, c := range []struct{ name, member, value string }{
		{"another modulus", "n", text64(other.N)},
		{"another private exponent", "d", text64(other.D)},
		{"another prime", "p", text64(other.Primes[0])},
		{"prime one", "p", "AQ"},
		{"another dp", "dp", text64(other.Precomputed.Dp)},
		{"another dq", "dq", text64(other.Precomputed.Dq)},
		{"another qi", "qi", text64(other.Precomputed.Qinv)},
		{"no primes", "p", ""},
		{"small exponent", "e", "Aw"},
		{"huge exponent", "e", "AQAAAAE"},
		{"leading zero", "n", "AA" + m["n"]},
		{"more primes", "oth", "x"},
		{"no algorithm", "alg", ""},
		{"another algorithm", "alg", "ES256"},
		{"encryption algorithm", "alg", "RSA-OAEP"},
		{"for encryption", "use", "enc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			changed := map[string]string{}
			for k, v := range m {
				changed[k] = v
			}
			changed[c.member] = c.value
			if c.value == "" {
				delete(changed, c.member)
			}
			text, _ := json.Marshal(changed)
			if _, err := jwk.ParsePrivate(text); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func number(t *testing.T, s string) *big.Int {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(b)
}

func text64(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }

// rocaModulus makes a modulus as the faulty library did: of two primes
// k·M + (65537^a mod M), where M is the product of the first 126 primes.
func rocaModulus(t *testing.T) *big.Int {
	t.Helper()
	m := big.NewInt(1)
	for p, n := int64(2), 0; n < 126; p++ {
		if big.NewInt(p).ProbablyPrime(20) {
			m.Mul(m, big.NewInt(p))
			n++
		}
	}
	prime := func(a int64) *big.Int {
		base := new(big.Int).Exp(big.NewInt(65537), big.NewInt(a), m)
		k := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(3), 1022), m)
		for ; ; k.Add(k, big.NewInt(1)) {
			if p := new(big.Int).Add(new(big.Int).Mul(k, m), base); p.ProbablyPrime(5) {
				return p
			}
		}
	}
	return new(big.Int).Mul(prime(1009), prime(2003))
}

func TestJWS19WrongCurve(t *testing.T) {
	t.Parallel()
	for alg, own := range map[jwk.Algorithm]elliptic.Curve{jwk.ES256: elliptic.P256(), jwk.ES384: elliptic.P384(), jwk.ES512: elliptic.P521()} {
		for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
			key := must(ecdsa.GenerateKey(curve, rand.Reader))
			if _, err := jwk.NewECDSAPublic(alg, &key.PublicKey, ""); (err == nil) != (curve == own) {
				t.Errorf("%s: public key on %s: %v", alg, curve.Params().Name, err)
			}
			if _, err := jwk.NewECDSAPrivate(alg, key, ""); (err == nil) != (curve == own) {
				t.Errorf("%s: private key on %s: %v", alg, curve.Params().Name, err)
			}
			if curve == elliptic.P224() {
				continue
			}
			text := must(must(jwk.NewECDSAPrivate(map[elliptic.Curve]jwk.Algorithm{elliptic.P256(): jwk.ES256, elliptic.P384(): jwk.ES384, elliptic.P521(): jwk.ES512}[curve], key, "")).MarshalPrivateJWK())
			if _, err := jwk.ParsePrivate(with(t, text, "alg", string(alg))); (err == nil) != (curve == own) {
				t.Errorf("%s: JWK on %s: %v", alg, curve.Params().Name, err)
			}
			// Without "alg" the curve decides.
			var members map[string]string
			if err := json.Unmarshal(text, &members); err != nil {
				t.Fatal(err)
			}
			delete(members, "alg")
			if key, err := jwk.ParsePrivate(must(json.Marshal(members))); err != nil || (key.Algorithm() == alg) != (curve == own) {
				t.Errorf("%s without alg: %v, %v", curve.Params().Name, key, err)
			}
		}
	}
	good, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	//lint:ignore SA1019 the parsers of crypto/ecdsa would not make such a key
	mixed := &ecdsa.PrivateKey{PublicKey: other.PublicKey, D: good.D}
	if _, err := jwk.NewECDSAPrivate(jwk.ES256, mixed, ""); err == nil {
		t.Error("halves of two keys accepted")
	}
	//lint:ignore SA1019 the parsers of crypto/ecdsa would not make such a key
	if _, err := jwk.NewECDSAPublic(jwk.ES256, &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, ""); err == nil {
		t.Error("point off the curve accepted")
	}
	//lint:ignore SA1019 the parsers of crypto/ecdsa would not make such a key
	if _, err := jwk.NewECDSAPublic(jwk.ES256, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}, ""); err == nil {
		t.Error("point at infinity accepted")
	}
	if _, err := jwk.NewECDSAPublic(jwk.ES256, nil, ""); err == nil {
		t.Error("nil accepted")
	}
	if _, err := jwk.NewECDSAPublic(jwk.EdDSA, &good.PublicKey, ""); err == nil {
		t.Error("ECDSA key for EdDSA accepted")
	}
	for _, alg := range []string{"ES256K", "ES384", "ES512", "ESP256", "none"} {
		text := fmt.Sprintf(`{"kty":"EC","crv":"P-256","alg":%q,"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`, alg)
		if _, err := jwk.ParsePublic([]byte(text)); err == nil {
			t.Errorf("P-256 key for %s accepted", alg)
		}
	}
}

func TestJWK06Purpose(t *testing.T) {
	t.Parallel()
	seventeen := ""
	for i := range 15 {
		seventeen += fmt.Sprintf(`,"op%d"`, i)
	}
	const x, d = `"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`, `"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"`
	for _, c := range []struct {
		name, members string
		public, sign  bool
	}{
		{"nothing said", ``, true, true},
		{"use sig", `,"use":"sig"`, true, true},
		{"use enc", `,"use":"enc"`, false, false},
		{"use of another kind", `,"use":"tls"`, false, false},
		{"use no string", `,"use":["sig"]`, false, false},
		{"verify", `,"key_ops":["verify"]`, true, false},
		{"sign", `,"key_ops":["sign"]`, false, true},
		{"both", `,"key_ops":["sign","verify"]`, true, true},
		{"encrypt", `,"key_ops":["encrypt"]`, false, false},
		{"no operation", `,"key_ops":[]`, false, false},
		{"one operation twice", `,"key_ops":["verify","sign","verify"]`, false, false},
		{"operations null", `,"key_ops":null`, false, false},
		{"an operation no string", `,"key_ops":["verify",1]`, false, false},
		{"17 operations", `,"key_ops":["verify","sign"` + seventeen + `]`, false, false},
		{"operations no array", `,"key_ops":"verify"`, false, false},
		{"use sig, but encrypt", `,"use":"sig","key_ops":["encrypt"]`, false, false},
		{"its algorithm", `,"alg":"EdDSA"`, true, true},
		{"its algorithm, fully specified", `,"alg":"Ed25519"`, true, true},
		{"another algorithm", `,"alg":"ES256"`, false, false},
		{"no such algorithm", `,"alg":"none"`, false, false},
		{"algorithm null", `,"alg":null`, false, false},
		{"crv twice", `,"crv":"Ed25519"`, false, false},
		{"certificate chain is ignored", `,"x5c":["AAAA"],"x5u":"https://attacker.example"`, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key := `{"kty":"OKP","crv":"Ed25519",` + x + c.members
			if _, err := jwk.ParsePublic([]byte(key + `}`)); (err == nil) != c.public {
				t.Errorf("public: %v", err)
			}
			if _, err := jwk.ParsePrivate([]byte(key + `,` + d + `}`)); (err == nil) != c.sign {
				t.Errorf("private: %v", err)
			}
		})
	}
}

func TestJWS10Ed25519(t *testing.T) {
	t.Parallel()
	// The y coordinates of the points whose order divides 8, with both signs of
	// x, and their encodings that are not canonical.
	ys := []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	}
	forgeable := 0
	for _, y := range ys {
		for _, sign := range []byte{0, 0x80} {
			point, _ := hex.DecodeString(y)
			point[31] |= sign
			if _, err := jwk.NewEd25519Public(jwk.EdDSA, point, ""); err == nil {
				t.Errorf("%x accepted", point)
			}
			// The harm: under such a key R = the neutral point and S = 0 is a
			// signature of many messages.
			forged := make([]byte, 64)
			forged[0] = 1
			for i := range 64 {
				if ed25519.Verify(point, []byte{byte(i)}, forged) {
					forgeable++
					break
				}
			}
		}
	}
	// All but those with a sign that x = 0 cannot have, in some versions of the
	// decoder.
	if forgeable < 8 {
		t.Errorf("only %d of the points are of small order", forgeable)
	}
	// Half of all y belong to no point.
	refused := 0
	for i := range 64 {
		point := bytes.Repeat([]byte{byte(i + 3)}, 32)
		point[31] &= 0x7f
		_, err := jwk.NewEd25519Public(jwk.EdDSA, point, "")
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), "not on the curve") {
				t.Error(err)
			}
		}
	}
	if refused < 15 || refused > 49 {
		t.Errorf("%d of 64 points refused", refused)
	}
	key := generated()[jwk.EdDSA]
	message := []byte("message")
	good, _ := key.AppendSignature(nil, message)
	// S + L is the same scalar in another spelling.
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(good[32:])
	slices.Reverse(s)
	high := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(high)
	if err := key.Public().Verify(message, append(slices.Clone(good[:32]), high...)); err != jwk.ErrSignature {
		t.Errorf("S + L: %v", err)
	}
	for i := range 200 {
		k, err := jwk.Generate(jwk.EdDSA)
		if err != nil {
			t.Fatalf("good key %d refused: %v", i, err)
		}
		if _, err := jwk.ParsePrivate(must(k.MarshalPrivateJWK())); err != nil {
			t.Fatal(err)
		}
	}
	pub, private, _ := ed25519.GenerateKey(rand.Reader)
	_, another, _ := ed25519.GenerateKey(rand.Reader)
	mixed := append(slices.Clone(another[:32]), pub...)
	if _, err := jwk.NewEd25519Private(jwk.EdDSA, mixed, ""); err == nil {
		t.Error("halves of two keys accepted")
	}
	if _, err := jwk.NewEd25519Private(jwk.EdDSA, private[:32], ""); err == nil {
		t.Error("half a key accepted")
	}
	if _, err := jwk.NewEd25519Public(jwk.EdDSA, pub[:31], ""); err == nil {
		t.Error("31 bytes accepted")
	}
}

// The equation is checked without the cofactor and R by its bytes, so that there
// is one verdict on signatures of which libraries differ. They were made with the
// private key, which nobody else could do.
func TestJWS10MixedOrder(t *testing.T) {
	t.Parallel()
	const (
		good  = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
		mixed = "b502ff3d92e31d8190b4aa4ea0414005167fad089c4de9dac8a2fc850fed4f58" // the same and a point of order 8
	)
	for _, c := range []struct {
		name, public, message, r, s string
		ok                          bool
	}{
		{"R of mixed order", good, "message",
			"d63c01223147541df4e170763e9e2788a8bf5971f52a93c5829dbe6f5ff6bba9", "e0e6f6e6005c820580bd7fa54cbe950a5eb802ecd74a8898ec42a9aeaed22604", false},
		{"R of order 8", good, "message",
			"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "a8d5b150dc02130086ba367797e1c136b75fac9c65b0b2678d8db1919703c60d", false},
		{"R neutral", good, "message",
			"0100000000000000000000000000000000000000000000000000000000000000", "e404f4e96e0b12dc6c3ec416ed1d5e91b66a37ca15a8b36c06938736133a2d0c", true},
		{"R neutral, y not reduced", good, "message",
			"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "69bd617fec36dc0be89debbed9c25bfe1e38914a62901170888d64915dd96b00", false},
		{"R neutral, with a sign", good, "message",
			"0100000000000000000000000000000000000000000000000000000000000080", "2a7f06cd3cf4fe251577c14ce2a3ffb6e23f8426ee226228dc854584a7f4db0e", false},
		{"A of mixed order, hash a multiple of 8", mixed, "message 0",
			"17ffad8068dc0de9935d36636f3ad1b5de6de3413b12388e453b05f2a4c1d3db", "116458f6290a432346df30e243eadebbccc77c0bd19a1ef8572b063656c76a0a", true},
		{"A of mixed order, another hash", mixed, "message 1",
			"17ffad8068dc0de9935d36636f3ad1b5de6de3413b12388e453b05f2a4c1d3db", "5dbadc1dac37840dd7c69f4430db7d1056ead6dee6a844ecddc5385ea147fb0b", false},
	} {
		public, _ := hex.DecodeString(c.public)
		signature, _ := hex.DecodeString(c.r + c.s)
		for _, alg := range []jwk.Algorithm{jwk.EdDSA, jwk.Ed25519} {
			key, err := jwk.NewEd25519Public(alg, public, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := key.Verify([]byte(c.message), signature); (err == nil) != c.ok {
				t.Errorf("%s: %s: %v", alg, c.name, err)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestJWS09ECDSA(t *testing.T) {
	t.Parallel()
	for alg, curve := range map[jwk.Algorithm]elliptic.Curve{jwk.ES256: elliptic.P256(), jwk.ES384: elliptic.P384(), jwk.ES512: elliptic.P521()} {
		key := generated()[alg]
		message := []byte("message")
		good, _ := key.AppendSignature(nil, message)
		n := curve.Params().N
		size := (curve.Params().BitSize + 7) / 8
		fixed := func(r, s *big.Int) []byte {
			return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		}
		r, s := new(big.Int).SetBytes(good[:size]), new(big.Int).SetBytes(good[size:])
		zero, one := new(big.Int), big.NewInt(1)
		max := new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*size)), one)
		for _, c := range []struct {
			name      string
			signature []byte
			ok        bool
		}{
			{"as made", good, true},
			{"the other s", fixed(r, new(big.Int).Sub(n, s)), true},
			{"r=0 s=0", fixed(zero, zero), false},
			{"r=0", fixed(zero, s), false},
			{"s=0", fixed(r, zero), false},
			{"r=n", fixed(n, s), false},
			{"s=n", fixed(r, n), false},
			{"r=n s=0", fixed(n, zero), false},
			{"r=1 s=1", fixed(one, one), false},
			{"all ones", fixed(max, max), false},
			{"swapped", fixed(s, r), false},
			{"one byte less", good[:len(good)-1], false},
			{"one byte more", append(slices.Clone(good), 0), false},
			{"zero before", append([]byte{0}, good...), false},
			{"zeros before both", slices.Concat([]byte{0}, good[:size], []byte{0}, good[size:]), false},
			{"DER", der(r, s), false},
			{"empty", nil, false},
		} {
			t.Run(string(alg)+" "+c.name, func(t *testing.T) {
				t.Parallel()
				if err := key.Public().Verify(message, c.signature); (err == nil) != c.ok {
					t.Errorf("error %v", err)
				}
			})
		}
		// Short r and s are filled up to their width: on P-256 and P-384 1 of 128
		// messages has one, on P-521 every other.
		messages := map[jwk.Algorithm]int{jwk.ES256: 600, jwk.ES384: 200, jwk.ES512: 20}[alg]
		short := 0
		for i := range messages {
			m := []byte(fmt.Sprint(i))
			signature, err := key.AppendSignature(nil, m)
			if err != nil || len(signature) != 2*size || key.Public().Verify(m, signature) != nil {
				t.Fatalf("%s: message %d: %x, %v", alg, i, signature, err)
			}
			if signature[0] == 0 || signature[size] == 0 {
				short++
			}
		}
		t.Logf("%s: %d of %d signatures have a short half", alg, short, messages)
	}
}

func der(r, s *big.Int) []byte {
	integer := func(n *big.Int) []byte {
		b := n.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return append([]byte{2, byte(len(b))}, b...)
	}
	body := append(integer(r), integer(s)...)
	return append([]byte{0x30, byte(len(body))}, body...)
}
