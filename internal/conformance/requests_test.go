package conformance

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
)

func (m *maker) requests() (cases []requestCase) {
	token := m.token(header("es256"), claims())
	add := func(id, what, want string, headers ...[2]string) *requestCase {
		c := requestCase{
			ID: id, What: what, Policy: "default", Now: now, Want: want, Status: http.StatusUnauthorized,
			Request: request{Method: "GET", Target: "/tasks", Headers: append([][2]string{{"Host", "tasks.example.com"}}, headers...)},
		}
		switch want {
		case accepted:
			c.Status = http.StatusOK
		case missing, weakLogin:
		case "invalid_request":
			c.Status, c.Error = http.StatusBadRequest, want
		case forbidden:
			c.Status, c.Error = http.StatusForbidden, "insufficient_scope"
		default:
			c.Error = "invalid_token"
		}
		cases = append(cases, c)
		return &cases[len(cases)-1]
	}
	auth := func(value string) [2]string { return [2]string{"Authorization", value} }

	add("HTP", "a bearer token", accepted, auth("Bearer "+token))
	add("HTP", "the scheme in lower case", accepted, auth("bearer "+token))
	add("HTP", "the scheme in upper case", accepted, auth("BEARER "+token))
	add("HTP", "the header's name in lower case", accepted, [2]string{"authorization", "Bearer " + token})
	add("HTP", "two spaces", accepted, auth("Bearer  "+token))
	add("HTP", "no header", missing)
	add("HTP", "an empty header", missing, auth(""))
	add("HTP", "another scheme", missing, auth("Basic YWxpY2U6c2VjcmV0"))
	add("HTP", "another scheme with the token", missing, auth("DPoP "+token))
	add("HTP", "no scheme", missing, auth(token))
	add("HTP", "a scheme that begins with the same letters", missing, auth("Bearers "+token))
	add("HTP", "no space", missing, auth("Bearer"+token))
	add("HTP", "a tab for the space", missing, auth("Bearer\t"+token))
	add("HTP", "nothing behind the scheme", malformed, auth("Bearer"))
	add("HTP", "not a token", malformed, auth("Bearer abc"))
	add("HTP", "something behind the token", malformed, auth("Bearer "+token+" x"))
	add("HTP", "a parameter behind the token", malformed, auth("Bearer "+token+", realm=x"))
	add("HTP", "the token in another header", missing, [2]string{"X-Access-Token", token})
	add("HTP", "the token in a cookie", missing, [2]string{"Cookie", "access_token=" + token})
	add("HTP-04", "what a proxy would say about the user", missing, [2]string{"X-Auth-Subject", "acc_root"}, [2]string{"X-User", "acc_root"}, [2]string{"X-Forwarded-User", "acc_root"})
	add("HTP-07", "a health checker's user agent", missing, [2]string{"User-Agent", "kube-probe/1.30"})

	twice := add("HTP-01", "two headers", "invalid_request", auth("Bearer "+token), auth("Bearer "+token))
	twice.Allow = map[string][]string{"wsgi": {malformed}}
	twice.Note = "a WSGI server hands over one header, joined with a comma"
	twice = add("HTP-01", "two headers, one of them of another scheme", "invalid_request", auth("Basic YWxpY2U6c2VjcmV0"), auth("Bearer "+token))
	twice.Allow = map[string][]string{"wsgi": {missing}}
	twice.Note = "a WSGI server hands over one header, joined with a comma"
	add("HTP-01", "two tokens in one header", malformed, auth("Bearer "+token+", Bearer "+token))
	add("HTP-01", "a header, and the query", "invalid_request", auth("Bearer "+token)).Request.Target = "/tasks?access_token=" + token
	add("HTP-01", "a header, and the query with an escaped name", "invalid_request", auth("Bearer "+token)).Request.Target = "/tasks?x=1&access%5Ftoken=abc"
	add("HTP-02", "only the query", missing).Request.Target = "/tasks?access_token=" + token
	add("HTP-02", "only the path", missing).Request.Target = "/tasks/" + token

	add("HTP", "expired", expired, auth("Bearer "+token)).Now = now + 930
	add("HTP", "for another API", invalid, auth("Bearer "+m.token(header("es256"), claims().with("aud", `"https://other.example"`))))

	may := func(what string, c object, want string, r rule, scope string) {
		rc := add("RULE", what, want, auth("Bearer "+m.token(header("es256"), c)))
		rc.Rule, rc.Scope = &r, scope
	}
	read, write, editor, admin := rule{Scope: "tasks:read"}, rule{Scope: "tasks:write"}, rule{Role: "editor"}, rule{Role: "admin"}
	del := rule{Scope: "tasks:delete"}
	may("a scope that the token has", claims(), accepted, read, "")
	may("the second scope", claims(), accepted, write, "")
	may("a scope that it lacks", claims(), forbidden, del, "tasks:delete")
	may("no scope at all", claims().without("scope"), forbidden, read, "tasks:read")
	may("an empty scope", claims().with("scope", `""`), forbidden, read, "tasks:read")
	may("a scope that begins alike", claims().with("scope", `"tasks:readers tasks"`), forbidden, read, "tasks:read")
	may("a scope that ends alike", claims().with("scope", `"my-tasks:read"`), forbidden, read, "tasks:read")
	may("a scope in another case", claims().with("scope", `"Tasks:Read"`), forbidden, read, "tasks:read")
	may("a scope with a wildcard", claims().with("scope", `"tasks:* *"`), forbidden, read, "tasks:read")
	may("scopes with a comma between them", claims().with("scope", `"tasks:read,tasks:write"`), forbidden, read, "tasks:read")
	may("a role that the token has", claims(), accepted, editor, "")
	may("a role that it lacks", claims(), forbidden, admin, "")
	may("no roles at all", claims().without("roles"), forbidden, editor, "")
	may("a role in another case", claims().with("roles", `["Editor"]`), forbidden, editor, "")
	may("a role that begins alike", claims().with("roles", `["editors","edit"]`), forbidden, editor, "")
	may("a scope is no role", claims().with("scope", `"admin"`), forbidden, admin, "")
	may("a role is no scope", claims().with("roles", `["tasks:delete"]`), forbidden, del, "tasks:delete")
	may("names that a language may give a meaning to", claims(), forbidden, rule{Role: "constructor"}, "")
	may("all, and it has them", claims(), accepted, rule{All: []rule{read, editor}}, "")
	may("all, and it lacks a scope", claims(), forbidden, rule{All: []rule{editor, del}}, "tasks:delete")
	may("all, and it lacks a role", claims(), forbidden, rule{All: []rule{read, admin}}, "")
	may("all, and it lacks both", claims(), forbidden, rule{All: []rule{del, admin}}, "")
	may("any, and it has the second", claims(), accepted, rule{Any: []rule{admin, read}}, "")
	may("any, and it has none", claims(), forbidden, rule{Any: []rule{admin, del}}, "tasks:delete")
	may("any within all", claims(), accepted, rule{All: []rule{write, {Any: []rule{admin, editor}}}}, "")
	may("all within any", claims(), forbidden, rule{Any: []rule{{All: []rule{read, admin}}, {Role: "owner"}}}, "")
	m.logins(func(what string, c object, want string, r rule) *requestCase {
		rc := add("RFR-13", what, want, auth("Bearer "+m.token(header("es256"), c)))
		rc.Rule = &r
		if want == weakLogin {
			rc.Error = weakLogin
		}
		return rc
	})
	may("a rule is not asked about a bad token", claims().with("exp", "1"), expired, read, "")
	return cases
}

