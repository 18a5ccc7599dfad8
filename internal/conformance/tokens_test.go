package conformance

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash"
	"iter"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
)

// The classes of answers, which are the codes of problem documents.
const (
	accepted  = "ok"
	missing   = "token_missing"
	malformed = "token_malformed"
	invalid   = "token_invalid"
	expired   = "token_expired"
	revoked   = "token_revoked"
	forbidden = "forbidden"
)

// A list is cases in the making.
type list struct {
	m     *maker
	cases []tokenCase
}

func (l *list) add(id, what, token, want string) *tokenCase {
	c := tokenCase{ID: id, What: what, Policy: "default", Now: now, Token: token, Want: want}
	if want == accepted {
		payload := must[[]byte](l.m.t)(b64.Decode(nil, strings.Split(token, ".")[1]))
		c.Claims = json.RawMessage(payload)
	}
	l.cases = append(l.cases, c)
	return &l.cases[len(l.cases)-1]
}

// claims adds a token with those claims, genuinely signed.
func (l *list) claims(id, what string, c fmt.Stringer, want string) *tokenCase {
	return l.add(id, what, l.m.token(header("es256"), c), want)
}

// claim adds a token with one claim changed.
func (l *list) claim(id, what, name, value, want string) *tokenCase {
	return l.claims(id, what, claims().with(name, value), want)
}

// header adds a token with that header, genuinely signed by ES256.
func (l *list) header(id, what string, h fmt.Stringer, want string) *tokenCase {
	return l.add(id, what, l.m.token(h, claims()), want)
}

// text is JSON, or not, as it is written.
type text string

func (t text) String() string { return string(t) }

func (m *maker) tokens() []tokenCase {
	l := &list{m: m}
	l.good()
	l.none()
	l.confusion()
	l.headers()
	l.signatures()
	l.form()
	l.json()
	l.types()
	l.keys()
	l.audiences()
	l.issuers()
	l.times()
	l.otherClaims()
	l.sizes()
	return l.cases
}

func (l *list) good() {
	for _, kid := range offered {
		l.add("GOOD", "signed by "+strings.Trim(header(kid)[0].value, `"`), l.m.signed(l.m.signers[kid], header(kid).String(), claims().String()), accepted)
	}
	for _, kid := range []string{"hs256", "hs384", "hs512"} {
		l.add("GOOD", "MACed by "+strings.ToUpper(kid), l.m.signed(l.m.signers[kid], header(kid).String(), claims().String()), accepted).Policy = "secrets"
	}
	l.claims("GOOD", "no more claims than are demanded", object{{"iss", quoted(issuer)}, {"aud", quoted(audience)}, {"exp", fmt.Sprint(now + 900)}}, accepted)
	l.claims("GOOD", "custom claims of every kind", claims().with("a", `{"b":[1,2.5,-3,true,null,"é\u00e9😀"]}`).with("https://example.com/team", `"blue"`), accepted)
	l.claims("GOOD", "space between the members", text(strings.ReplaceAll(claims().String(), ",\"", " ,\r\n\t\"")), accepted)
	l.header("GOOD", "no key id, and one key", header("es256").without("kid"), accepted).Policy = "one key"
	l.header("GOOD", "members of the header that nobody knows", header("es256").with("x", `{"y":[1]}`).with("cty", `"a"`), accepted)
	l.add("GOOD", "the one algorithm that counts", l.m.token(header("es256"), claims()), accepted).Policy = "only ES256"
}

func (l *list) none() {
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "none ", "", `\u006eone`} {
		h := header("es256").with("alg", quoted(alg))
		in := input(h.String(), claims().String())
		kept := b64.Encode(l.m.signature(l.m.signers["es256"], in))
		l.add("JWS-01", fmt.Sprintf("alg %q, no signature", alg), in+".", invalid)
		l.add("JWS-01", fmt.Sprintf("alg %q, a signature", alg), in+"."+kept, invalid)
		l.add("JWS-01", fmt.Sprintf("alg %q, no last dot", alg), in, malformed)
	}
	l.header("JWS-01", "alg null", header("es256").with("alg", "null"), malformed)
	l.header("JWS-01", "alg false", header("es256").with("alg", "false"), malformed)
	l.header("JWS-01", "alg an array", header("es256").with("alg", `["ES256"]`), malformed)
	l.header("JWS-01", "no alg", header("es256").without("alg"), malformed)
	l.header("JWS-01", "Alg in place of alg", text(strings.Replace(header("es256").String(), "alg", "Alg", 1)), malformed)
	l.add("JWS-01", "ES256, and no signature", input(header("es256").String(), claims().String())+".", invalid)
	l.add("JWS-01", "alg none where there are secrets", input(header("hs256").with("alg", `"none"`).String(), claims().String())+".", invalid).Policy = "secrets"
}

