package account

import (
	"strings"
	"testing"
)

const (
	scryptHex = "c802c99ec1716ae2a4b85d151b9f2f0eaae20a695925a1efdff620fab2f678ef118504ab5b3ccf56f44c43bb134be29e39bf69ca24300d115a2278a3e202e92b"
	bcryptB   = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
)

// foreignHashes are of the password "correct horse", made by other programs:
// libxcrypt, hashlib and Werkzeug; the argon2 ones, of "password", are vectors
// of the reference implementation.
var foreignHashes = map[string]struct{ hash, scheme, password string }{
	"bcrypt 2a":              {"$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", "bcrypt", ""},
	"bcrypt 2b":              {bcryptB, "bcrypt", ""},
	"bcrypt 2y":              {"$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", "bcrypt", ""},
	"bcrypt, not ASCII":      {"$2b$04$abcdefghijklmnopqrstuuQYEk91mE9jD3s0Fa6l8hqSxfClgS2VO", "bcrypt", "gr\u00fcn"},
	"bcrypt of 72 bytes":     {"$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i", "bcrypt", strings.Repeat("x", 72)},
	"scrypt PHC":             {"$scrypt$ln=10,r=8,p=1$c29tZXNhbHRzb21lc2FsdA$yALJnsFxauKkuF0VG58vDqriCmlZJaHv3/Yg+rL2eO8", "scrypt", ""},
	"scrypt Django":          {"scrypt$1024$somesaltsomesalt$8$1$yALJnsFxauKkuF0VG58vDqriCmlZJaHv3/Yg+rL2eO8RhQSrWzzPVvRMQ7sTS+KeOb9pyiQwDRFaInij4gLpKw==", "scrypt", ""},
	"scrypt Werkzeug":        {"scrypt:1024:8:1$somesaltsomesalt$" + scryptHex, "scrypt", ""},
	"scrypt as Werkzeug did": {"scrypt:32768:8:1$Ww4dwKxTkTGZy3Gm$3b663cf36d4e7ae4833f29e25c94fe6468d2a3ed1d129f6d1f9359d7ef8e00a6a1e31dd5d54a55c8103ac543645593e9197cc341652124c9523db5e0903b7212", "scrypt", ""},
	"PBKDF2-SHA256 passlib":  {"$pbkdf2-sha256$1000$c29tZXNhbHRzb21lc2FsdA$f2yJk.Dph1FxQ.yhQ5KLmg1c5wfFtFU14dLQONYBoAE", "PBKDF2-sha256", ""},
	"PBKDF2-SHA256 PHC":      {"$pbkdf2-sha256$i=1000,l=32$c29tZXNhbHRzb21lc2FsdA$f2yJk+Dph1FxQ+yhQ5KLmg1c5wfFtFU14dLQONYBoAE", "PBKDF2-sha256", ""},
	"PBKDF2-SHA256 Django":   {"pbkdf2_sha256$1000$somesaltsomesalt$f2yJk+Dph1FxQ+yhQ5KLmg1c5wfFtFU14dLQONYBoAE=", "PBKDF2-sha256", ""},
	"PBKDF2-SHA256 Werkzeug": {"pbkdf2:sha256:1000$Se8nAL1HQaP85BLV$e3553d79846b4591b4efb17788e3a6e8b017483c6e8e9399d12d2e3d7d6ad24e", "PBKDF2-sha256", ""},
	"PBKDF2-SHA512 passlib":  {"$pbkdf2-sha512$1000$c29tZXNhbHRzb21lc2FsdA$RbkohYpABhrVf6dAjV1mgswjeaDcEw/Z9Lqqoc7ZO6eeqGc4EIBheeCgNOsc3H1ATsxkis9nQ04P4KAKB0FMcA", "PBKDF2-sha512", ""},
	"PBKDF2-SHA512 PHC":      {"$pbkdf2-sha512$i=1000$c29tZXNhbHRzb21lc2FsdA$RbkohYpABhrVf6dAjV1mgswjeaDcEw/Z9Lqqoc7ZO6eeqGc4EIBheeCgNOsc3H1ATsxkis9nQ04P4KAKB0FMcA", "PBKDF2-sha512", ""},
	"PBKDF2-SHA512 Django":   {"pbkdf2_sha512$1000$somesaltsomesalt$RbkohYpABhrVf6dAjV1mgswjeaDcEw/Z9Lqqoc7ZO6eeqGc4EIBheeCgNOsc3H1ATsxkis9nQ04P4KAKB0FMcA==", "PBKDF2-sha512", ""},
	"PBKDF2-SHA512 Werkzeug": {"pbkdf2:sha512:1000$Y9DAsouKxjTveji9$9107e448eda8753343464fd418dd59f651bb8195aafeb3caf0c3e4fdec4095da2e8d750a88ed401d01a12d1ca1c11c04174b6e19c1fa60587e2d7e84617db011", "PBKDF2-sha512", ""},
	"argon2i":                {"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8", "argon2i", "password"},
	"argon2id":               {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "argon2id", "password"},
	"argon2id Django":        {"argon2$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "argon2id", "password"},
}

func TestForeignHashes(t *testing.T) {
	t.Parallel()
	for name, c := range foreignHashes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.password == "" {
				c.password = "correct horse"
			}
			h, err := readHash(c.hash)
			if err != nil {
				t.Fatal(err)
			}
			if h.scheme() != c.scheme {
				t.Errorf("scheme %q", h.scheme())
			}
			if !h.matches(c.password) {
				t.Error("the right password does not match")
			}
			for _, wrong := range []string{"", "wrong", c.password[1:], strings.ToUpper(c.password)} {
				if h.matches(wrong) {
					t.Errorf("%q matches", wrong)
				}
			}
		})
	}
}

