package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/client"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/load"
	"github.com/jotsmith/jotsmith/wire"
)

// A benchServer is the server that is measured.
type benchServer struct {
	base   string
	admin  *remote
	pid    int      // of a server that was started; else 0
	about  string   // which one it is, for people
	keeps  string   // where what was made stays; "" is nowhere
	leaves []string // what stays there besides
	close  func()
}

// usage is what the server has used so far, where that is known.
func (s *benchServer) usage() (u load.Usage) {
	if s.pid != 0 {
		u, _ = load.ReadUsage(s.pid)
	}
	return u
}

func (cmd *benchCmd) server(ctx context.Context, c *console) (*benchServer, error) {
	if cmd.Server != "" {
		r, err := openRemote(ctx, cmd.Server)
		if err != nil {
			return nil, err
		}
		return &benchServer{base: r.base, admin: r, about: r.base, keeps: r.base, close: func() {}}, nil
	}
	if cmd.Store != "" {
		if err := wantEmpty(ctx, cmd.Store); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "jotsmith-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a directory to throw away: %w", err)
	}
	s := &benchServer{about: "a server of its own on SQLite", close: func() { os.RemoveAll(dir) }}
	if cmd.Store != "" {
		s.about = "a server of its own on " + hideStore(cmd.Store)
		s.keeps, s.leaves = "the database", []string{"its operator's account, whose password nobody knows; the tables"}
	}
	if err := cmd.start(ctx, c, s, dir); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// wantEmpty refuses a database that holds anything: a server that is measured
// changes what is there.
func wantEmpty(ctx context.Context, at string) error {
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		return fmt.Errorf("opening the database %s: %w", hideStore(at), err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var tables int
	err = conn.QueryRow(ctx, `SELECT count(*) FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`).Scan(&tables)
	switch {
	case err != nil:
		return fmt.Errorf("reading the database: %w", err)
	case tables > 0:
		return hint(fmt.Errorf("the database %s is not empty: it has %d tables", hideStore(at), tables), "make one for this: createdb jotsmith_bench")
	}
	return nil
}

// start runs 'jotsmith serve' as a process of its own, so that what it uses can
// be told from what the generator uses, and logs in as its operator.
func (cmd *benchCmd) start(ctx context.Context, c *console, s *benchServer, dir string) error {
	data := filepath.Join(dir, "data")
	password := rand.Text()
	if err := makeOperator(ctx, data, cmd.Store, password); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	child := exec.Command(program, "serve", "--data", data, "--addr", "127.0.0.1:0", "--rate-exempt", "127.0.0.0/8", "--log", "json", "--log-level", "info")
	child.Args[0] = os.Args[0]
	child.SysProcAttr = ownProcess()
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "JOTSMITH_") {
			child.Env = append(child.Env, variable)
		}
	}
	if cmd.Store != "" {
		child.Env = append(child.Env, "JOTSMITH_STORE="+cmd.Store)
	}
	log, err := child.StderrPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return fmt.Errorf("starting a server: %w", err)
	}
	var once sync.Once
	s.close = func() {
		once.Do(func() {
			child.Process.Signal(syscall.SIGTERM)
			kill := time.AfterFunc(2*drainTimeout, func() { child.Process.Kill() })
			defer kill.Stop()
			child.Wait()
			os.RemoveAll(dir)
		})
	}
	if s.base, err = readReady(log); err != nil {
		return err
	}
	s.pid = child.Process.Pid
	s.admin, err = logInAt(ctx, s.base, password)
	return err
}

const benchOperator = "bench-operator"

// makeOperator makes the account that makes all others.
func makeOperator(ctx context.Context, data, store, password string) error {
	quiet := &console{in: strings.NewReader(""), out: io.Discard, err: io.Discard}
	r, err := targetFlags{}.here(openOfflineOrMake(ctx, dataFlags{Data: data, Store: store}, quiet))
	if err != nil {
		return fmt.Errorf("making a server: %w", err)
	}
	defer r.Close()
	return r.do(ctx, "POST", wire.PathAdmin+"/accounts", wire.AccountCreate{Username: benchOperator, Password: password, Roles: []string{catalog.RoleAdmin}}, nil)
}

// readReady waits for the line of the log that says where the server listens,
// and lets the rest go.
func readReady(log io.Reader) (issuer string, err error) {
	lines := bufio.NewScanner(log)
	var last []byte
	for lines.Scan() {
		var line struct{ Msg, Issuer string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			go io.Copy(io.Discard, log)
			return line.Issuer, nil
		}
		last = bytes.Clone(lines.Bytes())
	}
	return "", errors.New("the server that was started has ended: " + string(last))
}

// logInAt logs in the operator for as long as this takes, and keeps that in
// memory only.
func logInAt(ctx context.Context, base, password string) (*remote, error) {
	in, err := newClient(base, catalog.AdminAudience(base), new(client.Memory))
	if err != nil {
		return nil, err
	}
	if _, err := in.Login(ctx, benchOperator, password); err != nil {
		return nil, fmt.Errorf("logging in: %w", told(base, err))
	}
	return &remote{base: base, http: newHTTPClient(), login: in}, nil
}
