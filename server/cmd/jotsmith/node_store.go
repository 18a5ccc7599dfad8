package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/oauth"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// How long keys are kept that sign no more, beyond the life of what they
// signed: the largest leeway of a verifier, the max-age of a key set, and time
// to spare.
const keyMargin = 10*time.Minute + oauth.MaxAge + 5*time.Minute

// feedLife is the life of a feed document.
const feedLife = time.Minute

// openStore opens the database and the keys in it.
func (n *node) openStore(ctx context.Context) error {
	c := n.config
	root, err := n.openData(ctx)
	if err != nil {
		return err
	}
	if err := n.openShared(root); err != nil {
		return err
	}
	issuer := c.Issuer
	if c.Offline {
		issuer = "" // as when the server ran last
	}
	n.catalog, err = catalog.Open(ctx, catalog.Config{Store: n.store, Issuer: issuer, Life: c.AccessLife, Log: c.Log})
	if err != nil {
		return err
	}
	if c.Offline {
		n.config.Issuer = cmp.Or(n.catalog.Issuer(), offlineIssuer)
	}
	algorithms := n.catalog.Now().Algorithms()
	if len(algorithms) == 0 {
		algorithms = []jwk.Algorithm{jwk.ES256}
	}
	margin := cmp.Or(c.Keys.margin, keyMargin)
	n.ring, err = keyring.Open(ctx, keyring.Config{
		Store:         n.store,
		Root:          root,
		Algorithms:    algorithms,
		Lead:          c.Keys.lead,
		Every:         c.Keys.every,
		Poll:          c.Keys.poll,
		AccessRetire:  catalog.MaxLife + margin, // lives may be raised while this runs
		FeedRetire:    feedLife + margin,
		RefreshRetire: maxSessionIdle, // whatever it was or will be
		Log:           c.Log,
	})
	if errors.Is(err, keyring.ErrRootKey) {
		return hint(err, "name the root key that belongs to this data with --root-key; nothing was changed")
	}
	if err != nil {
		return err
	}
	n.closes = append(n.closes, n.chainAudit)
	if c.DangerouslyAcceptClock {
		return n.store.Record(ctx, audit.Event{Act: "store.accept_clock", Outcome: audit.OK, Actor: operator().Actor})
	}
	return nil
}

// openData opens the database and answers the root keys. A file that does not
// open is not made, and a database elsewhere is asked before a root key is made
// for it.
func (n *node) openData(ctx context.Context) (root keyring.RootKeys, err error) {
	c := n.config
	open := func() error {
		if n.store, err = openStore(ctx, c.Store, c.Dir, c.DangerouslyAcceptClock, c.Log, n.published); err == nil {
			n.closes = append(n.closes, n.store.Close)
		}
		return err
	}
	var first bool
	if c.Store != "" {
		if err := open(); err != nil {
			return root, err
		}
		if first, err = fresh(ctx, n.store); err != nil {
			return root, err
		}
	} else {
		_, err := os.Stat(c.Dir.database())
		first = errors.Is(err, fs.ErrNotExist)
	}
	root, made, err := c.RootKey.read(first)
	if err != nil {
		return root, err
	}
	if made && c.RootKeyMade != nil {
		c.RootKeyMade(c.RootKey.file)
	}
	if c.Store == "" {
		err = open()
	}
	return root, err
}

// offlineIssuer stands where the server never ran.
const offlineIssuer = "urn:jotsmith:offline"

// register registers what the configuration names and is not registered yet.
func (n *node) register(ctx context.Context) error {
	c := n.config
	if c.Offline {
		return nil
	}
	apis := n.live.APIs
	if _, err := n.catalog.Now().API(""); err != nil && len(apis) == 0 {
		apis = []catalog.API{{Audience: c.Issuer}}
	}
	err := n.catalog.Seed(ctx, apis, n.live.Roles)
	switch {
	case errors.Is(err, catalog.ErrInvalid), errors.Is(err, catalog.ErrBuiltIn):
		return usageError{err}
	case err != nil:
		return err
	}
	return n.ring.Want(ctx, n.catalog.Now().Algorithms()...)
}

// chainAudit puts what was recorded last into the chain. What stays behind, as
// where the process is killed, is chained at the next start.
func (n *node) chainAudit() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return audit.Chain(ctx, n.store)
}
