package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

type keyCmd struct {
	Generate keyGenerateCmd `cmd:"" help:"Make a key, in a file."`
	Import   keyImportCmd   `cmd:"" help:"Check a private key of another program, and put it into a file."`
	Export   keyExportCmd   `cmd:"" help:"Write the private key in a file as PEM or JWK, into another file."`
	Public   keyPublicCmd   `cmd:"" help:"Print the public half of keys in files, as JWK, key set or PEM."`
	List     keyListCmd     `cmd:"" help:"List the server's keys."`
	Rotate   keyRotateCmd   `cmd:"" help:"Make a successor of a key of the server."`
	Revoke   keyRevokeCmd   `cmd:"" help:"Take a key of the server out of use at once, as when it was stolen."`
}

func (keyCmd) Help() string {
	return "generate, import, export and public work on keys in files and know of no server. " +
		"list, rotate and revoke are about a server's own keys: they act on a running server (--server), or on the data directory of one that is stopped or has not run yet. " +
		"A running server rotates its keys by itself."
}

// filesHelp sets the commands of key files apart from those of the server's keys.
const filesHelp = "This is about keys in files; a server makes and keeps its own."

// keyJSON is a key as --json prints it.
type keyJSON struct {
	ID        string     `json:"id"`
	Purpose   string     `json:"purpose"`
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	ActiveAt  time.Time  `json:"active_at"`
	RetiredAt *time.Time `json:"retired_at,omitempty"`
	GoneAt    *time.Time `json:"gone_at,omitempty"`
}

func newKeyJSON(k keyring.Key) keyJSON {
	j := keyJSON{ID: k.ID, Purpose: k.Purpose, Algorithm: string(k.Algorithm), State: k.State, CreatedAt: k.CreatedAt, ActiveAt: k.ActiveAt}
	if !k.RetiredAt.IsZero() {
		j.RetiredAt = &k.RetiredAt
	}
	if !k.GoneAt.IsZero() {
		j.GoneAt = &k.GoneAt
	}
	return j
}

func keyFrom(w wire.Key) keyring.Key {
	k := keyring.Key{ID: w.ID, Purpose: w.Purpose, Algorithm: jwk.Algorithm(w.Algorithm), State: w.State, CreatedAt: w.CreatedAt, ActiveAt: w.ActiveAt}
	if w.RetiredAt != nil {
		k.RetiredAt = *w.RetiredAt
	}
	if w.GoneAt != nil {
		k.GoneAt = *w.GoneAt
	}
	return k
}

// keys reads all of the server's keys.
func (r *remote) keys(ctx context.Context) ([]keyring.Key, error) {
	var list wire.KeyList
	if err := r.do(ctx, "GET", "/v1/admin/keys", nil, &list); err != nil {
		return nil, err
	}
	var keys []keyring.Key
	for _, k := range list.Keys {
		keys = append(keys, keyFrom(k))
	}
	return keys, nil
}

type keyListCmd struct {
	targetFlags
	JSON bool `help:"Print JSON."`
}

func (cmd *keyListCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	keys, err := r.keys(ctx)
	if err != nil {
		return err
	}
	if cmd.JSON {
		list := struct {
			Keys []keyJSON `json:"keys"`
		}{[]keyJSON{}}
		for _, k := range keys {
			list.Keys = append(list.Keys, newKeyJSON(k))
		}
		return c.json(list)
	}
	var rows [][]string
	now := time.Now()
	for _, k := range keys {
		since, next := keyTimes(k, keys, now)
		rows = append(rows, []string{k.Purpose, string(k.Algorithm), k.State, since, next, k.ID})
	}
	return c.table([]string{"PURPOSE", "ALGORITHM", "STATE", "SINCE (UTC)", "NEXT", "ID"}, rows)
}

const day = "2006-01-02 15:04"

// keyTimes says since when a key is in its state, and what comes next.
func keyTimes(k keyring.Key, all []keyring.Key, now time.Time) (since, next string) {
	does := "signs"
	if k.Purpose == keyring.Sealing {
		does = "encrypts"
	}
	switch k.State {
	case keyring.Announced:
		return k.CreatedAt.Format(day), does + " " + relative(k.ActiveAt, now)
	case keyring.Active:
		for _, other := range all {
			if other.State == keyring.Announced && other.Purpose == k.Purpose && other.Algorithm == k.Algorithm {
				return k.ActiveAt.Format(day), does + " until " + other.ActiveAt.Format(day)
			}
		}
		return k.ActiveAt.Format(day), does + " until it is rotated"
	case keyring.Retiring, keyring.Revoked:
		return k.RetiredAt.Format(day), "goes " + relative(k.GoneAt, now)
	}
	return "", ""
}