const weakLogin = "insufficient_user_authentication"

// logins are about the log-in behind a token (RFC 9470).
func (m *maker) logins(add func(what string, c object, want string, r rule) *requestCase) {
	old := func(what string, c object, r rule, needs, maxAge, acr string) {
		rc := add(what, c, weakLogin, r)
		rc.Needs, rc.MaxAge, rc.ACR = "needs "+needs, maxAge, acr
	}
	at := func(ago int64) object { return claims().with("auth_time", strconv.FormatInt(now-ago, 10)) }
	five, gold, either, otp := rule{MaxAge: 300}, rule{ACR: []string{"gold"}}, rule{ACR: []string{"silver", "gold"}}, rule{AMR: "otp"}
	editor, admin, del := rule{Role: "editor"}, rule{Role: "admin"}, rule{Scope: "tasks:delete"}
	const needs = "log-in within 300 s"
	add("a fresh log-in", at(1), accepted, five)
	add("exactly as old as may be", at(300), accepted, five)
	old("a second older", at(301), five, needs, "300", "")
	old("no auth_time, however fresh the token", claims(), five, needs, "300", "")
	old("of the first second of all time", claims().with("auth_time", "0"), five, needs, "300", "")
	add("a log-in to come, within the leeway", at(-30), accepted, five)
	old("a log-in to come", at(-31), five, needs, "300", "")
	old("of the last second of all time", claims().with("auth_time", "253402300799"), five, needs, "300", "")
	add("a fraction counts as older", claims().with("auth_time", strconv.FormatInt(now-300, 10)+".9"), accepted, five)
	old("a fraction does not make it younger", claims().with("auth_time", strconv.FormatInt(now-301, 10)+".9"), five, needs, "300", "")
	for _, c := range [][2]string{
		{"text", quoted(strconv.Itoa(now))}, {"null", "null"}, {"a list", "[" + strconv.Itoa(now) + "]"}, {"a boolean", "true"},
		{"before 1970", "-1"}, {"after 9999", "253402300800"},
	} {
		add("auth_time is "+c[0], claims().with("auth_time", c[1]), malformed, five)
	}
	add("the class", claims().with("acr", `"gold"`), accepted, gold)
	add("the second of two classes", claims().with("acr", `"gold"`), accepted, either)
	old("a weaker class", claims().with("acr", `"bronze"`), either, "acr silver gold", "", "silver gold")
	old("no class", claims(), gold, "acr gold", "", "gold")
	old("a class in another case", claims().with("acr", `"Gold"`), gold, "acr gold", "", "gold")
	old("a class of two words", claims().with("acr", `"silver gold"`), either, "acr silver gold", "", "silver gold")
	old("a method that is no class", claims().with("amr", `["gold"]`), gold, "acr gold", "", "gold")
	add("acr is a list", claims().with("acr", `["gold"]`), malformed, gold)
	add("acr is a number", claims().with("acr", "1"), malformed, gold)
	add("acr is empty", claims().with("acr", `""`), malformed, gold)
	add("the method", claims().with("amr", `["pwd","otp"]`), accepted, otp)
	old("a weaker method", claims().with("amr", `["pwd"]`), otp, "amr otp", "", "")
	old("no methods", claims().with("amr", `[]`), otp, "amr otp", "", "")
	old("no amr", claims(), otp, "amr otp", "", "")
	add("amr is text", claims().with("amr", `"otp"`), malformed, otp)
	add("amr holds a number", claims().with("amr", `["otp",1]`), malformed, otp)
	add("32 methods", claims().with("amr", "["+strings.Repeat(`"x",`, 31)+`"otp"]`), accepted, otp)
	add("33 methods", claims().with("amr", "["+strings.Repeat(`"x",`, 32)+`"otp"]`), malformed, otp)

	old("all: the shortest time, and the class", at(4000), rule{All: []rule{{MaxAge: 3600}, gold, five}}, "log-in within 3600 s", "300", "gold")
	old("all: the class that both take", claims(), rule{All: []rule{either, {ACR: []string{"bronze", "silver"}}}}, "acr silver gold", "", "silver")
	add("all: no class is enough for both", claims(), forbidden, rule{All: []rule{gold, {ACR: []string{"bronze"}}}}).Needs = "needs acr gold"
	add("all: a log-in gives no role, which is told first", at(301), forbidden, rule{All: []rule{five, admin}}).Needs = "needs role admin"
	add("all: a log-in gives no scope", at(301), forbidden, rule{All: []rule{five, del}}).Needs = "needs scope tasks:delete"
	old("all: the role is there", at(301), rule{All: []rule{editor, five}}, needs, "300", "")
	add("any: the role is enough", at(301), accepted, rule{Any: []rule{five, editor}})
	old("any: a log-in would be enough", at(301), rule{Any: []rule{admin, five}}, "role admin or "+needs, "300", "")
	old("any: the first log-in that would be", at(301), rule{Any: []rule{gold, five}}, "acr gold or "+needs, "", "gold")
	old("any: a log-in before a scope", at(301), rule{Any: []rule{del, five}}, "scope tasks:delete or "+needs, "300", "")
	scopes := add("any within all: scopes would be enough", at(301), forbidden, rule{All: []rule{{Scope: "extra"}, {Any: []rule{del, five}}}})
	scopes.Scope = "extra tasks:delete"
	add("a log-in is not asked for with a bad token", at(301).with("exp", "1"), expired, five)
}

