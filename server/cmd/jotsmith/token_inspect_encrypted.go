package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// An encryptedInspection is what can be said about an encrypted token without its
// key.
type encryptedInspection struct {
	Verified     bool            `json:"verified"`  // always false
	Encrypted    bool            `json:"encrypted"` // always true
	Header       json.RawMessage `json:"header"`
	EncryptedKey int             `json:"encrypted_key_bytes"`
	Ciphertext   int             `json:"ciphertext_bytes"`
	Findings     []finding       `json:"findings"`
}

// encrypted shows the header of an encrypted token.
func (cmd inspectCmd) encrypted(c *console, compact string) error {
	u, err := jwe.Inspect(compact)
	if err != nil {
		return fmt.Errorf("not an encrypted token: %w", err)
	}
	header := json.RawMessage(u.Header)
	found := examineEncrypted(u, compact, cmd.Sensitive)
	if cmd.JSON {
		return c.json(encryptedInspection{false, true, header, len(u.EncryptedKey), len(u.Ciphertext), found})
	}
	p := c.paint
	first, _, _ := strings.Cut(compact, ".")
	fmt.Fprintf(c.out, "%s.%s\n\n", p.red(first), p.cyan("…"))
	fmt.Fprintln(c.out, p.bold(p.red("Header")))
	c.object(header, p.red, func(name string, value json.RawMessage) string {
		word, _ := text(value)
		return encryptionInWords[name+" "+word]
	})
	fmt.Fprintln(c.out, p.bold(p.cyan("Encrypted")))
	fmt.Fprintf(c.out, "  %s\n", p.cyan(fmt.Sprintf("%s, under a key of %s", plural(int64(len(u.Ciphertext)), "byte"), plural(int64(len(u.EncryptedKey)), "byte"))))
	c.found(found)
	fmt.Fprintf(c.out, "\n%s Anybody who has the recipient's public key could have written this token. With the private key:\n  jotsmith token decrypt --key KEY < FILE\n",
		p.bold("Nothing was verified."))
	return nil
}

// encryptionInWords explains members of the header.
var encryptionInWords = map[string]string{
	"alg RSA-OAEP-256":   "the content key is encrypted for an RSA key",
	"alg ECDH-ES":        "the content key is agreed on with an elliptic key",
	"alg ECDH-ES+A128KW": "the content key is wrapped, agreed on with an elliptic key",
	"alg ECDH-ES+A256KW": "the content key is wrapped, agreed on with an elliptic key",
	"alg A128KW":         "the content key is wrapped with a shared key",
	"alg A256KW":         "the content key is wrapped with a shared key",
	"alg A128GCMKW":      "the content key is wrapped with a shared key",
	"alg A256GCMKW":      "the content key is wrapped with a shared key",
	"alg dir":            "a shared key encrypts the content itself",
	"cty JWT":            "a signed token is inside",
}

// examineEncrypted says what is wrong with an encrypted token, and what to be wary
// of.
func examineEncrypted(u *jwe.Unverified, compact string, sensitive []string) []finding {
	var found findings
	header, h := values(json.RawMessage(u.Header)), u.Parsed
	switch alg := jwk.KeyManagement(h.Algorithm); {
	case h.Algorithm == "RSA1_5":
		found.say(wrong, "RSA1_5 gives what is encrypted away to whoever may ask often enough (RFC 8725 §3.2); this program has no such thing")
	case h.Algorithm == "RSA-OAEP":
		found.say(suspicious, "RSA-OAEP rests on SHA-1: RSA-OAEP-256 takes its place")
	case strings.HasPrefix(h.Algorithm, "PBES2"):
		found.say(suspicious, "%s is a password: whoever holds the token can try passwords for ever, so it is for files and no API takes it", h.Algorithm)
	case !alg.Known():
		found.say(note, "alg %q is not one that this program can decrypt", h.Algorithm)
	case alg.Symmetric():
		found.say(note, "%s is a shared key: whoever can write such a token can also read it", h.Algorithm)
	}
	if !jwk.ContentEncryption(h.Encryption).Known() {
		found.say(note, "enc %q is not one that this program can decrypt", h.Encryption)
	}
	if header["zip"] != nil {
		found.say(wrong, "it is compressed (zip): how far a text shrinks tells of what is in it, and a few bytes become a gigabyte")
	}
	if header["crit"] != nil {
		found.say(suspicious, "header member crit names extensions that a recipient must know or refuse (RFC 7516 §4.1.13)")
	}
	for _, name := range []string{"jwk", "jku", "x5c", "x5u"} {
		if header[name] != nil {
			found.say(suspicious, "header member %s brings its own key; recipients must not follow it (RFC 8725 §3.10)", name)
		}
	}
	if !strings.EqualFold(strings.TrimPrefix(strings.ToLower(h.ContentType), "application/"), "jwt") {
		found.say(suspicious, "cty is %q, not \"JWT\": an API takes only what has a signed token inside (RFC 7519 §5.2)", h.ContentType)
	}
	if h.KeyID == "" {
		found.say(note, "no kid: a recipient with several keys cannot tell which one it is")
	}
	for _, name := range []string{"iss", "sub", "aud"} {
		if header[name] != nil {
			found.say(note, "the header repeats %s in clear (RFC 7519 §5.3)", name)
		}
	}
	sayInClear(&found, json.RawMessage(u.Header), sensitive, "header member")
	saySize(&found, compact)
	return found.sorted()
}