// confusion: the algorithm is the key's, and the header only repeats it.
func (l *list) confusion() {
	for _, kid := range []string{"es256", "rs256", "ps256", "eddsa"} {
		for name, secret := range sorted(publicTexts(l.m, kid)) {
			h := header(kid).with("alg", `"HS256"`)
			l.add("JWS-02", fmt.Sprintf("HS256 under the public key of %s as %s", kid, name), mac(sha256.New, secret, h.String(), claims().String()), invalid)
		}
		secret := publicTexts(l.m, kid)["PEM"]
		l.add("JWS-02", kid+" in the header, MACed with its PEM", mac(sha256.New, secret, header(kid).String(), claims().String()), invalid)
		l.add("JWS-02", kid+"'s PEM as a secret, and no key id", mac(sha256.New, secret, header(kid).with("alg", `"HS256"`).without("kid").String(), claims().String()), invalid)
	}
	pem := publicTexts(l.m, "es256")["PEM"]
	l.add("JWS-02", "HS256 under the only key's PEM, no key id", mac(sha256.New, pem, header("es256").with("alg", `"HS256"`).without("kid").String(), claims().String()), invalid).Policy = "one key"
	for alg, h := range sorted(map[string]func() hash.Hash{"HS256": sha256.New, "HS512": sha512.New}) {
		for name, secret := range sorted(map[string]string{"nothing": "", "a zero": "\x00", "zeros": strings.Repeat("\x00", 64), "secret": "secret", "its key id": strings.ToLower(alg), "your-256-bit-secret": "your-256-bit-secret"}) {
			l.add("JWS-03", alg+" under "+name, mac(h, []byte(secret), header(strings.ToLower(alg)).String(), claims().String()), invalid).Policy = "secrets"
		}
	}
	// Genuine under the other algorithm, where the key's material allows it.
	for _, c := range [][2]string{{"rs256", "ps256"}, {"ps256", "rs256"}, {"rs256", "rs512"}, {"ps384", "ps512"}, {"es256", "es384"}, {"eddsa", "es256"}, {"rs256", "es256"}} {
		said := header(c[0]).with("alg", header(c[1])[0].value)
		l.add("JWS-04", c[0]+"'s key, signed as "+c[1]+" and saying so", l.m.signed(l.m.signers[c[1]], said.String(), claims().String()), invalid)
		l.add("JWS-04", c[0]+"'s key, signed as "+c[1]+" and not saying so", l.m.signed(l.m.signers[c[1]], header(c[0]).String(), claims().String()), invalid)
	}
	l.add("JWS-04", "EdDSA's key, and Ed25519 in the header, its newer name", l.m.signed(l.m.signers["eddsa"], header("eddsa").with("alg", `"Ed25519"`).String(), claims().String()), invalid)
	l.add("JWS-04", "Ed25519's key, and EdDSA in the header, its older name", l.m.signed(l.m.signers["ed25519"], header("ed25519").with("alg", `"EdDSA"`).String(), claims().String()), invalid)
	for _, alg := range []string{"es256", "ES256 ", "ES256K", "Es256", "HS256", "RS1", "dir", "ECDH-ES", "https://www.w3.org/2001/04/xmldsig-more#rsa-sha256"} {
		l.header("JWS-04", fmt.Sprintf("alg %q", alg), header("es256").with("alg", quoted(alg)), invalid)
	}
	l.add("JWS-04", "an algorithm that the policy leaves out", l.m.signed(l.m.signers["rs256"], header("rs256").String(), claims().String()), invalid).Policy = "only ES256"
}

// publicTexts are what everybody knows of a key.
func publicTexts(m *maker, kid string) map[string][]byte {
	document := m.ours(kid)
	key := must[*jwk.PublicKey](m.t)(jwk.ParsePublic(document))
	text := must[[]byte](m.t)(key.PEM())
	block, _ := pem.Decode(text)
	texts := map[string][]byte{
		"PEM": text, "PEM without its last line end": text[:len(text)-1], "PEM with CRLF": []byte(strings.ReplaceAll(string(text), "\n", "\r\n")),
		"PEM after a space": append([]byte(" "), text...), "DER": block.Bytes, "JWK": document, "JWK Set": m.set(document),
		"base64 of DER": []byte(base64.StdEncoding.EncodeToString(block.Bytes)),
	}
	if kid == "rs256" {
		der := x509.MarshalPKCS1PublicKey(&m.rsa.PublicKey)
		texts["PKCS #1"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: der})
		texts["n"] = m.rsa.N.Bytes()
	}
	return texts
}

