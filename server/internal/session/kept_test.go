package session_test

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"testing"
)

// onDisk is all that a store has on the disk.
func onDisk(t *testing.T, path string) string {
	t.Helper()
	all := ""
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all += string(b)
	}
	if all == "" {
		t.Fatalf("nothing is kept at %s", path)
	}
	return all
}

// spellings are the handle and the MAC of a refresh token as they might stand
// somewhere.
func spellings(t *testing.T, token string) []string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(token[4:80])
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, part := range [][]byte{raw[5:21], raw[25:]} {
		all = append(all, string(part), hex.EncodeToString(part),
			base64.RawURLEncoding.EncodeToString(part), base64.RawStdEncoding.EncodeToString(part))
	}
	return append(all, token, token[8:40], token[40:80])
}
