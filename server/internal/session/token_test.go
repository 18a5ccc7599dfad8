package session

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/checksum"
)

// newMinter makes a minter that knows two MAC keys.
func newMinter(t testing.TB, issuer string) (minter, *jwk.SecretKey) {
	t.Helper()
	keys := map[string]*jwk.SecretKey{}
	for i, id := range []string{"0a0b0c0d", "ffffffff"} {
		secret := make([]byte, 32)
		for n := range secret {
			secret[n] = byte(n*7 + i)
		}
		k, err := jwk.NewHMAC(jwk.HS256, secret, id)
		if err != nil {
			t.Fatal(err)
		}
		keys[id] = k
	}
	return minter{issuer, func(id string) (*jwk.SecretKey, bool) { k, ok := keys[id]; return k, ok }}, keys["0a0b0c0d"]
}

var handle = [handleSize]byte{1, 2, 3, 250, 251, 252, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255}

func TestTokensAreWhatTheyWere(t *testing.T) {
	t.Parallel()
	m, key := newMinter(t, "https://auth.example")
	for _, generation := range []uint32{1, 2, 1 << 31, 1<<32 - 1} {
		text, err := m.refresh(key, refreshToken{handle, generation})
		if err != nil || len(text) != 86 || !strings.HasPrefix(text, "jsr_") {
			t.Fatalf("refresh = %q, %v, want 86 characters", text, err)
		}
		got, err := m.parseRefresh(text)
		if err != nil || got.handle != handle || got.generation != generation {
			t.Errorf("parseRefresh = %v, %v", got, err)
		}
		if again, _ := m.refresh(key, got); again != text {
			t.Error("the same token is spelt in two ways")
		}
	}
	for _, holder := range []account.ID{"a", account.NewID(), account.ID(strings.Repeat("x", maxHolder))} {
		text, err := m.device(key, holder)
		if err != nil {
			t.Fatal(err)
		}
		got, device, err := m.parseDevice(text)
		if err != nil || got != holder || !strings.HasPrefix(device, "dev_") {
			t.Errorf("parseDevice = %q, %q, %v", got, device, err)
		}
	}
	for _, holder := range []account.ID{"", account.ID(strings.Repeat("x", maxHolder+1))} {
		if _, err := m.device(key, holder); err == nil {
			t.Errorf("a device token for an id of %d bytes", len(holder))
		}
	}
}

// repair spells raw as a token, with a good checksum: what is left to refuse it
// is the MAC.
func repair(prefix string, raw []byte) string {
	text := prefix + base64.RawURLEncoding.EncodeToString(raw)
	return text + checksum.Of(text)
}

func raw(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text[4 : len(text)-checksum.Size])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRFR11MangledRefreshToken(t *testing.T) {
	t.Parallel()
	m, key := newMinter(t, "https://auth.example")
	text, err := m.refresh(key, refreshToken{handle, 5})
	if err != nil {
		t.Fatal(err)
	}
	device, err := m.device(key, "acc_1")
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, mangled string) {
		t.Helper()
		if mangled == text {
			return
		}
		if got, err := m.parseRefresh(mangled); err == nil {
			t.Errorf("%s: accepted as %v: %s", what, got, mangled)
		}
	}
	body := raw(t, text)
	for i := range text {
		for c := range 256 {
			refused("a byte changed", text[:i]+string([]byte{byte(c)})+text[i+1:])
		}
		refused("cut", text[:i])
		refused("cut in front", text[i+1:])
		refused("a character left out", text[:i]+text[i+1:])
		refused("a line end put in", text[:i]+"\n"+text[i:])
		refused("a line end in the place of a character", text[:i]+"\n"+text[i+1:])
		if j := i + 1; j < len(text) {
			refused("two characters exchanged", text[:i]+text[j:j+1]+text[i:j]+text[j+1:])
		}
		refused("case changed", text[:i]+flipCase(text[i:i+1])+text[i+1:])
	}
	for i := range body {
		for bit := range 8 {
			changed := append([]byte(nil), body...)
			changed[i] ^= 1 << bit
			refused("a bit changed under a good checksum", repair(refreshPrefix, changed))
		}
		refused("cut under a good checksum", repair(refreshPrefix, body[:i]))
	}
	for _, tt := range []struct{ name, text string }{
		{"empty", ""},
		{"prefix only", refreshPrefix},
		{"upper case", strings.ToUpper(text)},
		{"lower case", strings.ToLower(text)},
		{"padded", text + "="},
		{"padded before the checksum", text[:len(text)-6] + "=" + text[len(text)-6:]},
		{"space around", " " + text + " "},
		{"twice", text + text},
		{"extended under a good checksum", repair(refreshPrefix, append(body, 0))},
		{"the prefix of another kind", devicePrefix + text[4:]},
		{"the prefix of another kind under a good checksum", repair(devicePrefix, body)},
		{"no prefix", text[4:]},
		{"standard alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(text)},
		{"a device token", device},
		{"a device token with our prefix", repair(refreshPrefix, raw(t, device))},
		{"huge", refreshPrefix + strings.Repeat("A", 1<<20)},
	} {
		refused(tt.name, tt.text)
	}
	if _, _, err := m.parseDevice(text); err == nil {
		t.Error("a refresh token passes for a device token")
	}
	if _, _, err := m.parseDevice(repair(devicePrefix, body)); err == nil {
		t.Error("a refresh token with another prefix passes for a device token")
	}
	for _, issuer := range []string{"https://auth.examplf", "https://auth.example.org", ""} {
		other, _ := newMinter(t, issuer)
		if _, err := other.parseRefresh(text); err == nil {
			t.Errorf("a token of another issuer than %q with the same keys is accepted", issuer)
		}
	}
	none := minter{m.issuer, func(string) (*jwk.SecretKey, bool) { return nil, false }}
	if _, err := none.parseRefresh(text); err == nil {
		t.Error("a token of an unknown MAC key is accepted")
	}
}