func (l *list) headers() {
	evil := l.m.attacker["es256"]
	key := string(l.m.public(evil))
	attack := func(what string, h object) {
		l.add("JWS-05", what, l.m.signed(evil, h.String(), claims().String()), invalid)
	}
	attack("another's key, named in no way", header("es256"))
	attack("jwk holds another's key", header("es256").with("jwk", key))
	attack("jwk holds another's key, no kid", header("es256").without("kid").with("jwk", key))
	attack("jku leads to another's key", header("es256").with("jku", `"https://attacker.example/jwks.json"`))
	attack("jku at the issuer", header("es256").with("jku", quoted(issuer+"/redirect?to=https://attacker.example/jwks.json")))
	attack("x5u leads to another's certificate", header("es256").with("x5u", `"https://attacker.example/cert.pem"`))
	attack("x5c holds something", header("es256").with("x5c", `["AAAA"]`))
	attack("x5t names something", header("es256").with("x5t", `"AAAA"`))
	l.header("JWS-05", "jku, jwk and x5u beside the right key have no say", header("es256").with("jku", `"https://attacker.example/"`).with("x5u", `"file:///etc/passwd"`).with("jwk", key), accepted)

	for _, kid := range []string{"nobody", "../../../../dev/null", "' OR 1=1 --", "es256\\u0000", "ES256", "es256 ", "http://attacker.example/key", "__proto__", "constructor", "toString"} {
		l.header("KID", fmt.Sprintf("kid %q", kid), header("es256").with("kid", quoted(kid)), invalid)
	}
	l.header("KID", "no kid, and several keys", header("es256").without("kid"), invalid)
	l.header("KID", "the kid of another of the issuer's keys", header("es256").with("kid", `"es384"`), invalid)
	l.header("KID", "another kid, and one key", header("es256").with("kid", `"nobody"`), invalid).Policy = "one key"
	for name, kid := range sorted(map[string]string{"empty": `""`, "null": "null", "a number": "1", "an object": `{"a":1}`, "an array": `["es256"]`}) {
		l.header("KID", "kid "+name, header("es256").with("kid", kid), malformed)
	}

	for what, crit := range sorted(map[string]string{
		"an extension nobody knows": `["bork"]`, "exp": `["exp"]`, "b64": `["b64"]`, "nothing": `[]`, "no array": `"b64"`, "twice the same": `["bork","bork"]`,
		"alg": `["alg"]`, "a number": `[1]`, "null": `null`,
	}) {
		l.header("JWS-07", "crit: "+what, header("es256").with("crit", crit).with("bork", "true"), malformed)
	}
	l.header("JWS-07", "crit names what is not there", header("es256").with("crit", `["absent"]`), malformed)
	l.header("JWS-07", "b64 false with crit", header("es256").with("b64", "false").with("crit", `["b64"]`), malformed)
	l.header("JWS-07", "b64 false without crit", header("es256").with("b64", "false"), malformed)
	h := header("es256").with("b64", "false").with("crit", `["b64"]`).String()
	raw := b64.Encode([]byte(h)) + "." + claims().String()
	l.add("JWS-07", "b64 false, the payload as it is", raw+"."+b64.Encode(l.m.signature(l.m.signers["es256"], raw)), malformed)
}

