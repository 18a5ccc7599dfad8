package conformance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/internal/b64"
)

// form: a token has one spelling.
func (l *list) form() {
	good := l.m.token(header("es256"), claims())
	p := strings.Split(good, ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	for _, c := range []struct{ what, token string }{
		{"a word", "token"}, {"three dots", "..."}, {"two dots", ".."}, {"one part", p[0]}, {"two parts", join(p[0], p[1])},
		{"four parts", good + ".AAAA"}, {"a dot more", good + "."}, {"a dot before", "." + good}, {"five parts, as of JWE", good + ".AAAA.AAAA"},
		{"no header", join("", p[1], p[2])}, {"10,000 dots", strings.Repeat(".", 10_000)}, {"Bearer before it", "Bearer " + good},
		{"in quotes", `"` + good + `"`}, {"JSON serialization", `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`},
	} {
		l.add("JWS-15", c.what, c.token, malformed)
	}
	l.add("JWS-15", "no payload", l.m.signed(l.m.signers["es256"], header("es256").String(), ""), malformed)
	l.add("JWE-01", "an encrypted token", b64.Encode([]byte(`{"alg":"ECDH-ES","enc":"A128GCM","typ":"at+jwt","kid":"es256","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`))+"..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", malformed)

	// Each change is made to one part. The signature is over the text as changed,
	// so that it alone does not refuse it.
	for i, part := range []string{"header", "payload", "signature"} {
		for _, c := range []struct {
			what   string
			change func(string) string
		}{
			{"padding", func(s string) string { return s + strings.Repeat("=", max(1, (4-len(s)%4)%4)) }},
			{"a line end behind", func(s string) string { return s + "\n" }},
			{"a line end within", func(s string) string { return s[:8] + "\r\n" + s[8:] }},
			{"a space before", func(s string) string { return " " + s }},
			{"a space within", func(s string) string { return s[:8] + " " + s[8:] }},
			{"a tab behind", func(s string) string { return s + "\t" }},
			{"a question mark", func(s string) string { return s[:8] + "?" + s[8:] }},
			{"a percent sign", func(s string) string { return s + "%3D" }},
			{"NUL behind", func(s string) string { return s + "\x00" }},
			{"a letter beyond ASCII", func(s string) string { return s[:8] + "é" + s[9:] }},
			{"a length that cannot be", func(s string) string { return s[:len(s)-len(s)%4] + "A" }},
			{"plus for minus", func(s string) string { return s[:4] + "+" + s[5:] }},
			{"slash for underscore", func(s string) string { return s[:4] + "/" + s[5:] }},
			{"bits behind the last byte", loose},
		} {
			changed := slices.Clone(p)
			if changed[i] = c.change(p[i]); changed[i] == p[i] {
				continue
			}
			if strings.HasPrefix(changed[0], " ") {
				continue // spaces before it are the request's
			}
			if i < 2 {
				changed[2] = b64.Encode(l.m.signature(l.m.signers["es256"], changed[0]+"."+changed[1]))
			}
			l.add("JWS-12", c.what+" in the "+part, join(changed...), malformed)
		}
	}
}

// loose sets bits of the last character that stand for nothing, if there are any.
func loose(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(s)%4 == 0 {
		return s
	}
	return s[:len(s)-1] + string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])|1])
}

