package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/wire"
)

const (
	clusterUsers    = 200
	clusterAPI      = "https://tasks.example"
	clusterPassword = "correct horse"
	clusterHash     = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e" // of that, with bcrypt
)

// A cluster is some nodes on one PostgreSQL, each by a link that can be cut, and
// one Redis, behind a proxy that asks each whether it is ready. It remembers every request
// that was made of it and what came of it: see check.
type cluster struct {
	t      testing.TB
	issuer string // the proxy
	db     *realtest.Postgres
	redis  *realtest.Redis
	store  string // its URL, without a link
	file   string // instead of db: one node's own, see startAlone
	nodes  []*clusterNode
	began  time.Time
	grace  time.Duration
	dir    string

	mu       sync.Mutex
	sessions []*tracked
	counts   [kinds][outcomes]int
	by       map[string]int // answers by node
	behind   atomic.Bool    // the store was, once
}

type clusterNode struct {
	addr string
	link *link
	args []string
	data string
	*proc
}

// startCluster starts n nodes with more flags than they need.
func startCluster(t *testing.T, n int, args ...string) *cluster {
	t.Helper()
	return startClusterOn(t, realtest.StartPostgres(t), n, args...)
}

func startClusterOn(t *testing.T, db *realtest.Postgres, n int, args ...string) *cluster {
	t.Helper()
	need(t, "haproxy")
	c := &cluster{t: t, db: db, redis: realtest.StartRedis(t), began: time.Now(), grace: 30 * time.Second, by: map[string]int{}}
	c.store = c.db.NewDatabase(t)
	c.dir = t.TempDir()
	front := freeAddr(t)
	c.issuer = "http://" + front
	root := "file:" + filepath.Join(c.dir, "root-key")
	for i := range n {
		l := newLink(t, c.db.Port)
		addr := freeAddr(t)
		node := &clusterNode{addr: addr, link: l, data: filepath.Join(c.dir, strconv.Itoa(i))}
		node.args = append([]string{"--store", c.via(l), "--shared", c.redis.URL(), "--root-key", root, "--issuer", c.issuer, "--api", clusterAPI,
			"--behind-proxy", "--sessions-per-account", "1000", "--log-level", "warn"}, args...)
		c.nodes = append(c.nodes, node)
	}
	c.people(t, "--data", filepath.Join(c.dir, "operator"), "--store", c.store, "--root-key", root)
	var starting sync.WaitGroup
	for i := range c.nodes {
		starting.Go(func() { c.startNode(t, i) })
	}
	starting.Wait()
	c.startProxy(t, front)
	t.Cleanup(func() {
		if t.Failed() {
			for i, node := range c.nodes {
				t.Logf("node %d said at last:\n%s", i, tail(node.stderr.String(), 2000))
			}
		}
	})
	return c
}

// people makes the accounts, in the store that the flags name.
func (c *cluster) people(t *testing.T, flags ...string) {
	t.Helper()
	var people strings.Builder
	for i := range clusterUsers {
		fmt.Fprintf(&people, `{"username":"user%d","password_hash":"%s"}`+"\n", i, clusterHash)
	}
	file := filepath.Join(c.dir, "people.jsonl")
	if err := os.WriteFile(file, []byte(people.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "", append([]string{"account", "import", file}, flags...)...)
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// via is the store's URL by a link.
func (c *cluster) via(l *link) string {
	return strings.Replace(c.store, fmt.Sprint(":", c.db.Port, "/"), fmt.Sprint(":", l.port, "/"), 1)
}

// startNode starts node i, or starts it again, and waits until it is ready.
func (c *cluster) startNode(t testing.TB, i int) {
	t.Helper()
	node := c.nodes[i]
	node.proc = startServe(t, node.addr, node.data, node.args...)
}

// startProxy starts HAProxy in front of the nodes. What reached a node is never
// sent to another: whether to ask again is for the client to decide.
func (c *cluster) startProxy(t *testing.T, front string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `global
	nbthread 1
	maxconn 4000
defaults
	mode http
	timeout connect 1s
	timeout client 60s
	timeout server 60s
	timeout queue 5s
	retries 3
	retry-on conn-failure
	option redispatch 1
frontend front
	bind %s
	default_backend nodes
backend nodes
	balance roundrobin
	option forwardfor
	option httpchk
	http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host 127.0.0.1
	http-check expect status 200
	http-response set-header X-Node %%s
	default-server check inter 200ms fastinter 100ms downinter 100ms fall 1 rise 1
`, front)
	for i, node := range c.nodes {
		fmt.Fprintf(&b, "\tserver node%d %s\n", i, node.addr)
	}
	file := filepath.Join(c.dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	listening(t, front, start(t, nil, "haproxy", "-db", "-f", file))
}

// healthy waits until every node is ready, and the proxy knows.
func (c *cluster) healthy(t testing.TB) {
	t.Helper()
	within(t, 60*time.Second, func() bool {
		for _, url := range append(c.each(), c.issuer) {
			resp, err := http.Get(url + "/readyz")
			if err != nil {
				return false
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				return false
			}
		}
		return true
	})
}

// each answers the URL of each node.
func (c *cluster) each() (urls []string) {
	for _, node := range c.nodes {
		urls = append(urls, "http://"+node.addr)
	}
	return urls
}

// query reads rows out of the store itself.
func query[T any](t testing.TB, c *cluster, sql string, args ...any) []T {
	t.Helper()
	if c.file != "" {
		return queryFile[T](t, c.file, sql)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.store)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// newClient answers a client with connections of its own.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 4},
		Timeout:   45 * time.Second,
	}
}

// login starts a session whose requests are remembered; nil where no answer
// came.
func (c *cluster) login(client *http.Client) *tracked {
	o, body := c.ask(client, op{kind: opLogin}, "POST", "/v1/login", "", wire.LoginRequest{Username: fmt.Sprint("user", rand.IntN(clusterUsers)), Password: clusterPassword})
	c.count(o)
	if o.outcome != granted {
		return nil
	}
	s := newTracked(c.t, body)
	c.mu.Lock()
	c.sessions = append(c.sessions, s)
	c.mu.Unlock()
	return s
}
