package realtest

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// A Wait is what a commit on a primary waits for.
type Wait bool

const (
	Synchronous  Wait = true  // that its standby has it on disk
	Asynchronous Wait = false // for nothing
)

// StartStandby starts a standby that streams from p by a port, which is p's own
// or that of a way to it, and waits until it does.
func (p *Postgres) StartStandby(t testing.TB, port int, wait Wait) *Postgres {
	t.Helper()
	s := newPostgres(t, "")
	if out, err := p.command("pg_basebackup", "-D", s.Dir, "-R", "-X", "stream", "-c", "fast",
		"-d", "host=127.0.0.1 user=postgres application_name=standby port="+strconv.Itoa(port)).CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	s.Start(t)
	t.Cleanup(s.Kill)
	if wait == Synchronous {
		p.Exec(t, p.url("postgres"), "ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()")
	}
	for end := time.Now().Add(30 * time.Second); ; <-time.After(20 * time.Millisecond) {
		is := p.Ask(t, "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'")
		if is == "sync" || is == "async" && wait == Asynchronous {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("the standby does not stream: %q", is)
		}
	}
}

// Promote makes a standby the primary.
func (p *Postgres) Promote(t testing.TB) {
	t.Helper()
	if out, err := p.command("pg_ctl", "promote", "-w", "-D", p.Dir).CombinedOutput(); err != nil {
		t.Fatalf("pg_ctl promote: %v\n%s", err, out)
	}
}

// Ask answers the first column of a row, as text, and nothing where there is no
// row.
func (p *Postgres) Ask(t testing.TB, query string) string {
	t.Helper()
	out, err := p.command("psql", "-X", "-A", "-t", "-h", "127.0.0.1", "-p", strconv.Itoa(p.Port), "-U", "postgres", "-c", query).Output()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.TrimSpace(string(out))
}

// Down says whether the server has ended by itself.
func (p *Postgres) Down() bool {
	return p.cmd == nil || strings.ContainsAny(state(p.cmd.Process.Pid), "Z")
}