// json: two parsers must not read one token as two.
func (l *list) json() {
	h := header("es256").String()
	inside := func(s, more string) string { return strings.TrimSuffix(s, "}") + "," + more + "}" }
	for _, c := range []struct{ what, header string }{
		{"alg twice", inside(h, `"alg":"ES256"`)}, {"alg twice, the second none", inside(h, `"alg":"none"`)}, {"kid twice", inside(h, `"kid":"es256"`)},
		{"alg again, escaped", inside(h, `"\u0061lg":"none"`)}, {"a member nobody knows, twice", inside(h, `"x":1,"x":1`)},
		{"twice, deeper", inside(h, `"x":{"y":1,"y":2}`)}, {"byte order mark", "\ufeff" + h}, {"something behind it", h + "x"}, {"another object behind it", h + h},
		{"NUL behind it", h + "\x00"}, {"an array", "[" + h + "]"}, {"a string", `"header"`}, {"nothing in it", "{}"}, {"not JSON", "header"}, {"a comma at the end", strings.Replace(h, "}", ",}", 1)},
		{"a comment", strings.Replace(h, "{", "{/**/", 1)}, {"single quotes", strings.ReplaceAll(h, `"`, `'`)}, {"invalid UTF-8", inside(h, "\"x\":\"\xff\"")},
		{"invalid UTF-8 in a name", inside(h, "\"\xc3\":1")}, {"half a surrogate pair", inside(h, `"x":"\ud800"`)}, {"a control character", inside(h, "\"x\":\"\n\"")},
		{"half", h[:len(h)/2]}, {"a number with a zero before", inside(h, `"x":01`)}, {"NaN", inside(h, `"x":NaN`)}, {"UTF-16", "\x00{\x00}"},
		{"100 deep", inside(h, `"x":`+strings.Repeat("[", 100)+strings.Repeat("]", 100))},
		{"5,000 deep", inside(h, `"x":`+strings.Repeat("[", 2500)+strings.Repeat("]", 2500))},
	} {
		l.header("JWS-13", "header: "+c.what, text(c.header), malformed)
	}
	l.header("JWS-13", "header: an escaped name is the same name", text(strings.Replace(h, `"kid"`, `"\u006bid"`, 1)), accepted)
	l.header("JWS-13", "header: KID is another name than kid", header("es256").with("KID", `"nobody"`), accepted)
	s := claims().String()
	for _, c := range []struct{ what, payload string }{
		{"exp twice", inside(s, fmt.Sprintf(`"exp":%d`, now+900))}, {"sub twice", inside(s, `"sub":"acc_root"`)}, {"sub again, escaped", inside(s, `"s\u0075b":"acc_root"`)},
		{"a claim nobody knows, twice", inside(s, `"x":1,"x":2`)}, {"twice, deeper", inside(s, `"x":[{"y":{"z":1,"z":1}}]`)}, {"byte order mark", "\ufeff" + s},
		{"something behind it", s + "x"}, {"another object behind it", s + s}, {"NUL behind it", s + "\x00"}, {"an array", "[" + s + "]"}, {"a string", `"payload"`}, {"null", "null"},
		{"a number", "1"}, {"not JSON", "payload"}, {"invalid UTF-8", inside(s, "\"x\":\"\xff\"")}, {"UTF-8 of too many bytes", inside(s, "\"x\":\"\xc0\x80\"")}, {"half a surrogate pair", inside(s, `"x":"\udc00"`)},
		{"surrogates the wrong way round", inside(s, `"x":"\udc00\ud800"`)}, {"a control character", inside(s, "\"x\":\"\t\"")}, {"a comma at the end", strings.TrimSuffix(s, "}") + ",}"},
		{"an escape that is none", inside(s, `"x":"\x"`)}, {"half", s[:len(s)/2]}, {"Infinity", inside(s, `"x":Infinity`)}, {"a number that no double holds", inside(s, `"x":1e999`)},
		{"a plus before a number", inside(s, `"x":+1`)}, {"TRUE", inside(s, `"x":TRUE`)}, {"UTF-16", "\x00{\x00}"},
		{"100 deep", inside(s, `"x":`+strings.Repeat(`{"a":`, 100)+"1"+strings.Repeat("}", 100))},
		{"5,000 deep", inside(s, `"x":`+strings.Repeat("[", 2500)+strings.Repeat("]", 2500))},
	} {
		l.claims("JWS-13", "payload: "+c.what, text(c.payload), malformed)
	}
	l.claims("JWS-13", "payload: EXP and Exp are other names than exp", claims().with("EXP", "1").with("Exp", `"x"`), accepted)
	l.claims("JWS-13", "payload: only EXP", text(strings.Replace(s, `"exp"`, `"EXP"`, 1)), malformed)
	l.claims("JWS-13", "payload: escaped names and values", text(strings.Replace(strings.Replace(s, `"exp"`, `"\u0065xp"`, 1), `"https://auth`, `"https:\/\/\u0061uth`, 1)), accepted)
	l.claims("JWS-13", "payload: names that a language may give a meaning to", claims().with("__proto__", `{"roles":["admin"]}`).with("constructor", `1`).with("toString", `null`), accepted)
	l.claims("JWS-13", "payload: 10 deep", claims().with("x", strings.Repeat("[", 9)+strings.Repeat("]", 9)), accepted)
}