func (m *maker) keySets() (cases []keySetCase) {
	add := func(id, what, set, want string, kids ...string) {
		cases = append(cases, keySetCase{id, what, set, want, kids})
	}
	const refused = "refused"
	es, rs := string(m.ours("es256")), string(m.ours("rs256"))
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	edit := func(key string, changes ...string) string { return strings.NewReplacer(changes...).Replace(key) }
	private := string(must[[]byte](m.t)(m.signers["es256"].(*jwk.PrivateKey).MarshalPrivateJWK()))
	var many []string
	for range 101 {
		many = append(many, `{"kty":"LUNAR"}`)
	}
	add("GOOD", "two keys", set(es, rs), accepted, "es256", "rs256")
	add("GOOD", "no keys", set(), accepted)
	add("GOOD", "members that nobody knows", edit(set(edit(es, "{", `{"x5c":["AA"],"moon":{},`)), `{"keys"`, `{"a":1,"keys"`), accepted, "es256")
	add("JWK-01", "an unknown type is skipped", set(`{"kty":"LUNAR","kid":"moon"}`, es), accepted, "es256")
	add("JWK-01", "an unknown curve is skipped", set(edit(es, "P-256", "secp256k1", `"alg":"ES256",`, ""), rs), accepted, "rs256")
	add("JWK-01", "an unknown algorithm is skipped", set(edit(es, "ES256", "ES256X"), rs), accepted, "rs256")
	add("JWK-06", "a key for encryption is skipped", set(edit(es, `"sig"`, `"enc"`), rs), accepted, "rs256")
	add("JWK-06", "a key whose operations leave out verify is skipped", set(edit(es, `"use":"sig"`, `"key_ops":["sign"]`), rs), accepted, "rs256")
	add("JWS-04", "an RSA key that does not say its algorithm is skipped", set(es, edit(rs, `"alg":"RS256",`, "")), accepted, "es256")
	add("JWK-01", "a private key", set(private), refused)
	add("JWK-01", "a private key among others", set(rs, private), refused)
	add("JWK-01", "a secret", set(es, `{"kty":"oct","kid":"s","alg":"HS256","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}`), refused)
	add("JWK-01", "one key id twice", set(es, edit(rs, `"rs256"`, `"es256"`)), refused)
	add("JWK-01", "a member twice", set(edit(es, "{", `{"kid":"other",`)), refused)
	add("JWK-01", "an empty key id", set(edit(es, `"es256"`, `""`)), refused)
	add("JWK-01", "a key id that is a number", set(edit(es, `"es256"`, `1`)), refused)
	add("JWK-01", "101 keys", set(many...), refused)
	add("JWK-01", "an array", "["+es+"]", refused)
	add("JWK-01", "a key by itself", es, refused)
	add("JWK-01", "keys is an object", `{"keys":{}}`, refused)
	add("JWK-01", "a key that is none", set(`"es256"`), refused)
	add("JWK-01", "nothing", "", refused)
	add("JWK-01", "a page", "<html>Bad Gateway</html>", refused)
	add("JWK-01", "something behind it", set(es)+"x", refused)
	add("JWS-19", "another curve than the algorithm's", set(edit(string(m.ours("es384")), "ES384", "ES256")), refused)
	add("JWS-19", "a point that is not on the curve", set(`{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","y":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}`), refused)
	add("JWS-19", "a coordinate that is too short", set(`{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","x":"AQ","y":"AQ"}`), refused)
	add("JWS-19", "an RSA exponent of 3", set(edit(rs, `"AQAB"`, `"Aw"`)), refused)
	add("JWS-19", "an RSA exponent of 1", set(edit(rs, `"AQAB"`, `"AQ"`)), refused)
	add("JWS-19", "an RSA modulus of 1024 bits", set(`{"kty":"RSA","kid":"k","alg":"RS256","e":"AQAB","n":"`+b64.Encode(m.rsa.N.Bytes()[:128])+`"}`), refused)
	return cases
}
