package jwe_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// Each of several recipients decrypts, and nobody else.
func TestJSONRecipients(t *testing.T) {
	t.Parallel()
	both := []jwk.ContentEncryption{jwk.A128CBCHS256, jwk.A256GCM}
	wrap, gcm, agreeing, oaep := shared(jwk.A128KW, both...), shared(jwk.A256GCMKW), must(jwk.GenerateDecryption(jwk.ECDHESA256KW, "X25519", both...)), rsaPair(jwk.A256GCM, jwk.A128GCM)
	text := must(jwe.EncryptJSON([]jwk.Encrypter{wrap, gcm, agreeing.Public(), oaep.Public()}, "letter", "text/plain", []byte("to all"), []byte("secret")))
	for _, key := range []jwk.Decrypter{wrap, gcm, agreeing, oaep} {
		got, err := jwe.DecryptJSON(t.Context(), text, setOf(shared(jwk.A128KW), key))
		if err != nil || string(got.Plaintext) != "secret" || string(got.AdditionalData) != "to all" || got.Key != key ||
			got.Header.Type != "letter" || got.Header.ContentType != "text/plain" || got.Header.Encryption != "A256GCM" || got.Header.KeyID != key.KeyID() {
			t.Errorf("%v: %+v, %v", key.Algorithm(), got, err)
		}
	}
	_, err := jwe.DecryptJSON(t.Context(), text, setOf(shared(jwk.A128KW)))
	is(t, err, jwk.ErrUnknownKey)
	refuse(t, "JSON as compact", string(text), setOf(wrap), jwe.ErrMalformed)

	direct, alone := shared(jwk.Direct, jwk.A256GCM), must(jwk.GenerateDecryption(jwk.ECDHES, ""))
	for name, keys := range map[string][]jwk.Encrypter{
		"nobody": nil, "nil": {nil}, "dir and others": {direct, wrap}, "others and dir": {wrap, direct}, "ECDH-ES and others": {alone.Public(), wrap},
		"nothing in common": {gcm, shared(jwk.A128KW, jwk.A128GCM)}, "too many": {wrap, wrap, wrap, wrap, wrap, wrap, wrap, wrap, wrap},
	} {
		if text, err := jwe.EncryptJSON(keys, "", "", nil, nil); err == nil {
			t.Errorf("%s: %s", name, text)
		}
	}
	for _, key := range []pair{{"dir", direct, direct}, {"ECDH-ES", alone.Public(), alone}} {
		text := must(jwe.EncryptJSON([]jwk.Encrypter{key.enc}, "", "", nil, []byte("secret")))
		if got, err := jwe.DecryptJSON(t.Context(), text, setOf(key.dec)); err != nil || string(got.Plaintext) != "secret" {
			t.Errorf("%s alone: %v", key.name, err)
		}
	}
	// The key that two have agreed on is not given to a third.
	content, _, err := direct.NewContentKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrap.WrapContentKey(content); err == nil {
		t.Error("a key for dir was wrapped for somebody else")
	}
}