func (l *list) types() {
	for _, typ := range []string{"JWT", "logout+jwt", "dpop+jwt", "secevent+jwt", "revocations+jwt", "statuslist+jwt", "jose", "at", "at+jwt ", "at+jwt;v=1", "application/jwt", "application/at+jwt/x", "x/at+jwt", "text/at+jwt"} {
		l.header("JWS-20", fmt.Sprintf("typ %q", typ), header("es256").with("typ", quoted(typ)), invalid)
	}
	l.header("JWS-20", "no typ", header("es256").without("typ"), invalid)
	for name, typ := range sorted(map[string]string{"empty": `""`, "null": "null", "a number": "1", "an array": `["at+jwt"]`}) {
		l.header("JWS-20", "typ "+name, header("es256").with("typ", typ), malformed)
	}
	for _, typ := range []string{"application/at+jwt", "AT+JWT", "Application/At+Jwt"} {
		l.header("JWS-20", fmt.Sprintf("typ %q is the same (RFC 7515 §4.1.9)", typ), header("es256").with("typ", quoted(typ)), accepted)
	}
	l.header("JWS-20", "an access token where another kind is expected", header("es256"), invalid).Policy = "logout"
	l.header("JWS-20", "the kind that is expected", header("es256").with("typ", `"logout+jwt"`), accepted).Policy = "logout"
}

func (l *list) keys() {
	for _, kid := range offered {
		l.add("KEY", "another's "+kid+" key", l.m.signed(l.m.attacker["es256"], header(kid).String(), claims().String()), invalid)
	}
	in := func(id, what, kid, want string) {
		l.add(id, what, l.m.signed(l.m.signers[kid], header(kid).String(), claims().String()), want).Policy = "mixed set"
	}
	in("JWK-06", "the one key that is for signatures", "es256", accepted)
	in("JWK-06", "a key with use enc", "es384", invalid)
	in("JWK-06", "a key with key_ops, without verify", "es512", invalid)
	in("JWK-06", "an RSA key for encryption", "rs256", invalid)
	in("JWK-06", "a key of a curve that is not for signatures here", "eddsa", invalid)
	in("JWK-06", "an RSA key that does not say its algorithm", "ps256", invalid)
}