type keyRotateCmd struct {
	targetFlags
	Purpose string `required:"" enum:"access,feed,refresh,sealing" placeholder:"PURPOSE" help:"Which key: access, feed, refresh or sealing."`
	Alg     string `placeholder:"ALG" help:"Its algorithm, where there are several for the purpose; by default ES256, HS256 for refresh, and ECDH-ES for sealing."`
	Now     bool   `help:"Let the successor sign at once, without announcing it first."`
	KeyLead span   `default:"24h" env:"JOTSMITH_KEY_LEAD" placeholder:"TIME" help:"On the data directory: for so long the successor is announced before it signs (${default}), at least 10m. A running server has a lead of its own."`
	JSON    bool   `help:"Print JSON."`
}

func (keyRotateCmd) Help() string {
	return "A successor is announced first, so that everybody knows it by the time that it signs. " +
		"The key that it replaces verifies for as long as anything lives that it signed, so nobody is logged out."
}

func (cmd *keyRotateCmd) Run(ctx context.Context, c *console, l *commandLine) error {
	alg := jwk.Algorithm(cmd.Alg)
	if alg == "" {
		alg = map[string]jwk.Algorithm{
			keyring.Access: jwk.ES256, keyring.Feed: keyring.FeedAlgorithm, keyring.Refresh: keyring.RefreshAlgorithm, keyring.Sealing: keyring.SealingAlgorithm,
		}[cmd.Purpose]
	}
	if err := cmd.checkLead(l); err != nil {
		return err
	}
	cmd.keyLead = time.Duration(cmd.KeyLead)
	r, err := cmd.open(ctx, c, l)
	if err != nil {
		return err
	}
	defer r.Close()
	var made wire.Key
	err = r.do(ctx, "POST", "/v1/admin/keys/rotate", wire.KeyRotate{Purpose: cmd.Purpose, Algorithm: string(alg), Now: cmd.Now}, &made)
	refused, _ := errors.AsType[refusal](err)
	switch {
	case refused.Code == wire.CodeNotFound:
		return hint(fmt.Errorf("there is no %s key for %s", cmd.Purpose, alg), "'jotsmith key list' shows them")
	case refused.Code == wire.CodeConflict && refused.Detail != keyring.ErrFull.Error():
		return hint(keyring.ErrAnnounced, "--now lets it sign at once")
	case err != nil:
		return err
	}
	key := keyFrom(made)
	if cmd.JSON {
		return c.json(newKeyJSON(key))
	}
	all, err := r.keys(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(c.out, rotated(key, all, time.Now()))
	return nil
}

// checkLead refuses a lead that would be ignored or that nobody could follow.
func (cmd *keyRotateCmd) checkLead(l *commandLine) error {
	switch {
	case cmd.remote(l) && l.gives("key-lead"):
		return usagef("--key-lead is for the data directory: a running server has a lead of its own")
	case !cmd.remote(l):
		if err := errors.Join(rotationFlags{KeyLead: cmd.KeyLead}.check()...); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// rotated tells what a rotation has done and what follows from it.
func rotated(key keyring.Key, all []keyring.Key, now time.Time) string {
	what := map[string]string{
		keyring.Access:  "access tokens",
		keyring.Feed:    "the revocation feed",
		keyring.Refresh: "refresh tokens",
		keyring.Sealing: "opaque access tokens",
	}[key.Purpose]
	does, before := "signs", "verifies what it has signed"
	only := "verifies"
	if key.Purpose == keyring.Sealing {
		does, before, only = "encrypts", "decrypts what was encrypted for it", "decrypts"
	}
	text := fmt.Sprintf("%s (%s) was made for %s.\n", key.ID, key.Algorithm, what)
	if key.State == keyring.Announced {
		return text + fmt.Sprintf("  until %s UTC  it is announced, so that everybody knows it by then\n"+
			"  from then on                it %s, and its predecessor only %s\n"+
			"Nobody is logged out. The server does it by itself, when it runs.\n", key.ActiveAt.Format(day), does, only)
	}
	text += "  now                         it " + does + "\n"
	for _, k := range all {
		if k.State == keyring.Retiring && k.Purpose == key.Purpose && k.Algorithm == key.Algorithm && k.RetiredAt.Equal(key.ActiveAt) {
			text += fmt.Sprintf("  until %s UTC  its predecessor %s\n", k.GoneAt.Format(day), before)
		}
	}
	text += "Nobody is logged out."
	if key.Purpose != keyring.Refresh && key.Purpose != keyring.Sealing {
		text += " Verifiers other than Jotsmith's guards may refuse what\nit signs until they fetch the key set again."
	}
	return text + "\n"
}
