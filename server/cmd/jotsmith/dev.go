package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jotsmith/jotsmith/examples/tasks"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

type devCmd struct {
	Addr       string   `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where the token server listens (${default}); port 0 takes a free one."`
	APIAddr    string   `name:"api-addr" default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Where the example API listens (${default})."`
	Origin     []string `placeholder:"ORIGIN" help:"An origin whose pages may log people in with cookies, such as http://localhost:3000; repeatable."`
	AccessLife span     `default:"15m" placeholder:"TIME" help:"Life of an access token (${default}): 5s, say, to see clients renew theirs."`
	Data       string   `placeholder:"DIR" help:"Keep everything in this directory. By default it is thrown away at the end."`
	JSON       bool     `help:"Print one line of JSON when ready, and nothing else."`
}

func (devCmd) Help() string {
	return "Runs a token server and the example API in examples/tasks, with two people who may log in, and prints curl lines " +
		"that take a token through its whole life. Below them it shows each request as it comes.\n\n" +
		"It listens on loopback only, and its passwords are shown: it is for looking and for developing, not for serving."
}

// tasksAudience names the example API in tokens.
const tasksAudience = "https://tasks.example"

// devRoles are the roles that the example API knows.
var devRoles = []catalog.Role{
	{Name: "editor", Permissions: []string{"tasks:read", "tasks:write"}},
	{Name: "viewer", Permissions: []string{"tasks:read"}},
}

// A devPerson is somebody who may log in, with the password in the clear.
type devPerson struct {
	Username string   `json:"username"`
	Password string   `json:"password"`
	Roles    []string `json:"roles"`
}

// devReady is what --json prints.
type devReady struct {
	Issuer   string      `json:"issuer"`
	API      string      `json:"api"`
	Accounts []devPerson `json:"accounts"`
	PID      int         `json:"pid"`
}

func (cmd *devCmd) Run(ctx context.Context, c *console, _ *commandLine) error {
	began := time.Now()
	ctx, stop := untilStopped(ctx, syscall.SIGHUP) // a terminal that closes, too
	defer stop()
	for flag, addr := range map[string]string{"--addr": cmd.Addr, "--api-addr": cmd.APIAddr} {
		if err := checkAddr(addr, flag); err != nil {
			return usageError{err}
		}
		if !onLoopback(addr) {
			return hint(fmt.Errorf("%s %s is not on loopback, and dev shows its passwords and has no TLS", flag, addr), "to serve others, use 'jotsmith serve'")
		}
	}
	if err := checkOrigins(cmd.Origin); err != nil {
		return usageError{err}
	}
	if cmd.AccessLife < span(time.Second) || cmd.AccessLife > span(catalog.MaxLife) {
		return usageError{fmt.Errorf("--access-life %v is outside 1s to %v", cmd.AccessLife, span(catalog.MaxLife))}
	}
	dir, remove, err := cmd.directory()
	if err != nil {
		return err
	}
	defer remove()
	defer dir.Close()

	listener, err := listen(ctx, cmd.Addr, "--addr")
	if err != nil {
		return err
	}
	defer listener.Close()
	apiListener, err := listen(ctx, cmd.APIAddr, "--api-addr")
	if err != nil {
		return err
	}
	defer apiListener.Close()

	var level slog.LevelVar
	level.Set(slog.LevelWarn)
	log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: &level}))
	issuer := defaultIssuer("http", cmd.Addr, listener.Addr())
	n, err := openNode(ctx, nodeConfig{
		fixedConfig: fixedConfig{
			Dir:        dir,
			RootKey:    rootKeySource{file: filepath.Join(dir.path, "root-key", "root-key")},
			Issuer:     issuer,
			AccessLife: time.Duration(cmd.AccessLife),
			Loopback:   true,
			Log:        log,
		},
		liveConfig: liveConfig{
			APIs:    []catalog.API{{Audience: tasksAudience}},
			Roles:   devRoles,
			Origins: cmd.Origin,
		},
	})
	if err != nil {
		return err
	}
	defer n.Close()
	people, err := devPeople(ctx, n, dir.path)
	if err != nil {
		return err
	}
	ready := devReady{issuer, defaultIssuer("http", cmd.APIAddr, apiListener.Addr()), people, os.Getpid()}

	view := newTail(c, issuer)
	for _, p := range people {
		if a, err := n.accounts.Find(ctx, p.Username); err == nil {
			view.knows(string(a.ID), p.Username)
		}
	}
	all := newServers()
	all.start(newHTTPServer(view.server(n.handler), log), listener)
	g, err := guard.New(ctx, guard.Config{
		Issuer:        issuer,
		Audience:      tasksAudience,
		Observe:       view.observe,
		OnRevocations: view.revocations,
		Log:           log,
	})
	switch {
	case ctx.Err() != nil: // stopped before it was ready
		return nil
	case err != nil:
		return err
	}
	all.start(newHTTPServer(view.api(tasks.Handler(g)), log), apiListener)
	cmd.ready(c, view, ready, time.Since(began))
	return all.wait(ctx, func() {
		level.Set(slog.LevelError) // that polls end now is no news
		g.Close()
		n.drain()
	})
}

// directory answers the given directory, or one that remove throws away.
func (cmd *devCmd) directory() (dir *dataDir, remove func(), err error) {
	path, remove := cmd.Data, func() {}
	if path == "" {
		if path, err = os.MkdirTemp("", "jotsmith-dev-"); err != nil {
			return nil, nil, fmt.Errorf("making a directory to throw away: %w", err)
		}
		remove = func() { os.RemoveAll(path) }
	}
	dir, err = openDataDir(path)
	if err == nil {
		err = errors.Join(dir.markDev(), os.MkdirAll(filepath.Join(dir.path, "root-key"), 0o700))
	}
	if err != nil {
		remove()
		return nil, nil, err
	}
	return dir, remove, nil
}

// devPeople makes two accounts, or finds those of an earlier run in the same
// directory together with the passwords that were written down there.
func devPeople(ctx context.Context, n *node, dir string) ([]devPerson, error) {
	file := filepath.Join(dir, "people.json")
	var people []devPerson
	raw, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		people = []devPerson{
			{"ada", unlike("ada", devPassword), []string{"editor"}},
			{"vic", unlike("vic", devPassword), []string{"viewer"}},
		}
		raw, _ := json.Marshal(people) // strings alone
		err = os.WriteFile(file, raw, 0o600)
	case err == nil:
		err = json.Unmarshal(raw, &people)
	}
	if err != nil || len(people) != 2 {
		return nil, hint(fmt.Errorf("reading %s: %d people, %w", file, len(people), err), "name an empty directory with --data")
	}
	made := make(chan error)
	for _, p := range people {
		go func() { // at the same time, since each takes a password hash
			_, err := n.accounts.Find(ctx, p.Username)
			if errors.Is(err, fault.ErrNotFound) {
				_, err = n.admin.CreateAccount(ctx, operator(), account.NewAccount{Username: p.Username, Password: p.Password, Roles: p.Roles})
			}
			made <- err
		}()
	}
	return people, errors.Join(<-made, <-made)
}

// devPassword is short enough to stand in a line of the page.
func devPassword() string {
	s := strings.ToLower(rand.Text())
	return s[:4] + "-" + s[4:8] + "-" + s[8:12]
}

func (cmd *devCmd) ready(c *console, view *tail, r devReady, took time.Duration) {
	if cmd.JSON {
		line, _ := json.Marshal(r) // strings and numbers alone
		fmt.Fprintf(c.out, "%s\n", line)
		return
	}
	fmt.Fprint(c.out, devPage(c.paint, r, took))
	view.start()
}
