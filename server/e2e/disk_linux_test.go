package e2e

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/wire"
)

// startAlone starts one node that keeps everything in a file of its own.
func startAlone(t *testing.T, data string) *cluster {
	t.Helper()
	c := &cluster{t: t, began: time.Now(), grace: 30 * time.Second, by: map[string]int{}, dir: t.TempDir()}
	addr := freeAddr(t)
	c.issuer, c.file = "http://"+addr, filepath.Join(data, "jotsmith.db")
	c.nodes = []*clusterNode{{addr: addr, data: data, args: []string{"--issuer", c.issuer, "--api", clusterAPI,
		"--behind-proxy", "--sessions-per-account", "1000", "--log-level", "warn"}}}
	c.people(t, "--data", data)
	c.startNode(t, 0)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the node said at last:\n%s", tail(c.nodes[0].stderr.String(), 2000))
		}
	})
	return c
}

// queryFile is query for a node's own file.
func queryFile[T any](t testing.TB, file, query string) (all []T) {
	t.Helper()
	name := url.URL{Scheme: "file", OmitHost: true, Path: file, RawQuery: "mode=ro&_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var one T
		var fields []any
		for v, i := reflect.ValueOf(&one).Elem(), 0; i < v.NumField(); i++ {
			fields = append(fields, v.Field(i).Addr().Interface())
		}
		if err := rows.Scan(fields...); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A disk is a file system of its own, in a file.
type disk struct{ image, dir string }

// newDisk mounts one of so many megabytes, where this process may.
func newDisk(t *testing.T, size int64) *disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "disk") // whose parents PostgreSQL's user may pass
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d := &disk{filepath.Join(t.TempDir(), "image"), dir}
	f, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size << 20); err != nil {
		t.Fatal(err)
	}
	switch out, err := command("mkfs.ext4", "-q", "-F", "-m", "0", d.image); {
	case errors.Is(err, exec.ErrNotFound):
		lacks(t, "mkfs.ext4: install the package e2fsprogs")
	case err != nil:
		t.Fatalf("no disk to break: %v: %s", err, out)
	}
	if out, err := d.mount(); err != nil {
		t.Skipf("this process may not mount a disk: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if syscall.Unmount(d.dir, 0) != nil {
			syscall.Unmount(d.dir, syscall.MNT_DETACH)
		}
	})
	if err := os.Chmod(d.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

// command runs a program of the system's, which stands where root finds it.
func command(name string, args ...string) (string, error) {
	if path := filepath.Join("/usr/sbin", name); exec.Command("test", "-x", path).Run() == nil {
		name = path
	}
	out, err := exec.Command(name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (d *disk) mount() (string, error) {
	return command("mount", "-o", "loop,errors=remount-ro", d.image, d.dir)
}

// fill takes all room that is left on the disk, also what becomes free
// meanwhile, until something is so. It answers what makes room again.
func (d *disk) fill(t *testing.T, until func() bool) (free func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(d.dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	within(t, time.Minute, func() bool {
		for size := len(block); size > 0; {
			if _, err := f.Write(block[:size]); errors.Is(err, syscall.ENOSPC) {
				size /= 4
			} else if err != nil {
				t.Fatal(err)
			}
		}
		return until()
	})
	return func() {
		f.Close()
		if err := os.Remove(f.Name()); err != nil {
			t.Fatal(err)
		}
	}
}

// breaks makes the file system read-only, as the kernel does where it finds
// that the disk no longer keeps what it is given. A sync of a file that grows,
// under way at that moment, may then be answered as done, and is lost: of ext4 in
// Linux 6.18 it is, also to a program that does nothing else. What is tested with
// it must have its room before.
func (d *disk) breaks(t *testing.T) {
	t.Helper()
	device, err := command("findmnt", "-n", "-o", "SOURCE", d.dir)
	if err == nil {
		err = os.WriteFile(filepath.Join("/sys/fs/ext4", filepath.Base(device), "trigger_fs_error"), []byte("broken"), 0)
	}
	if err != nil {
		t.Skipf("the disk cannot be broken here: %v", err)
	}
}

// forbid makes files read-only, also for whoever has them open.
func forbid(t *testing.T, files ...string) (allow func()) {
	t.Helper()
	set := func(flag string) {
		if out, err := command("chattr", append([]string{flag}, files...)...); err != nil {
			t.Fatalf("chattr: %v: %s", err, out)
		}
	}
	set("+i")
	return func() { set("-i") }
}

// repair checks the disk and mounts it again. Nobody may hold a file of it.
func (d *disk) repair(t *testing.T) {
	t.Helper()
	within(t, 10*time.Second, func() bool { return syscall.Unmount(d.dir, 0) == nil })
	// 1 is for what was corrected.
	if out, err := command("e2fsck", "-p", d.image); err != nil && err.(*exec.ExitError).ExitCode() != 1 {
		t.Fatalf("e2fsck: %v: %s", err, out)
	}
	if out, err := d.mount(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// tellPostgres has it execute a statement, if it can.
func (c *cluster) tellPostgres(statement string) {
	exec.Command("psql", "-X", "-q", "-h", "127.0.0.1", "-p", fmt.Sprint(c.db.Port), "-U", "postgres", "-c", statement).Run()
}

// ready asks the first node itself.
func (c *cluster) ready(t testing.TB) bool {
	status, _, err := call(t.Context(), "GET", c.each()[0]+"/readyz", "", nil)
	return err == nil && status == 200
}

// unwritable checks what clients see while nothing can be written: everything
// that needs it is refused at once, and clearly. It answers false where something
// was written after all: room that the store had for its log counts.
func (c *cluster) unwritable(t testing.TB, s *tracked) bool {
	t.Helper()
	client := newClient()
	began := time.Now()
	token, g := s.token(0)
	s.add(op{kind: opRefresh, outcome: unknown, client: 97, presented: g, call: time.Since(c.began), ret: math.MaxInt64})
	c.count(op{kind: opLogin, outcome: unknown})
	for path, body := range map[string]any{
		"/v1/refresh": wire.RefreshRequest{RefreshToken: token},
		"/v1/login":   wire.LoginRequest{Username: "user1", Password: clusterPassword},
	} {
		status, answer, header, err := exchange(client, "POST", c.each()[0]+path, "", body)
		if err == nil && status == 200 {
			return false
		}
		if err != nil || status != 503 || !bytes.Contains(answer, []byte(`"server_busy"`)) || header.Get("Retry-After") == "" {
			t.Errorf("%s is answered %d, %v: %s", path, status, err, answer)
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("two refusals took %v", took)
	}
	pass(time.Second)
	return !c.ready(t)
}

// A disk without room below the file of one node and below the database of two;
// a file that may no longer be written, and a disk below the database that the
// kernel has made read-only: whoever asks is told that the server is busy, the
// nodes say that they are not ready, and what was answered stands. The nodes go
// on by themselves; the database on the broken disk is started again once that is
// repaired.
func TestFLT05DiskIsFullOrReadOnly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		postgres bool
		full     bool
	}{
		{"SQLite, full", false, true},
		{"SQLite, read-only", false, false},
		{"PostgreSQL, full", true, true},
		{"PostgreSQL, read-only", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			times := sized(t, "JOTSMITH_DISKS", 1)
			var saw, again time.Duration
			var c *cluster
			var d *disk
			if tt.postgres {
				d = newDisk(t, 256)
				c = startClusterOn(t, realtest.StartPostgresIn(t, d.dir), 2)
				// No more of its log than leaves room for a recovery, round after round.
				for _, setting := range []string{"wal_recycle = off", "min_wal_size = '32MB'", "max_wal_size = '64MB'"} {
					c.tellPostgres("ALTER SYSTEM SET " + setting)
				}
				c.tellPostgres("SELECT pg_reload_conf()")
			} else {
				d = newDisk(t, 96)
				c = startAlone(t, filepath.Join(d.dir, "data"))
			}
			l := c.startLoad(t, 8)
			for range times {
				c.goesOn(t, 100)
				probe := c.login(newClient())
				if probe == nil {
					t.Fatal("no log-in")
				}
				if tt.postgres && tt.full {
					c.tellPostgres("CHECKPOINT")
				}
				began := time.Now()
				free := func() {}
				switch {
				case tt.full:
					free = d.fill(t, func() bool {
						if tt.postgres { // it keeps room for its log; hours of load use it up
							c.tellPostgres("SELECT pg_switch_wal()")
						}
						if c.ready(t) {
							return false
						}
						saw = max(saw, time.Since(began))
						return c.unwritable(t, probe)
					})
				case tt.postgres:
					d.breaks(t)
				default:
					free = forbid(t, c.file, c.file+"-wal")
				}
				if !tt.full {
					within(t, 30*time.Second, func() bool { return !c.ready(t) })
					saw = max(saw, time.Since(began))
					if !c.unwritable(t, probe) {
						t.Error("something was written, or a node says that it is ready")
					}
				}
				if !tt.postgres {
					// What is only read is answered.
					want(t, 200, "GET", c.issuer+"/v1/me", probe.access, nil)
				}
				if tt.postgres && !tt.full {
					c.db.Kill()
					d.repair(t)
				}
				free()
				began = time.Now()
				answered := c.answers()
				within(t, time.Minute, func() bool {
					if tt.postgres && c.db.Down() { // also where it gave up just now
						c.db.Start(t)
					}
					return c.answers() >= answered+100
				})
				again = max(again, time.Since(began))
			}
			l.end()
			c.check(t)
			t.Logf("%s, %d times: not ready after at most %v, a hundred answers at most %v after the repair: %s; every answer stands",
				tt.name, times, saw.Round(time.Millisecond), again.Round(time.Millisecond), c.summary())
		})
	}
}
