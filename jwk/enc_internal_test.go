package jwk

import (
	"bytes"
	"crypto/aes"
	"crypto/ecdh"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/vectors"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

func un64(s string) []byte {
	b, err := b64.Decode(nil, s)
	if err != nil {
		panic(err)
	}
	return b
}

// RFC 3394 §4, those with keys of 128 and 256 bits.
func TestAESKeyWrapOfRFC3394(t *testing.T) {
	t.Parallel()
	const key256 = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"
	for _, v := range []struct{ section, kek, key, wrapped string }{
		{"4.1", key256[:32], "00112233445566778899AABBCCDDEEFF", "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"},
		{"4.3", key256, "00112233445566778899AABBCCDDEEFF", "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"},
		{"4.5", key256, "00112233445566778899AABBCCDDEEFF0001020304050607", "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1"},
		{"4.6", key256, "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F", "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"},
	} {
		block, err := aes.NewCipher(unhex(v.kek))
		if err != nil {
			t.Fatal(err)
		}
		if got := wrapAES(block, unhex(v.key)); !bytes.Equal(got, unhex(v.wrapped)) {
			t.Errorf("§%s: wrapped %x", v.section, got)
		}
		key, ok := unwrapAES(block, unhex(v.wrapped))
		if ok != 1 || !bytes.Equal(key, unhex(v.key)) {
			t.Errorf("§%s: unwrapped %x, %d", v.section, key, ok)
		}
		for i := range unhex(v.wrapped) {
			mangled := unhex(v.wrapped)
			mangled[i] ^= 1
			if _, ok := unwrapAES(block, mangled); ok != 0 {
				t.Errorf("§%s: byte %d changed, and unwrapped", v.section, i)
			}
		}
	}
}

// RFC 7518 B.1 and B.3.
func TestCBCAndHMACOfRFC7518AppendixB(t *testing.T) {
	t.Parallel()
	const (
		key       = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
		iv        = "1af38c2dc2b96ffdd86694092341bc04"
		plaintext = "A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience"
		aad       = "The second principle of Auguste Kerckhoffs"
	)
	for _, v := range []struct {
		enc  ContentEncryption
		want string
	}{
		{A128CBCHS256, `c80edfa32ddf39d5ef00c0b468834279a2e46a1b8049f792f76bfe54b903a9c9a94ac9b47ad2655c5f10f9aef71427e2
			fc6f9b3f399a221489f16362c703233609d45ac69864e3321cf82935ac4096c86e133314c54019e8ca7980dfa4b9cf1b
			384c486f3a54c51078158ee5d79de59fbd34d848b3d69550a67646344427ade54b8851ffb598f7f80074b9473c82e2db
			652c3fa36b0a7c5b3219fab3a30bc1c4`},
		{A256CBCHS512, `4affaaadb78c31c5da4b1b590d10ffbd3dd8d5d302423526912da037ecbcc7bd822c301dd67c373bccb584ad3e9279c2
			e6d12a1374b77f077553df829410446b36ebd97066296ae6427ea75c2e0846a11a09ccf5370dc80bfecbad28c73f09b3
			a3b75e662a2594410ae496b2e2e6609e31e6e02cc837f053d21f37ff4f51950bbe2638d09dd7a4930930806d0703b1f6
			4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5`},
	} {
		content, err := newContentKey(v.enc, unhex(key)[:v.enc.keySize()])
		if err != nil {
			t.Fatal(err)
		}
		want := unhex(iv + v.want)
		if got := content.aead.(*cbcHMAC).seal(nil, unhex(iv), []byte(plaintext), []byte(aad)); !bytes.Equal(got, want) {
			t.Errorf("%s: %x", v.enc, got)
		}
		if got, err := content.Open(nil, want, []byte(aad)); err != nil || string(got) != plaintext {
			t.Errorf("%s: %q, %v", v.enc, got, err)
		}
	}
}

// RFC 7518 appendix C.
func TestConcatKDFOfRFC7518AppendixC(t *testing.T) {
	t.Parallel()
	const (
		alice = `{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}`
		bob   = "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"
	)
	key, err := ecdh.P256().NewPrivateKey(un64(bob))
	if err != nil {
		t.Fatal(err)
	}
	ephemeral, err := curveOf(ecdh.P256()).readEphemeral(alice)
	if err != nil {
		t.Fatal(err)
	}
	z, err := key.ECDH(ephemeral)
	if err != nil {
		t.Fatal(err)
	}
	if got := b64.Encode(concatKDF(z, "A128GCM", []byte("Alice"), []byte("Bob"), 16)); got != "VqqN6vgjbSBcIijNcacQGg" {
		t.Error(got)
	}
	d, err := GenerateDecryption(ECDHES, "", A128GCM)
	if err != nil {
		t.Fatal(err)
	}
	half := &ecdhPrivate{d.half.(*ecdhPrivate).f, d.half.(*ecdhPrivate).c, key}
	content, err := half.unwrap(A128GCM, WrappedKey{EphemeralKey: alice, PartyU: []byte("Alice"), PartyV: []byte("Bob")})
	if err != nil || b64.Encode(content.key) != "VqqN6vgjbSBcIijNcacQGg" {
		t.Error(content, err)
	}
}

// Where the cookbook fixes all that is random, wrapping its keys and encrypting
// its text gives its very bytes. AES GCM makes its IVs itself here; that it
// decrypts to the same is tested in package jwe.
func TestRFC7520Reproduced(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(vectors.Dir(t, "rfc7520"), "jwe", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	wrapped, sealed := 0, 0
	for _, file := range files {
		if strings.Contains(file, "multiple_recipients") { // another form, and nothing in it is fixed
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Reproducible bool
			Input        struct {
				Plaintext string
				Pwd       string
				Key       json.RawMessage
				Alg, Enc  any
				Zip       string
			}
			Generated struct{ CEK, IV string }
			Key       struct {
				Encrypted string `json:"encrypted_key"`
			} `json:"encrypting_key"`
			Content struct {
				Protected64     string `json:"protected_b64u"`
				Ciphertext, Tag string
			} `json:"encrypting_content"`
		}
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(file, err)
		}
		alg, enc := fmt.Sprint(v.Input.Alg), ContentEncryption(fmt.Sprint(v.Input.Enc))
		if alg == "A128KW" && v.Generated.CEK != "" {
			wrapped++
			k, err := ParseShared(v.Input.Key, enc)
			if err != nil {
				t.Fatal(file, err)
			}
			if got := b64.Encode(wrapAES(k.half.(aesKW).block, un64(v.Generated.CEK))); got != v.Key.Encrypted {
				t.Errorf("%s: encrypted key %s", file, got)
			}
		}
		if enc == A128CBCHS256 && v.Generated.CEK != "" && v.Input.Zip == "" {
			sealed++
			content, err := newContentKey(enc, un64(v.Generated.CEK))
			if err != nil {
				t.Fatal(file, err)
			}
			got := content.aead.(*cbcHMAC).seal(nil, un64(v.Generated.IV), []byte(v.Input.Plaintext), []byte(v.Content.Protected64))
			if !bytes.Equal(got, append(append(un64(v.Generated.IV), un64(v.Content.Ciphertext)...), un64(v.Content.Tag)...)) {
				t.Errorf("%s: %s", file, b64.Encode(got))
			}
		}
	}
	if wrapped < 2 || sealed < 2 {
		t.Errorf("%d keys and %d texts reproduced", wrapped, sealed)
	}
}

// JWE-10: the length of the additional data is counted in 64 bits, so that 2²⁹
// bytes more of it do not pass for none (CVE-2016-9123).
func TestJWE10AdditionalDataLength(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[uint64]string{0: "0000000000000000", 51: "0000000000000198", 1 << 29: "0000000100000000", 1<<29 + 51: "0000000100000198"} {
		if al := bitLength(bytes); hex.EncodeToString(al[:]) != want {
			t.Errorf("%d bytes: %x", bytes, al)
		}
	}
}