func (l *list) audiences() {
	many := func(n int) string {
		return "[" + strings.Repeat(`"a",`, n-1) + quoted(audience) + "]"
	}
	for _, c := range []struct{ what, aud, want string }{
		{"an array of it", "[" + quoted(audience) + "]", accepted}, {"an array with it", `["https://other.example",` + quoted(audience) + "]", accepted}, {"64 of them", many(64), accepted},
		{"empty array", "[]", invalid}, {"empty text", `""`, invalid}, {"array of an empty text", `[""]`, invalid}, {"another", `"https://other.example"`, invalid}, {"the issuer", quoted(issuer), invalid},
		{"null", "null", malformed}, {"a number", "1", malformed}, {"true", "true", malformed}, {"an object", `{"https://tasks.example.com":1}`, malformed},
		{"an array in an array", "[[" + quoted(audience) + "]]", malformed}, {"an array with a number", "[" + quoted(audience) + ",1]", malformed}, {"an array with null", "[" + quoted(audience) + ",null]", malformed}, {"1,000 of them", many(1000), malformed},
		{"less by a letter", quoted(audience[:len(audience)-1]), invalid}, {"longer", quoted(audience + "x"), invalid}, {"slash behind", quoted(audience + "/"), invalid}, {"another case", quoted(strings.ToUpper(audience)), invalid},
		{"http", `"http://tasks.example.com"`, invalid}, {"a port", quoted(audience + ":443"), invalid}, {"space separated", quoted(audience + " https://other.example"), invalid}, {"a pattern", `"*"`, invalid}, {"NUL behind", quoted(audience + `\u0000`), invalid}, {"a letter that looks like another", `"https://t\u0430sks.example.com"`, invalid},
	} {
		l.claim("CLM-01", "aud: "+c.what, "aud", c.aud, c.want)
	}
	l.claims("CLM-01", "no aud", claims().without("aud"), invalid)
	l.claim("CLM-01", "two names, the first", "aud", `"https://old.example.com"`, accepted).Policy = "two audiences"
	l.claim("CLM-01", "two names, the second", "aud", quoted(audience), accepted).Policy = "two audiences"
	l.claim("CLM-01", "two names, neither", "aud", `"https://other.example"`, invalid).Policy = "two audiences"
}

func (l *list) issuers() {
	for _, c := range []struct{ what, iss, want string }{
		{"another", `"https://attacker.example"`, invalid}, {"less by a letter", quoted(issuer[:len(issuer)-1]), invalid}, {"longer", quoted(issuer + ".attacker.example"), invalid}, {"slash behind", quoted(issuer + "/"), invalid},
		{"a path", quoted(issuer + "/tenant"), invalid}, {"another case", `"https://AUTH.example.com"`, invalid}, {"a port", quoted(issuer + ":443"), invalid}, {"http", `"http://auth.example.com"`, invalid}, {"space behind", quoted(issuer + " "), invalid},
		{"empty", `""`, malformed}, {"null", "null", malformed}, {"an array", "[" + quoted(issuer) + "]", malformed}, {"a number", "1", malformed},
	} {
		l.claim("CLM-02", "iss: "+c.what, "iss", c.iss, c.want)
	}
	l.claims("CLM-02", "no iss", claims().without("iss"), invalid)
}

