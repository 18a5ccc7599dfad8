package realtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is one PostgreSQL server on loopback.
type Postgres struct {
	Dir  string // of its data
	Port int

	bin   string
	owner *syscall.Credential // who runs it, where this process is root
	cmd   *exec.Cmd
	made  atomic.Int64
}

// StartPostgres starts a server that keeps what it answered, as in production,
// and takes connections from loopback without a password. It ends with the
// test.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	return StartPostgresIn(t, "")
}

// StartPostgresIn starts one that keeps its data below a directory, such as one
// of a disk that a test fills.
func StartPostgresIn(t testing.TB, dir string) *Postgres {
	t.Helper()
	p := newPostgres(t, dir)
	args := []string{"-D", p.Dir, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8"}
	if dir == "" {
		args = append(args, "--no-sync") // no disk of ours fails
	}
	if out, err := p.command("initdb", args...).CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.Start(t)
	t.Cleanup(p.Kill)
	return p
}

// newPostgres finds the programs, a place for the data below a directory, and a
// port.
func newPostgres(t testing.TB, dir string) *Postgres {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		bins = append(bins, path)
	}
	if len(bins) == 0 {
		missing(t, "PostgreSQL", "postgresql")
	}
	slices.Sort(bins)
	initdb, err := filepath.EvalSymlinks(bins[len(bins)-1])
	if err != nil {
		t.Fatal(err)
	}
	p := &Postgres{bin: filepath.Dir(initdb)}
	top, err := os.MkdirTemp(dir, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	p.Dir = filepath.Join(top, "data")
	if os.Getuid() == 0 { // PostgreSQL refuses to be run by root
		account, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		p.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(top, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if p.Port, err = FreePort(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Postgres) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	cmd.Dir = filepath.Dir(p.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner, Setpgid: true}
	return cmd
}

// Start starts the server again and waits until it answers.
func (p *Postgres) Start(t testing.TB) {
	t.Helper()
	log, err := os.Create(filepath.Join(filepath.Dir(p.Dir), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd = p.command("postgres", "-D", p.Dir, "-p", strconv.Itoa(p.Port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=400", "-c", "shared_buffers=64MB")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		c, err := pgx.Connect(ctx, p.url("postgres"))
		if err == nil {
			c.Close(ctx)
		}
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("PostgreSQL did not start: %v\n%s", err, text)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// Kill kills the server with all its processes, as a power cut would.
func (p *Postgres) Kill() {
	if p.cmd == nil {
		return
	}
	// Stopped first, so that it makes no more of them meanwhile.
	pid := p.cmd.Process.Pid
	syscall.Kill(pid, syscall.SIGSTOP)
	soon(func() bool { return strings.ContainsAny(state(pid), "TZ") })
	all := p.processes()
	for _, pid := range all {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	p.cmd.Wait()
	p.cmd = nil
	// What any of them holds keeps the server from starting again.
	for _, pid := range all {
		soon(func() bool { return strings.ContainsAny(state(pid), "Z") })
	}
	soon(func() bool {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)))
		if err == nil {
			l.Close()
		}
		return err == nil
	})
}

// soon waits until something is so, or for ten seconds.
func soon(so func() bool) {
	for end := time.Now().Add(10 * time.Second); !so() && time.Now().Before(end); {
		<-time.After(2 * time.Millisecond)
	}
}

// state is that of a process by proc(5), Z where it is gone.
func state(pid int) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "Z"
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return rest[:1]
}

// Pause stops all processes of the server where they are; the function that it
// answers lets them go on.
func (p *Postgres) Pause(t testing.TB) (resume func()) {
	t.Helper()
	signal := func(sig syscall.Signal) {
		for _, pid := range p.processes() {
			syscall.Kill(pid, sig)
		}
	}
	signal(syscall.SIGSTOP)
	return func() { signal(syscall.SIGCONT) }
}

// processes lists the server and its children, which have groups of their own.
func (p *Postgres) processes() (all []int) {
	all = append(all, p.cmd.Process.Pid)
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", p.cmd.Process.Pid))
	for _, field := range strings.Fields(string(raw)) {
		if pid, err := strconv.Atoi(field); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// NewDatabase makes an empty database and answers its URL.
func (p *Postgres) NewDatabase(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", p.made.Add(1))
	p.Exec(t, p.url("postgres"), "CREATE DATABASE "+name)
	return p.url(name)
}

func (p *Postgres) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)), Path: "/" + database}
	return u.String()
}

// Exec runs statements in the database at a URL.
func (p *Postgres) Exec(t testing.TB, database string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for _, s := range statements {
		if _, err := c.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// FreePort finds a port of loopback that nobody listens on, below those that the
// kernel gives to whoever connects, one of which would soon be taken.
func FreePort() (port int, err error) {
	for range 100 {
		var l net.Listener
		port = 10_000 + rand.N(20_000)
		if l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}