func flipCase(c string) string {
	if u := strings.ToUpper(c); u != c {
		return u
	}
	return strings.ToLower(c)
}

// Device tokens differ in length, so that some have bits to spare in their last
// character.
func TestRFR11MangledDeviceToken(t *testing.T) {
	t.Parallel()
	m, key := newMinter(t, "https://auth.example")
	for _, holder := range []account.ID{"acc_1", "acc_12", "acc_123"} {
		text, err := m.device(key, holder)
		if err != nil {
			t.Fatal(err)
		}
		encoded := text[:len(text)-checksum.Size]
		for i := range encoded {
			for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=\n " {
				mangled := encoded[:i] + string(c) + encoded[i+1:]
				if mangled == encoded {
					continue
				}
				if _, _, err := m.parseDevice(mangled + checksum.Of(mangled)); err == nil {
					t.Errorf("%q passes for %q", mangled, encoded)
				}
			}
		}
		for _, mangled := range []string{encoded + "=", encoded + "A", encoded + "\n", encoded[:len(encoded)-1], encoded[:20] + "\n" + encoded[20:]} {
			if _, _, err := m.parseDevice(mangled + checksum.Of(mangled)); err == nil {
				t.Errorf("%q passes for %q", mangled, encoded)
			}
		}
	}
}

// The checksum is public, so a known value can be written down: scanners for
// leaked secrets compute it too.
func TestChecksum(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":          "000000",
		"123456789": "3jZRME",
	} {
		if got := checksum.Of(text); len(got) != checksum.Size || got != want {
			t.Errorf("checksum of %q is %s, want %s", text, got, want)
		}
	}
}

// No generation of another session, no key id and no handle passes for one of
// this: only what was minted is accepted.
func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	m, key := newMinter(t, "https://auth.example")
	text, err := m.refresh(key, refreshToken{handle, 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(b []byte)
	}{
		{"next generation", func(b []byte) { binary.BigEndian.PutUint32(b[21:], 6) }},
		{"the other MAC key", func(b []byte) { copy(b[1:], "\xff\xff\xff\xff") }},
		{"another handle", func(b []byte) { b[5]++ }},
		{"another version", func(b []byte) { b[0] = 2 }},
		{"no MAC", func(b []byte) { clear(b[25:]) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := raw(t, text)
			tt.change(b)
			if _, err := m.parseRefresh(repair(refreshPrefix, b)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func FuzzParseRefresh(f *testing.F) {
	m, key := newMinter(f, "https://auth.example")
	text, err := m.refresh(key, refreshToken{handle, 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:40])
	f.Add(refreshPrefix)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := m.parseRefresh(s)
		if err != nil {
			return
		}
		// Only what was minted with the key parses, and there is one spelling.
		if again, err := m.refresh(key, got); err != nil || again != s {
			t.Errorf("%q was accepted and is spelt %q (%v)", s, again, err)
		}
	})
}

func BenchmarkParseRefresh(b *testing.B) {
	m, key := newMinter(b, "https://auth.example")
	good, err := m.refresh(key, refreshToken{handle, 5})
	if err != nil {
		b.Fatal(err)
	}
	forged := raw(b, good)
	forged[30] ^= 1
	for name, text := range map[string]string{"good": good, "forged": repair(refreshPrefix, forged), "checksum wrong": good[:85] + "!"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.parseRefresh(text)
			}
		})
	}
}
