package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/shared"
)

// openShared makes what counts: with other nodes where a Redis is named. Names
// are hashed there under a secret that only nodes with the same root key and
// issuer have.
func (n *node) openShared(root keyring.RootKeys) (err error) {
	c := n.config
	if c.Shared == "" {
		n.tries, n.rates = shared.NewMemory(0, nil), shared.NewMemory(0, nil)
		return nil
	}
	secret, err := root.Derive("shared state of " + c.Issuer)
	if err != nil {
		return fmt.Errorf("shared state: %w", err)
	}
	n.shared, err = shared.OpenRedis(shared.RedisConfig{URL: c.Shared, Secret: secret, Log: c.Log})
	if err != nil {
		return usageError{err}
	}
	n.closes = append(n.closes, n.shared.Close)
	n.tries, n.rates = n.shared.Limiter("tries"), n.shared.Limiter("rates")
	return nil
}

// published leaves word that other nodes have something to look for.
func (n *node) published() {
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// checkShared refuses what names no Redis, and a password where every user of
// the machine can read it. What it refuses it does not repeat.
func checkShared(at string) error {
	if at == "" {
		return nil
	}
	if _, err := shared.ParseURL(at); err != nil {
		return fmt.Errorf("--shared: %w", err)
	}
	if hideShared(at) != at && slices.ContainsFunc(os.Args, func(arg string) bool { return strings.Contains(arg, at) }) {
		return hint(errors.New("--shared holds a password, which every user of this machine can read among the arguments of processes"),
			"put the URL into the environment variable JOTSMITH_SHARED or into the configuration file")
	}
	return nil
}

// hideShared is the URL of a Redis without its password.
func hideShared(at string) string {
	u, err := url.Parse(at)
	if err != nil || u.Scheme == "" {
		return "(hidden)"
	}
	if _, set := u.User.Password(); !set {
		return at
	}
	return u.Redacted()
}

// shared examines the Redis that nodes share.
func (d *doctor) shared() {
	const check = "shared state"
	at := d.cmd.Shared
	if at == "" || checkShared(at) != nil {
		return // told with the configuration
	}
	r, err := shared.OpenRedis(shared.RedisConfig{URL: at, Secret: []byte("of the doctor, for nothing")})
	if err != nil {
		d.fault(check, err, "")
		return
	}
	defer r.Close()
	const remedy = "start it, or look at the URL, the user's rights (docs/run-a-server.md) and the firewall; until then each node counts for itself"
	u, _ := url.Parse(at)
	switch s := r.Status(); {
	case !s.Up:
		d.say(check, warning, remedy, "%s does not do what is needed: %v", hideShared(at), s.Err)
	case u.Scheme == "redis" && !isLoopbackHost(u.Hostname()):
		d.say(check, warning, "use rediss://, or a network where nobody listens", "%s answers, and is not encrypted", hideShared(at))
	default:
		d.say(check, fine, "", "%s answers", hideShared(at))
	}
}