// What has no protection decides nothing but which key it is.
func TestJSONForm(t *testing.T) {
	t.Parallel()
	key := shared(jwk.A256KW)
	one := must(jwe.EncryptJSON([]jwk.Encrypter{key}, "", "JWT", []byte("aad"), []byte("secret")))
	two := must(jwe.EncryptJSON([]jwk.Encrypter{key, shared(jwk.A128KW)}, "", "JWT", nil, []byte("secret")))
	change := func(text []byte, f func(map[string]any)) []byte {
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		f(m)
		return must(json.Marshal(m))
	}
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) {
			if m[name] = value; value == nil {
				delete(m, name)
			}
		}
	}
	inFirst := func(f func(map[string]any)) func(map[string]any) {
		return func(m map[string]any) { f(m["recipients"].([]any)[0].(map[string]any)) }
	}
	inHeader := func(f func(map[string]any)) func(map[string]any) {
		return inFirst(func(m map[string]any) { f(m["header"].(map[string]any)) })
	}
	for name, c := range map[string]struct {
		text []byte
		want error // nil: accepted
	}{
		"flattened":                    {one, nil},
		"general":                      {two, nil},
		"unknown member":               {change(one, set("x", 1)), nil},
		"cty without protection":       {change(two, set("unprotected", map[string]any{"cty": "JWT"})), jwe.ErrMalformed}, // a second time
		"other name unprotected":       {change(two, set("unprotected", map[string]any{"jku": "https://x.example"})), nil},
		"no protected":                 {change(one, set("protected", nil)), jwe.ErrMalformed},
		"protected empty":              {change(one, set("protected", "")), jwe.ErrMalformed},
		"protected is a number":        {change(one, set("protected", 1)), jwe.ErrMalformed},
		"enc unprotected":              {change(two, set("unprotected", map[string]any{"enc": "A256GCM"})), jwe.ErrMalformed},
		"typ unprotected":              {change(two, set("unprotected", map[string]any{"typ": "at+jwt"})), jwe.ErrMalformed},
		"crit unprotected":             {change(two, inHeader(set("crit", []string{"x"}))), jwe.ErrMalformed},
		"kid twice":                    {change(two, set("unprotected", map[string]any{"kid": key.KeyID()})), jwe.ErrMalformed},
		"alg twice":                    {change(one, set("header", map[string]any{"alg": "A256KW"})), jwe.ErrMalformed},
		"no alg":                       {change(two, inHeader(set("alg", nil))), jwe.ErrMalformed},
		"another alg":                  {change(two, inHeader(set("alg", "A256GCMKW"))), jwk.ErrUnknownKey},
		"no header":                    {change(two, inFirst(set("header", nil))), jwe.ErrMalformed},
		"header empty":                 {change(two, inFirst(set("header", map[string]any{}))), jwe.ErrMalformed},
		"unprotected is a string":      {change(two, set("unprotected", "x")), jwe.ErrMalformed},
		"recipients empty":             {change(two, set("recipients", []any{})), jwe.ErrMalformed},
		"recipients is an object":      {change(two, set("recipients", map[string]any{})), jwe.ErrMalformed},
		"nine recipients":              {change(two, set("recipients", []any{1, 2, 3, 4, 5, 6, 7, 8, 9})), jwe.ErrMalformed},
		"both forms":                   {change(two, set("encrypted_key", "AAAA")), jwe.ErrMalformed},
		"a signature too":              {change(one, set("signature", "AAAA")), jwe.ErrMalformed},
		"a payload too":                {change(one, set("payload", "AAAA")), jwe.ErrMalformed},
		"no iv":                        {change(one, set("iv", nil)), jwe.ErrDecrypt},
		"iv is null":                   {[]byte(strings.Replace(string(one), `"iv":"`, `"iv":null,"x":"`, 1)), jwe.ErrMalformed},
		"no tag":                       {change(one, set("tag", nil)), jwe.ErrDecrypt},
		"no ciphertext":                {change(one, set("ciphertext", nil)), jwe.ErrDecrypt},
		"no aad":                       {change(one, set("aad", nil)), jwe.ErrDecrypt},
		"another aad":                  {change(one, set("aad", "AAAA")), jwe.ErrDecrypt},
		"an aad":                       {change(two, set("aad", "AAAA")), jwe.ErrDecrypt},
		"no encrypted key":             {change(one, set("encrypted_key", nil)), jwe.ErrDecrypt},
		"another encrypted key":        {change(two, inFirst(set("encrypted_key", strings.Repeat("A", 54)+"A"))), jwe.ErrDecrypt},
		"encrypted key with tail bits": {change(two, inFirst(set("encrypted_key", strings.Repeat("A", 53)+"B"))), jwe.ErrMalformed},
		"encrypted key is no string":   {change(two, inFirst(set("encrypted_key", 1))), jwe.ErrMalformed},
		"duplicate":                    {[]byte(`{"iv":"AAAA",` + string(one[1:])), jwe.ErrMalformed},
		"empty":                        {nil, jwe.ErrMalformed},
		"array":                        {[]byte("[]"), jwe.ErrMalformed},
		"too large":                    {change(one, set("x", strings.Repeat("x", jwe.DefaultMaxSize))), jwe.ErrMalformed},
		"protected header of a number": {change(one, set("protected", "MQ")), jwe.ErrMalformed},
	} {
		got, err := jwe.DecryptJSON(t.Context(), c.text, setOf(key))
		switch {
		case c.want == nil && (err != nil || string(got.Plaintext) != "secret"):
			t.Errorf("%s: %v", name, err)
		case c.want != nil && (!errors.Is(err, c.want) || got.Plaintext != nil):
			t.Errorf("%s: %v, want: %v", name, err, c.want)
		}
	}
}
