package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// sealingFlags say what a text is encrypted or decrypted with. A password is never
// an argument, which anybody on the machine could read.
type sealingFlags struct {
	Key          string `xor:"with" placeholder:"PATH" help:"The key: a JWK or PEM file."`
	Password     bool   `xor:"with" help:"A password instead, which the terminal is asked for."`
	PasswordFile string `xor:"with" placeholder:"PATH" help:"A password instead, from a file (its first line)."`
	Alg          string `default:"" enum:",${encryption_algorithms}" placeholder:"ALG" help:"With --key: the key's algorithm, where the key does not say it, as in PEM."`
}

func (f sealingFlags) check() error {
	switch {
	case f.Key == "" && !f.Password && f.PasswordFile == "":
		return usagef("--key, --password or --password-file is required")
	case f.Alg != "" && f.Key == "":
		return usagef("--alg goes with --key")
	}
	return nil
}

func (f sealingFlags) reading() keyReading { return keyReading{alg: jwk.Algorithm(f.Alg)} }

// password answers the password, or nil where there is a key.
func (f sealingFlags) password(c *console, ask func(*console) (string, error)) (*jwk.Password, error) {
	var text string
	var err error
	switch {
	case f.Password && !isTerminal(c.in):
		return nil, hint(errors.New("there is no terminal to ask for a password"), "use --password-file; with --file, standard input stays free for the terminal")
	case f.Password:
		text, err = ask(c)
	case f.PasswordFile != "":
		text, err = passwordIn(f.PasswordFile)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return jwk.NewPassword(jwk.PBES2HS512A256KW, text)
}

type tokenEncryptCmd struct {
	sealingFlags
	File string `placeholder:"PATH" help:"Read what is to be encrypted from a file; by default from standard input."`
	Cty  string `placeholder:"TYPE" help:"Say in the header what is inside; by default JWT for a signed token, and nothing for anything else."`
	JSON bool   `help:"Print JSON."`
}

func (tokenEncryptCmd) Help() string {
	return "Encrypts a signed token for an API's public key, or any text such as JSON. " +
		"The public key is what 'jotsmith key public' prints of a key of 'jotsmith key generate --use enc'.\n\n" +
		"Encryption proves nothing about who did it. What is to be believed is signed first ('jotsmith token issue'). " +
		"A password is for a file that a person keeps, never for a token: whoever has the file can try passwords for ever."
}

// maxPlaintext keeps what is encrypted readable by 'token decrypt'.
const maxPlaintext = 40 << 10

func (cmd *tokenEncryptCmd) Run(_ context.Context, c *console, _ *commandLine) error {
	if err := cmd.check(); err != nil {
		return err
	}
	plaintext, err := cmd.plaintext(c)
	if err != nil {
		return err
	}
	typ, cty := "", cmd.Cty
	if text := strings.TrimSpace(string(plaintext)); strings.Count(text, ".") == 2 {
		if signed, err := jwt.Inspect(text); err == nil {
			plaintext = []byte(text)
			if cty == "" {
				typ, cty = signed.Type(), "JWT"
			}
		}
	}
	compact, err := cmd.encrypt(c, typ, cty, plaintext)
	switch {
	case err != nil:
		return err
	case cmd.JSON:
		return c.json(map[string]string{"encrypted": compact})
	}
	fmt.Fprintln(c.out, compact)
	return nil
}

func (cmd *tokenEncryptCmd) encrypt(c *console, typ, cty string, plaintext []byte) (string, error) {
	password, err := cmd.password(c, func(c *console) (string, error) { return askTwice(c, "what is encrypted") })
	if err != nil {
		return "", err
	}
	if password != nil {
		return jwe.EncryptWithPassword(password, typ, cty, plaintext)
	}
	text, err := readKeyFile(cmd.Key, c)
	if err != nil {
		return "", err
	}
	if !isPublic(text) { // a secret must be its owner's alone
		if text, err = readSecretFile(cmd.Key, "key", maxKeyFile); err != nil {
			return "", err
		}
	}
	key, err := cmd.reading().encrypter(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", keyAt(cmd.Key), err)
	}
	return jwe.Encrypt(key, typ, cty, plaintext)
}

func (cmd *tokenEncryptCmd) plaintext(c *console) ([]byte, error) {
	in := c.in
	if cmd.File != "" {
		f, err := os.Open(cmd.File)
		if err != nil {
			return nil, fmt.Errorf("reading what is to be encrypted: %w", err)
		}
		defer f.Close()
		in = f
	} else if isTerminal(in) {
		fmt.Fprintln(c.err, "Type or paste what is to be encrypted, then press Enter and Ctrl-D.")
	}
	text, err := io.ReadAll(io.LimitReader(in, maxPlaintext+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading what is to be encrypted: %w", err)
	case len(text) > maxPlaintext:
		return nil, fmt.Errorf("more than %d bytes are not for a token: encrypt a file with a tool for files", maxPlaintext)
	case len(text) == 0:
		return nil, errors.New("there is nothing to encrypt")
	}
	return text, nil
}

type tokenDecryptCmd struct {
	tokenFlags
	sealingFlags
	Out   string `placeholder:"PATH" help:"Write what is inside to this file, which only you may read (0600), instead of printing it."`
	Force bool   `help:"Write over the file, where there is one."`
	JSON  bool   `help:"Print JSON, with the header."`
}

func (tokenDecryptCmd) Help() string {
	return "Prints what is inside of an encrypted token or text. Whoever has the public key can have written it: nothing in it is verified. " +
		"'jotsmith token verify' checks what is inside, if it is a signed token."
}

// decryption is what --json prints.
type decryption struct {
	Verified  bool           `json:"verified"` // always false
	Header    map[string]any `json:"header"`
	Plaintext string         `json:"plaintext"`
}

func (cmd *tokenDecryptCmd) Run(ctx context.Context, c *console, _ *commandLine) error {
	if err := cmd.check(); err != nil {
		return err
	}
	if cmd.Force && cmd.Out == "" {
		return usagef("--force goes with --out")
	}
	compact, err := cmd.read(c)
	if err != nil {
		return err
	}
	opened, err := cmd.decrypt(ctx, c, compact)
	if err != nil {
		return err
	}
	if cmd.Out != "" {
		err := writeSecretFile(cmd.Out, opened.Plaintext, cmd.Force)
		if errors.Is(err, fs.ErrExist) {
			return hint(fmt.Errorf("%s is there already; nothing was written", cmd.Out), "name another file, or replace it with --force")
		}
		return wrap(err, "writing what is inside")
	}
	if cmd.JSON {
		h := opened.Header
		return c.json(decryption{false, map[string]any{"alg": h.Algorithm, "enc": h.Encryption, "kid": h.KeyID, "typ": h.Type, "cty": h.ContentType}, string(opened.Plaintext)})
	}
	plain := string(opened.Plaintext)
	if isTerminal(c.out) {
		plain = printable(plain)
	}
	if !strings.HasSuffix(plain, "\n") {
		plain += "\n"
	}
	fmt.Fprint(c.out, plain)
	fmt.Fprintln(c.err, "Nothing was verified: decrypting does not tell who wrote it.")
	return nil
}

func (cmd *tokenDecryptCmd) decrypt(ctx context.Context, c *console, compact string) (jwe.Decrypted, error) {
	d := jwe.Decrypter{MaxSize: maxTokenText}
	if strings.Count(compact, ".") == 2 {
		return jwe.Decrypted{}, hint(errors.New("this token is not encrypted, only signed"), "'jotsmith token inspect' shows what it says")
	}
	password, err := cmd.password(c, func(c *console) (string, error) { return ask(c, "Password: ") })
	if err != nil {
		return jwe.Decrypted{}, err
	}
	if password != nil {
		return d.DecryptWithPassword(compact, password)
	}
	key, err := ownDecrypter(cmd.Key, cmd.reading())
	if err != nil {
		return jwe.Decrypted{}, err
	}
	keys, err := jwk.NewDecryptionSet(key)
	if err != nil {
		return jwe.Decrypted{}, err
	}
	return d.Decrypt(ctx, compact, keys)
}

// ownDecrypter reads a key that decrypts and is its owner's alone.
func ownDecrypter(path string, r keyReading) (jwk.Decrypter, error) {
	text, err := readSecretFile(path, "key", maxKeyFile)
	switch {
	case err != nil:
		return nil, err
	case !r.encrypts(text):
		return nil, fmt.Errorf("%s: %w", keyAt(path), errNotForEncryption)
	case isPublic(text):
		return nil, fmt.Errorf("%s: it is a public key, which encrypts; the private half decrypts", keyAt(path))
	}
	key, err := r.decrypter(text)
	return key, wrap(err, keyAt(path))
}
