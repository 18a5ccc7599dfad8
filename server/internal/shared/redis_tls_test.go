package shared

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

// A connection with TLS counts together as one without; a certificate that is
// not to be trusted is refused before any password is sent, with an error that
// says why and what to do, and holds no secret.
func TestRedisTLS(t *testing.T) {
	t.Parallel()
	authority, stranger := realtest.NewAuthority(t), realtest.NewAuthority(t)
	cert, key := authority.Issue(t, "client")
	foreign, foreignKey := stranger.Issue(t, "client")
	open := authority.StartRedisTLS(t, "no", append([]string{"--user", "default", "off", "--user", "jotsmith", "on", ">s3cr3t"}, strings.Fields(ACL)...)...)
	closed := authority.StartRedisTLS(t, "yes")
	const user = "jotsmith:s3cr3t@"
	roots := "sslrootcert=" + authority.Cert
	for _, tt := range []struct {
		name, url string
		want      string // in the error; "" where it works
	}{
		{"an authority of its own", "rediss://" + user + open.Addr() + "?" + roots, ""},
		{"and a certificate of the client", "rediss://" + closed.Addr() + "?" + roots + "&sslcert=" + cert + "&sslkey=" + key, ""},
		{"an authority that is not named", "rediss://" + user + open.Addr(), "?sslrootcert=PATH"},
		{"another authority", "rediss://" + user + open.Addr() + "?sslrootcert=" + stranger.Cert, "certificate signed by unknown authority"},
		{"another name", "rediss://" + user + strings.Replace(open.Addr(), "127.0.0.1", "localhost", 1) + "?" + roots, "as its certificate does"},
		{"no certificate of the client", "rediss://" + closed.Addr() + "?" + roots, ": "},
		{"a client of another authority", "rediss://" + closed.Addr() + "?" + roots + "&sslcert=" + foreign + "&sslkey=" + foreignKey, ": "},
		{"a wrong password", "rediss://jotsmith:wr0ng-s3cr3t@" + open.Addr() + "?" + roots, "WRONGPASS"},
		{"a client without TLS", "redis://" + user + open.Addr(), ": "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var text log
			r, err := OpenRedis(RedisConfig{URL: tt.url, Secret: secret, Log: slog.New(slog.NewTextHandler(&text, nil)), patience: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			s := r.Status()
			if strings.Contains(text.String(), "s3cr3t") {
				t.Errorf("the log holds the password:\n%s", text.String())
			}
			switch {
			case tt.want == "" && !s.Up:
				t.Errorf("not up: %v", s.Err)
			case tt.want != "" && (s.Up || !strings.Contains(s.Err.Error(), tt.want) || strings.Contains(s.Err.Error(), "s3cr3t")):
				t.Errorf("up %v, error %v, want one with %q", s.Up, s.Err, tt.want)
			}
			if left, wait, err := r.Limiter(tt.name).Take(t.Context(), "a", 3, time.Hour); left != 2 || wait != 0 || err != nil {
				t.Errorf("%d left, wait %v, %v", left, wait, err)
			}
		})
	}
}

// Files that are of no use are told before anything is connected.
func TestParseURLFiles(t *testing.T) {
	t.Parallel()
	authority := realtest.NewAuthority(t)
	cert, key := authority.Issue(t, "client")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, query string
		want        string // in the error; "" for none
	}{
		{"all", "sslrootcert=" + authority.Cert + "&sslcert=" + cert + "&sslkey=" + key, ""},
		{"no such file", "sslrootcert=" + empty + ".gone", "sslrootcert: open " + empty + ".gone"},
		{"no certificate", "sslrootcert=" + empty, "no certificate in " + empty},
		{"a certificate without its key", "sslcert=" + cert, "sslcert and sslkey"},
		{"a key of another", "sslcert=" + authority.Cert + "&sslkey=" + key, "sslcert and sslkey"},
		{"twice", "sslrootcert=a&sslrootcert=b", "must be such as"},
		{"nothing", "sslrootcert=", "must be such as"},
		{"less than all is checked", "sslmode=require", "must be such as"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseURL("rediss://:s3cr3t@cache.example.com?" + tt.query)
			if got := ""; err != nil {
				if got = err.Error(); tt.want == "" || !strings.Contains(got, tt.want) || strings.Contains(got, "s3cr3t") {
					t.Errorf("%v, want %q", err, tt.want)
				}
			} else if tt.want != "" {
				t.Errorf("taken, want %q", tt.want)
			}
		})
	}
}
