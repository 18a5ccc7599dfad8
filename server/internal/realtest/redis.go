package realtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Redis is one Redis server on loopback, which keeps nothing on disk: one that
// starts again is empty.
type Redis struct {
	Port int

	dir  string
	port string // the argument before Port
	args []string
	cmd  *exec.Cmd
}

// StartRedis starts a server with further arguments, such as "--requirepass",
// "secret". It ends with the test.
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	return startRedis(t, "--port", args)
}

func startRedis(t testing.TB, listen string, args []string) *Redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing(t, "Redis", "redis-server")
	}
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	r := &Redis{Port: port, dir: t.TempDir(), port: listen, args: args}
	t.Cleanup(r.Kill)
	r.Start(t)
	return r
}

// StartRedisCluster starts three primaries that share the slots of one Redis
// Cluster, and so many replicas of each behind them. Where a primary is lost, the
// slots of the others are answered for.
func StartRedisCluster(t testing.TB, replicas int) (nodes []*Redis) {
	t.Helper()
	args := []string{"--cluster", "create"}
	for range 3 * (1 + replicas) {
		// The bus would else be at 10,000 more, where often no port is left.
		bus, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		n := StartRedis(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", "2000",
			"--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0")
		nodes, args = append(nodes, n), append(args, n.Addr())
	}
	if out, err := exec.Command("redis-cli", append(args, "--cluster-replicas", strconv.Itoa(replicas), "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("making a cluster: %v\n%s", err, out)
	}
	for _, n := range nodes {
		n.Until(t, "CLUSTER INFO", "cluster_state:ok")
	}
	for _, n := range nodes {
		if !n.Primary(t) {
			n.Until(t, "INFO replication", "master_link_status:up")
		}
	}
	return nodes
}

// Primary says whether the server is one.
func (r *Redis) Primary(t testing.TB) bool { return strings.HasPrefix(r.Ask(t, "ROLE"), "master") }

// Until asks until the answer holds something.
func (r *Redis) Until(t testing.TB, command, want string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(r.Ask(t, command), want); <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s never answers %q:\n%s", command, want, r.Ask(t, command))
		}
	}
}

// Addr is where it listens, and URL the same as a URL.
func (r *Redis) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Port)) }
func (r *Redis) URL() string  { return "redis://" + r.Addr() }

// Start starts the server again, empty, and waits until it answers.
func (r *Redis) Start(t testing.TB) {
	t.Helper()
	log, err := os.Create(filepath.Join(r.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r.cmd = exec.Command("redis-server", append([]string{r.port, strconv.Itoa(r.Port), "--bind", "127.0.0.1",
		"--dir", r.dir, "--save", "", "--appendonly", "no", "--daemonize", "no"}, r.args...)...)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; {
		if c, err := net.Dial("tcp", r.Addr()); err == nil {
			c.Close()
			return
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("Redis did not start:\n%s", text)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// Kill kills the server.
func (r *Redis) Kill() {
	if r.cmd == nil {
		return
	}
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	r.cmd.Wait()
	r.cmd = nil
}

// Pause stops the server where it is; the function that it answers lets it go
// on.
func (r *Redis) Pause(testing.TB) (resume func()) {
	pid := r.cmd.Process.Pid
	syscall.Kill(pid, syscall.SIGSTOP)
	return func() { syscall.Kill(pid, syscall.SIGCONT) }
}

// Ask sends one command, of words without spaces in them, and answers the reply
// as it came: of a bulk string its text, of an array its lines.
func (r *Redis) Ask(t testing.TB, command string) string {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "%s\r\n", command)
	in := bufio.NewReader(c)
	answer, err := reply(in)
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return answer
}

// reply reads one reply of RESP2.
func reply(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	n, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '$':
		if n < 0 {
			return "", nil
		}
		b := make([]byte, n+2)
		if _, err := io.ReadFull(in, b); err != nil {
			return "", err
		}
		return string(b[:n]), nil
	case '*':
		var all []string
		for range n {
			one, err := reply(in)
			if err != nil {
				return "", err
			}
			all = append(all, one)
		}
		return strings.Join(all, "\n"), nil
	}
	return line[1:], nil
}
