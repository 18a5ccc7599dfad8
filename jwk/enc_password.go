package jwk

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"log/slog"
	"slices"
)

const (
	minIterations = 1000      // RFC 7518 §4.8.1.2
	maxIterations = 1_200_000 // twice OWASP's figure, which is about a third of a second
	minSalt       = 8         // RFC 7518 §4.8.1.1
	maxSalt       = 128
	newSalt       = 16
	minPassword   = 8
	maxPassword   = 1024
)

// Password encrypts and decrypts files that a person keeps (PBES2, RFC 7518 §4.8).
// It is no [Encrypter] and no [Decrypter], so that nobody who sends tokens can
// have a server try passwords: package jwe has functions of their own for it.
// Whoever has a file can try passwords against it for ever; a key file is better
// where it can be had. It prints as a [PrivateKey] does.
type Password struct {
	alg      KeyManagement
	encs     []ContentEncryption
	password string
}

// passwordFamily is one variant of PBES2.
type passwordFamily struct {
	derive     func(password string, salt []byte, iterations int) ([]byte, error)
	iterations int // for writing: OWASP's Password Storage Cheat Sheet
}

var passwordFamilies = map[KeyManagement]passwordFamily{
	PBES2HS256A128KW: {func(password string, salt []byte, n int) ([]byte, error) {
		return pbkdf2.Key(sha256.New, password, salt, n, 16)
	}, 600_000},
	PBES2HS512A256KW: {func(password string, salt []byte, n int) ([]byte, error) {
		return pbkdf2.Key(sha512.New, password, salt, n, 32)
	}, 210_000},
}

// NewPassword makes a password of 8 to 1024 bytes for [PBES2HS512A256KW] or
// [PBES2HS256A128KW]. encs are the content encryptions that it allows, A256GCM
// where there are none. It writes with 210,000 and 600,000 iterations, which takes
// about a tenth of a second, and reads with 1,000 to 1,200,000.
func NewPassword(alg KeyManagement, password string, encs ...ContentEncryption) (*Password, error) {
	if _, ok := passwordFamilies[alg]; !ok {
		return nil, fmt.Errorf("%q is not an algorithm of passwords: use %s", clip(string(alg)), PBES2HS512A256KW)
	}
	if n := len(password); n < minPassword || n > maxPassword {
		return nil, fmt.Errorf("password of %d bytes: %d to %d are taken", n, minPassword, maxPassword)
	}
	encs, err := allowed(alg, encs)
	if err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	return &Password{alg, encs, password}, nil
}

// Algorithm returns the one algorithm of the password.
func (p *Password) Algorithm() KeyManagement { return p.alg }

// Encryptions returns the content encryptions that the password allows.
func (p *Password) Encryptions() []ContentEncryption { return slices.Clone(p.encs) }

// NewContentKey makes a key for one file.
func (p *Password) NewContentKey() (*ContentKey, WrappedKey, error) {
	w := WrappedKey{Salt: make([]byte, newSalt), Iterations: passwordFamilies[p.alg].iterations}
	rand.Read(w.Salt)
	content, err := NewContentKey(p.encs[0])
	if err != nil {
		return nil, WrappedKey{}, err
	}
	block, err := p.block(w)
	if err != nil {
		return nil, WrappedKey{}, err
	}
	w.EncryptedKey = wrapAES(block, content.key)
	return content, w, nil
}

// UnwrapContentKey returns the content key that w stands for, as [Decrypter]
// says. What asks for too much work is refused before any is done.
func (p *Password) UnwrapContentKey(enc ContentEncryption, w WrappedKey) (*ContentKey, error) {
	if !slices.Contains(p.encs, enc) || len(w.EncryptedKey) != enc.keySize()+8 ||
		w.Iterations < minIterations || w.Iterations > maxIterations || len(w.Salt) < minSalt || len(w.Salt) > maxSalt {
		return nil, ErrDecryption
	}
	block, err := p.block(w)
	if err != nil {
		return nil, ErrDecryption
	}
	return unwrapContentKey(block, enc, w.EncryptedKey)
}

// block is AES under the key that is derived from the password. The algorithm's
// name stands before the salt (RFC 7518 §4.8.1.1).
func (p *Password) block(w WrappedKey) (cipher.Block, error) {
	salt := append(append([]byte(p.alg), 0), w.Salt...)
	key, err := passwordFamilies[p.alg].derive(p.password, salt, w.Iterations)
	if err != nil {
		return nil, fmt.Errorf("deriving a key from the password: %w", err)
	}
	return aes.NewCipher(key)
}

// String returns the algorithm, never the password.
func (p Password) String() string { return fmt.Sprintf("jwk.Password(%s)", p.alg) }

// Format prints String under every verb.
func (p Password) Format(f fmt.State, _ rune) { fmt.Fprint(f, p.String()) }

// LogValue returns String.
func (p Password) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalJSON fails: nobody needs a password as JSON.
func (p Password) MarshalJSON() ([]byte, error) {
	return nil, fmt.Errorf("passwords are not marshalled")
}