func (l *list) signatures() {
	for _, c := range []struct {
		kid  string
		size int
	}{{"es256", 32}, {"es384", 48}, {"es512", 66}} {
		in := input(header(c.kid).String(), claims().String())
		good := l.m.signature(l.m.signers[c.kid], in)
		n := curves[l.m.signers[c.kid].Algorithm()].Params().N
		r, s := ecdsaParts(good)
		zero := new(big.Int)
		add := func(what string, signature []byte, want string) {
			l.add("JWS-09", c.kid+": "+what, in+"."+b64.Encode(signature), want)
		}
		add("r and s are zero", make([]byte, 2*c.size), invalid)
		add("r is zero", ecdsaJoin(zero, s, c.size), invalid)
		add("s is zero", ecdsaJoin(r, zero, c.size), invalid)
		add("r and s are one", ecdsaJoin(big.NewInt(1), big.NewInt(1), c.size), invalid)
		add("r is the group order", ecdsaJoin(n, s, c.size), invalid)
		add("s is the group order", ecdsaJoin(r, n, c.size), invalid)
		add("r and s are the group order", ecdsaJoin(n, n, c.size), invalid)
		add("n−s for s verifies too", ecdsaJoin(r, new(big.Int).Sub(n, s), c.size), accepted)
		add("r and s changed round", ecdsaJoin(s, r, c.size), invalid)
		add("ASN.1", ecdsaDER(l.m.t, good), invalid)
		add("a byte short", good[:len(good)-1], invalid)
		add("a byte more", append(append([]byte(nil), good...), 0), invalid)
		add("zeros before both halves", ecdsaJoin(r, s, c.size+1), invalid)
		add("only r", good[:c.size], invalid)
		add("nothing", nil, invalid)
	}

	in := input(header("eddsa").String(), claims().String())
	good := l.m.signature(l.m.signers["eddsa"], in)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := new(big.Int).SetBytes(reversed(good[32:]))
	more := append(append([]byte(nil), good[:32]...), reversed(s.Add(s, order).FillBytes(make([]byte, 32)))...)
	for what, signature := range sorted(map[string][]byte{
		"S plus the group order": more, "all zeros": make([]byte, 64), "a byte short": good[:63], "a byte more": append(append([]byte(nil), good...), 0),
		"nothing": nil, "halves changed round": append(append([]byte(nil), good[32:]...), good[:32]...),
	}) {
		l.add("JWS-10", "EdDSA: "+what, in+"."+b64.Encode(signature), invalid)
	}

	in = input(header("ps256").String(), claims().String())
	for _, c := range []struct {
		what string
		mgf  crypto.Hash
		salt int
	}{{"no salt", crypto.SHA256, 0}, {"a salt of 20 bytes", crypto.SHA256, 20}, {"a salt of 64 bytes", crypto.SHA256, 64}, {"SHA-1 in MGF1", crypto.SHA1, 32}} {
		l.add("JWS-11", "PS256 with "+c.what, in+"."+b64.Encode(l.m.oddPSS(in, c.mgf, c.salt)), invalid)
	}
	for _, kid := range []string{"rs256", "ps256"} {
		in := input(header(kid).String(), claims().String())
		good := l.m.signature(l.m.signers[kid], in)
		for what, signature := range sorted(map[string][]byte{
			"a byte short": good[:255], "a zero before": append([]byte{0}, good...), "a zero behind": append(append([]byte(nil), good...), 0),
			"zeros": make([]byte, 256), "one": big.NewInt(1).FillBytes(make([]byte, 256)), "the modulus": l.m.rsa.N.Bytes(), "nothing": nil,
		}) {
			l.add("RSA", kid+": "+what, in+"."+b64.Encode(signature), invalid)
		}
	}

	a := strings.Split(l.m.token(header("es256"), claims()), ".")
	b := strings.Split(l.m.token(header("es256"), claims().with("sub", `"acc_root"`)), ".")
	l.add("JWS-16", "another token's payload", a[0]+"."+b[1]+"."+a[2], invalid)
	l.add("JWS-16", "another token's signature", a[0]+"."+a[1]+"."+b[2], invalid)
	for _, kid := range []string{"es256", "eddsa", "rs256", "ps512"} {
		in := input(header(kid).String(), claims().String())
		for _, at := range []int{0, 31, -1} {
			signature := l.m.signature(l.m.signers[kid], in)
			if at < 0 {
				at += len(signature)
			}
			signature[at] ^= 1
			l.add("JWS-16", fmt.Sprintf("%s: byte %d of the signature changed", kid, at), in+"."+b64.Encode(signature), invalid)
		}
	}
	past := claims().with("exp", fmt.Sprint(now-900))
	l.add("JWS-18", "expired, and another's signature", l.m.signed(l.m.attacker["es256"], header("es256").String(), past.String()), invalid)
	l.add("JWS-18", "not JSON, and another's signature", l.m.signed(l.m.attacker["es256"], header("es256").String(), "no"), invalid)
	l.claims("JWS-18", "expired, for another audience", past.with("aud", `"https://other.example"`), invalid)
	l.claims("JWS-18", "expired, of another issuer", past.with("iss", `"https://other.example"`), invalid)
	l.claims("JWS-18", "expired, with a claim of the wrong kind", past.with("sub", "1"), malformed)
	l.add("JWS-18", "expired, of another type", l.m.token(header("es256").with("typ", `"JWT"`), past), invalid)
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return out
}

func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