// What costs too much, or is no hash, is refused before anything is computed.
func TestForeignHashesRefused(t *testing.T) {
	t.Parallel()
	const salt, tag = "c29tZXNhbHRzb21lc2FsdA", "f2yJk+Dph1FxQ+yhQ5KLmg1c5wfFtFU14dLQONYBoAE"
	for name, s := range map[string]string{
		"empty":                        "",
		"plain text":                   "correct horse",
		"md5":                          "5f4dcc3b5aa765d61d8327deb882cf99",
		"sha512crypt":                  "$6$saltsalt$" + strings.Repeat("a", 86),
		"bcrypt 2x":                    strings.Replace(bcryptB, "$2b$", "$2x$", 1),
		"bcrypt, cost 31":              strings.Replace(bcryptB, "$04$", "$31$", 1),
		"bcrypt, cost 15":              strings.Replace(bcryptB, "$04$", "$15$", 1),
		"bcrypt, cost 3":               strings.Replace(bcryptB, "$04$", "$03$", 1),
		"bcrypt, cost +4":              strings.Replace(bcryptB, "$04$", "$+4$", 1),
		"bcrypt, cut":                  bcryptB[:59],
		"bcrypt, longer":               bcryptB + "a",
		"bcrypt, a space":              bcryptB[:59] + " ",
		"scrypt, 1 GiB":                "$scrypt$ln=20,r=8,p=1$" + salt + "$" + tag,
		"scrypt, ln 63":                "$scrypt$ln=63,r=8,p=1$" + salt + "$" + tag,
		"scrypt, endless":              "$scrypt$ln=15,r=8,p=64$" + salt + "$" + tag,
		"scrypt, weak":                 "$scrypt$ln=5,r=8,p=1$" + salt + "$" + tag,
		"scrypt, r 0":                  "$scrypt$ln=15,r=0,p=1$" + salt + "$" + tag,
		"scrypt, other order":          "$scrypt$r=8,ln=15,p=1$" + salt + "$" + tag,
		"scrypt, N not a power":        "scrypt:30000:8:1$somesaltsomesalt$" + scryptHex,
		"scrypt, no hex":               "scrypt:32768:8:1$somesaltsomesalt$xyz",
		"PBKDF2, one iteration":        "$pbkdf2-sha256$1$" + salt + "$" + tag,
		"PBKDF2, 2^31 iterations":      "$pbkdf2-sha256$2147483648$" + salt + "$" + tag,
		"PBKDF2, 2,000,001 iterations": "$pbkdf2-sha256$2000001$" + salt + "$" + tag,
		"PBKDF2, negative":             "$pbkdf2-sha256$-1000$" + salt + "$" + tag,
		"PBKDF2, SHA-1":                "$pbkdf2-sha1$29000$" + salt + "$" + tag,
		"PBKDF2, short salt":           "pbkdf2_sha256$1000$salt$" + tag,
		"PBKDF2, short hash":           "$pbkdf2-sha256$1000$" + salt + "$f2yJkw",
		"scrypt, cut":                  "scrypt:1024:8:1$somesaltsomesalt$" + scryptHex[:126],
		"PBKDF2, other last bits":      "$pbkdf2-sha256$1000$" + salt + "$" + tag[:len(tag)-1] + "F",
		"argon2i, 4 TiB":               "$argon2i$v=19$m=4294967295,t=2,p=1$" + salt + "$" + tag,
		"argon2i, endless":             "$argon2i$v=19$m=256,t=4294967295,p=1$" + salt + "$" + tag,
		"argon2d":                      "$argon2d$v=19$m=256,t=2,p=1$" + salt + "$" + tag,
		"argon2i, old version":         "$argon2i$v=16$m=256,t=2,p=1$" + salt + "$" + tag,
		"a line feed":                  bcryptB + "\n",
		"NUL":                          "$pbkdf2-sha256$1000$" + salt + "$" + tag + "\x00",
		"too long":                     "$pbkdf2-sha256$1000$" + strings.Repeat("A", 600) + "$" + tag,
	} {
		if h, err := readHash(s); err == nil {
			t.Errorf("%s was taken as %s", name, h.scheme())
		} else if len(s) > 20 && strings.Contains(err.Error(), s[12:20]) {
			t.Errorf("%s: the error quotes the hash: %v", name, err)
		}
	}
}

// Every cut and every changed character of a hash is another hash or none.
func TestForeignHashesMangled(t *testing.T) {
	t.Parallel()
	for _, whole := range []string{bcryptB, foreignHashes["PBKDF2-SHA256 passlib"].hash, foreignHashes["scrypt PHC"].hash} {
		for i := range whole {
			for _, s := range []string{whole[:i], whole[:i] + "\x00" + whole[i+1:], whole[:i] + "$" + whole[i:]} {
				if h, err := readHash(s); err == nil && s != whole && h.matches("correct horse") {
					t.Errorf("%q matches too", s)
				}
			}
		}
	}
}

// FuzzReadHash says that no text panics, is costly to compute, or is quoted.
func FuzzReadHash(f *testing.F) {
	for _, c := range foreignHashes {
		f.Add(c.hash)
	}
	f.Fuzz(func(t *testing.T, s string) {
		switch h, err := readHash(s); h := h.(type) {
		case nil:
			if err == nil {
				t.Error("neither a hash nor an error")
			}
		case scryptHash:
			if h.n*h.r > maxScryptCell || h.n*h.r*h.p > maxScryptWork || h.check() != nil {
				t.Errorf("%+v", h)
			}
		case pbkdf2Hash:
			if h.iterations > maxIterations || h.check() != nil {
				t.Errorf("%+v", h)
			}
		case argon2Hash:
			if h.params.check() != nil || len(h.tag) > maxBytes {
				t.Errorf("%+v", h)
			}
		}
	})
}
