package main

import (
	"strings"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/httpapi/oauth"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

func (n *node) openServices() (err error) {
	c := n.config
	n.accounts, err = account.New(account.Config{
		Store:   n.store,
		Limiter: n.tries,
		Hasher:  n.hasher(),
		Log:     c.Log,
	})
	if err != nil {
		return err
	}
	n.status, err = status.New(status.Config{
		Store: n.store, Ring: n.ring, Issuer: c.Issuer, URI: strings.TrimSuffix(c.Issuer, "/") + oauth.PathStatus,
		Algorithm: n.listAlgorithm, Now: n.now,
	})
	if err != nil {
		return err
	}
	n.apps, err = app.New(app.Config{Store: n.store, Ring: n.ring, Catalog: n.catalog, Issuer: c.Issuer, Now: n.now, Log: c.Log, Status: n.named(), Sensitive: c.Sensitive, Minted: n.minted})
	if err != nil {
		return err
	}
	n.feed, err = feed.New(feed.Config{Store: n.store, Ring: n.ring, Issuer: c.Issuer, Log: c.Log})
	if err != nil {
		return err
	}
	return n.openSessions()
}

// hasher is in processes of its own where others could be held up.
func (n *node) hasher() account.Hasher {
	if n.config.Offline {
		return nil
	}
	h := account.NewHashProcesses(n.config.Log)
	n.closes = append(n.closes, h.Close)
	return h
}

// named are the lists that tokens name, nil for none.
func (n *node) named() *status.Lists {
	if !n.config.StatusLists {
		return nil
	}
	return n.status
}

// listAlgorithm is what status lists are signed with: as the tokens of the
// default API are, whose verifiers know it.
func (n *node) listAlgorithm() jwk.Algorithm {
	api, err := n.catalog.Now().API("")
	if err != nil {
		return jwk.ES256
	}
	return api.Algorithm
}

// openSessions makes what depends on the settings that a reload may change.
func (n *node) openSessions() (err error) {
	c := n.config
	n.sessions, err = session.New(session.Config{
		Store:      n.store,
		Ring:       n.ring,
		Catalog:    n.catalog,
		Issuer:     c.Issuer,
		Idle:       c.SessionIdle,
		Absolute:   n.live.SessionMax,
		Grace:      n.live.RefreshGrace,
		PerAccount: n.live.PerAccount,
		Log:        c.Log,
		Sensitive:  c.Sensitive,
		Counts:     n.refreshes,
		Minted:     n.minted,
		Status:     n.named(),
	})
	if err != nil {
		return usageError{err}
	}
	n.admin, err = admin.New(admin.Config{Accounts: n.accounts, Sessions: n.sessions, Ring: n.ring, Catalog: n.catalog, Apps: n.apps, Audit: n.store, Feed: n.feed, Issuer: c.Issuer})
	return err
}