func (l *list) times() {
	for _, c := range []struct{ what, exp, want string }{
		{"0", "0", expired}, {"1.9", "1.9", expired}, {"an exponent", "2e9", accepted}, {"the year 9999", "253402300799", accepted}, {"a fraction", fmt.Sprintf("%d.5", now+900), accepted},
		{"-1", "-1", malformed}, {"the year 10000", "253402300800", malformed}, {"1e18", "1e18", malformed}, {"1e400", "1e400", malformed}, {"beyond 64 bits", "92233720368547758070", malformed}, {"-1e400", "-1e400", malformed},
		{"text", fmt.Sprintf(`"%d"`, now+900), malformed}, {"true", "true", malformed}, {"null", "null", malformed}, {"NaN", "NaN", malformed}, {"NaN as text", `"NaN"`, malformed}, {"an array", fmt.Sprintf("[%d]", now+900), malformed}, {"an object", "{}", malformed}, {"a date", `"2030-01-01T00:00:00Z"`, malformed}, {"hexadecimal", "0x7fffffff", malformed},
	} {
		l.claim("CLM-03", "exp: "+c.what, "exp", c.exp, c.want)
	}
	l.claims("CLM-03", "no exp", claims().without("exp"), malformed)
	at := func(id, what, policy, name string, seconds int, want string) {
		l.claims(id, what, claims().without("nbf").without("iat").with(name, fmt.Sprint(now+seconds)), want).Policy = policy
	}
	at("CLM-03", "exp in a second, no leeway", "no leeway", "exp", 1, accepted)
	at("CLM-03", "exp now, no leeway: past", "no leeway", "exp", 0, expired)
	at("CLM-03", "exp a second ago, no leeway", "no leeway", "exp", -1, expired)
	at("CLM-03", "exp now, leeway 30", "default", "exp", 0, accepted)
	at("CLM-03", "exp 29 seconds ago, leeway 30", "default", "exp", -29, accepted)
	at("CLM-03", "exp 30 seconds ago, leeway 30: past", "default", "exp", -30, expired)
	at("CLM-03", "exp 31 seconds ago, leeway 30", "default", "exp", -31, expired)
	l.claim("CLM-03", "exp has half a second more, which does not count", "exp", fmt.Sprintf("%d.5", now), expired).Policy = "no leeway"
	for _, name := range []string{"nbf", "iat"} {
		at("CLM-04", name+" now, no leeway", "no leeway", name, 0, accepted)
		at("CLM-04", name+" in a second, no leeway", "no leeway", name, 1, invalid)
		at("CLM-04", name+" in 8 seconds, leeway 30", "default", name, 8, accepted)
		at("CLM-04", name+" in 30 seconds, leeway 30", "default", name, 30, accepted)
		at("CLM-04", name+" in 31 seconds, leeway 30", "default", name, 31, invalid)
		at("CLM-04", name+" in 61 seconds, leeway 30", "default", name, 61, invalid)
		at("CLM-04", name+" in a day", "default", name, 86400, invalid)
		at("CLM-04", name+" ten years ago", "default", name, -315360000, accepted)
		for what, value := range sorted(map[string]string{"text": `"1"`, "null": "null", "negative": "-1", "true": "true", "1e400": "1e400", "an array": "[1]"}) {
			l.claim("CLM-04", name+": "+what, name, value, malformed)
		}
	}
	l.claim("CLM-04", "nbf has half a second more, which counts", "nbf", fmt.Sprintf("%d.5", now), invalid).Policy = "no leeway"
	for _, c := range []struct {
		what, want string
		at         int64
	}{{"before it was issued", invalid, now - 31}, {"in its last second", accepted, now + 929}, {"past its last second", expired, now + 930}, {"at the beginning of time", invalid, 0}} {
		l.claims("CLM-04", "a token "+c.what, claims(), c.want).Now = c.at
	}
}

func (l *list) otherClaims() {
	for _, name := range []string{"sub", "jti", "sid", "client_id"} {
		for what, value := range sorted(map[string]string{"empty": `""`, "null": "null", "a number": "1", "an array": `["a"]`, "an object": "{}"}) {
			l.claim("CLM", name+": "+what, name, value, malformed)
		}
	}
	for what, value := range sorted(map[string]string{"an array": `["tasks:read"]`, "null": "null", "a number": "1"}) {
		l.claim("CLM", "scope: "+what, "scope", value, malformed)
	}
	l.claim("CLM", "scope: empty", "scope", `""`, accepted)
	for what, value := range sorted(map[string]string{"text": `"admin"`, "null": "null", "numbers": "[1]", "arrays": `[["admin"]]`, "an object": `{"admin":true}`}) {
		l.claim("CLM", "roles: "+what, "roles", value, malformed)
	}
	l.claim("CLM", "roles: none", "roles", "[]", accepted)
}

func (l *list) sizes() {
	// The longest token there may be, whose header takes up what base64 leaves.
	of := func(size int) string {
		for pad := range 4 {
			h := header("es256").with("x", quoted(strings.Repeat("x", pad)))
			fixed := len(l.m.token(h, claims().with("pad", `""`)))
			for n := (size-fixed)*3/4 - 2; n < (size-fixed)*3/4+3; n++ {
				if t := l.m.token(h, claims().with("pad", quoted(strings.Repeat("x", n)))); len(t) == size {
					return t
				}
			}
		}
		l.m.t.Fatalf("no token of %d bytes", size)
		return ""
	}
	l.add("DOS-01", "16,384 bytes", of(16<<10), accepted)
	l.add("DOS-01", "16,385 bytes", of(16<<10+1), malformed)
	l.add("DOS-01", "24 KiB", of(24<<10), malformed)
}
