package account

import (
	"errors"
	"strings"
	"testing"
)

// cheap keeps tests fast.
var cheap = HashParams{Memory: 64, Time: 1, Threads: 1}

func TestHashRoundTrip(t *testing.T) {
	t.Parallel()
	for _, p := range []HashParams{cheap, {Memory: 128, Time: 3, Threads: 4}} {
		h := newHash(p, "correct horse")
		parsed, err := parseHash(h.String())
		if err != nil {
			t.Fatal(err)
		}
		if !parsed.matches("correct horse") || parsed.matches("correct horsf") || parsed.matches("") {
			t.Errorf("%v: wrong verdict", p)
		}
	}
	if a, b := newHash(cheap, "x").String(), newHash(cheap, "x").String(); a == b {
		t.Error("two hashes of one password are equal: no salt")
	}
}

// A vector of the reference implementation (argon2 test.c, version 0x13).
func TestHashVector(t *testing.T) {
	t.Parallel()
	h, err := parseHash("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	if err != nil {
		t.Fatal(err)
	}
	if !h.matches("password") {
		t.Error("the reference implementation's hash does not match")
	}
}

// What somebody who can write to the store might put there. None is computed.
func TestHashRefused(t *testing.T) {
	t.Parallel()
	const salt, tag = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for name, s := range map[string]string{
		"empty":              "",
		"plain text":         "password",
		"bcrypt":             "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":            "$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + tag,
		"old version":        "$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + tag,
		"no version":         "$argon2id$m=256,t=2,p=1$" + salt + "$" + tag,
		"4 TiB of memory":    "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + tag,
		"257 MiB of memory":  "$argon2id$v=19$m=263168,t=2,p=1$" + salt + "$" + tag,
		"too little memory":  "$argon2id$v=19$m=7,t=2,p=1$" + salt + "$" + tag,
		"endless passes":     "$argon2id$v=19$m=256,t=4294967295,p=1$" + salt + "$" + tag,
		"no pass":            "$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + tag,
		"no thread":          "$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + tag,
		"255 threads":        "$argon2id$v=19$m=2048,t=2,p=255$" + salt + "$" + tag,
		"overflow":           "$argon2id$v=19$m=4294967552,t=2,p=1$" + salt + "$" + tag,
		"negative":           "$argon2id$v=19$m=-256,t=2,p=1$" + salt + "$" + tag,
		"leading zero":       "$argon2id$v=19$m=0256,t=2,p=1$" + salt + "$" + tag,
		"other order":        "$argon2id$v=19$t=2,m=256,p=1$" + salt + "$" + tag,
		"further parameter":  "$argon2id$v=19$m=256,t=2,p=1,keyid=x$" + salt + "$" + tag,
		"short salt":         "$argon2id$v=19$m=256,t=2,p=1$c29t$" + tag,
		"short tag":          "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$nf65",
		"no tag":             "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$",
		"padding":            "$argon2id$v=19$m=256,t=2,p=1$" + salt + "=$" + tag,
		"loose tail bits":    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHR$" + tag,
		"line feed":          "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + tag + "\n",
		"further part":       "$argon2id$v=19$m=256,t=2,p=1$" + salt + "$" + tag + "$",
		"a megabyte of salt": "$argon2id$v=19$m=256,t=2,p=1$" + strings.Repeat("A", 1<<20) + "$" + tag,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseHash(s)
			if !errors.Is(err, errHash) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), salt) {
				t.Errorf("the error quotes the hash: %v", err)
			}
		})
	}
}

func FuzzParseHash(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parseHash(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Errorf("%q is read as %q", s, h)
		}
		if p := h.params; p.Memory > maxMemory || p.Time > maxTime || p.Threads > maxThreads {
			t.Errorf("%q costs too much", s)
		}
	})
}

func TestCheaper(t *testing.T) {
	t.Parallel()
	now := HashParams{Memory: 128, Time: 2, Threads: 1}
	for name, c := range map[string]struct {
		old  HashParams
		want bool
	}{
		"same":        {now, false},
		"less memory": {HashParams{64, 2, 1}, true},
		"fewer times": {HashParams{128, 1, 1}, true},
		"stronger":    {HashParams{256, 3, 1}, false},
	} {
		if got := c.old.cheaper(now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
