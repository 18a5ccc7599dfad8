package session

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/checksum"
)

// RefreshPrefix begins every refresh token.
const RefreshPrefix = "jsr_"

// Refresh tokens and device tokens look alike:
//
//	prefix ‖ base64url(version 1 ‖ MAC-key id 4 ‖ body ‖ MAC 32) ‖ checksum 6
//
// The body of a refresh token is its handle (16 random bytes) and generation
// (4, big-endian); that of a device token is a device id (16 random bytes) and
// the account's id. The checksum, CRC-32 of all that stands before it in
// base62, lets scanners for leaked secrets tell a token from a word; it proves
// nothing. There is one spelling of each token and every other is refused.
const (
	refreshPrefix = RefreshPrefix
	devicePrefix  = "jsd_"

	tokenVersion = 1
	keyIDSize    = 4
	macSize      = 32

	// The first byte under the MAC, so that no kind of token stands for another.
	refreshPurpose = 1
	devicePurpose  = 2

	handleSize  = 16
	refreshBody = handleSize + 4
	deviceSize  = 16
	maxHolder   = 64
)

var errForged = errors.New("malformed or forged token")

// A refreshToken is what a genuine one says.
type refreshToken struct {
	handle     [handleSize]byte
	generation uint32
}

// A minter makes and checks tokens for one issuer.
type minter struct {
	issuer string
	key    func(id string) (*jwk.SecretKey, bool)
}

func (m minter) refresh(key *jwk.SecretKey, t refreshToken) (string, error) {
	body := binary.BigEndian.AppendUint32(t.handle[:], t.generation)
	return m.make(refreshPrefix, refreshPurpose, key, body)
}

func (m minter) parseRefresh(text string) (refreshToken, error) {
	var t refreshToken
	body, err := m.parse(refreshPrefix, refreshPurpose, refreshBody, refreshBody, text)
	if err != nil {
		return t, err
	}
	copy(t.handle[:], body)
	t.generation = binary.BigEndian.Uint32(body[handleSize:])
	return t, nil
}

func (m minter) device(key *jwk.SecretKey, holder account.ID) (string, error) {
	if len(holder) == 0 || len(holder) > maxHolder {
		return "", fmt.Errorf("account id of %d bytes in a device token: 1 to %d", len(holder), maxHolder)
	}
	body := make([]byte, deviceSize, deviceSize+maxHolder)
	rand.Read(body)
	return m.make(devicePrefix, devicePurpose, key, append(body, holder...))
}

func (m minter) parseDevice(text string) (holder account.ID, device string, err error) {
	body, err := m.parse(devicePrefix, devicePurpose, deviceSize+1, deviceSize+maxHolder, text)
	if err != nil {
		return "", "", err
	}
	return account.ID(body[deviceSize:]), "dev_" + base64.RawURLEncoding.EncodeToString(body[:deviceSize]), nil
}

func (m minter) make(prefix string, purpose byte, key *jwk.SecretKey, body []byte) (string, error) {
	id, err := hex.DecodeString(key.KeyID())
	if err != nil || len(id) != keyIDSize {
		return "", fmt.Errorf("MAC key id %q is not %d bytes in hex", key.KeyID(), keyIDSize)
	}
	raw := append([]byte{tokenVersion}, id...)
	raw = append(raw, body...)
	raw, err = key.AppendSignature(raw, m.message(purpose, raw))
	if err != nil {
		return "", err
	}
	text := prefix + base64.RawURLEncoding.EncodeToString(raw)
	return text + checksum.Of(text), nil
}

// parse answers the body of a genuine token. It reads no store, and the MAC is
// compared in constant time.
func (m minter) parse(prefix string, purpose byte, minBody, maxBody int, text string) ([]byte, error) {
	const around = 1 + keyIDSize + macSize
	size := len(text) - len(prefix) - checksum.Size
	enc := base64.RawURLEncoding
	if size < enc.EncodedLen(around+minBody) || size > enc.EncodedLen(around+maxBody) {
		return nil, errForged
	}
	encoded := text[:len(prefix)+size]
	if encoded[:len(prefix)] != prefix || text[len(encoded):] != checksum.Of(encoded) {
		return nil, errForged
	}
	raw, err := enc.Strict().DecodeString(encoded[len(prefix):])
	// Line ends are skipped by the decoder: they leave too few bytes.
	if err != nil || enc.EncodedLen(len(raw)) != size || raw[0] != tokenVersion {
		return nil, errForged
	}
	key, ok := m.key(hex.EncodeToString(raw[1 : 1+keyIDSize]))
	if !ok {
		return nil, errForged
	}
	raw, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	if key.Verify(m.message(purpose, raw), mac) != nil {
		return nil, errForged
	}
	return raw[1+keyIDSize:], nil
}

// message is what is MACed: purpose ‖ version ‖ key id ‖ issuer with its length
// in front ‖ body. raw is version, key id and body.
func (m minter) message(purpose byte, raw []byte) []byte {
	b := make([]byte, 0, 3+len(m.issuer)+len(raw))
	b = append(b, purpose)
	b = append(b, raw[:1+keyIDSize]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.issuer)))
	b = append(b, m.issuer...)
	return append(b, raw[1+keyIDSize:]...)
}
