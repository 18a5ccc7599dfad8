package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jotsmith/jotsmith/server/internal/catalog"
)

// openOffline opens the data of a server that does not run, for an operator's
// acts. What the acts leave behind must outlive whatever the server is
// configured to, which is not known here: the longest that it could be is
// taken.
func openOffline(ctx context.Context, f dataFlags, c *console) (*node, error) {
	if f.Store != "" {
		return openOfflineOrMake(ctx, f, c)
	}
	dir, err := findDataDir(f.Data)
	if err != nil {
		return nil, err
	}
	return openOfflineIn(ctx, dir, f, c)
}

// openOfflineOrMake is openOffline also where there is nothing yet.
func openOfflineOrMake(ctx context.Context, f dataFlags, c *console) (*node, error) {
	dir, err := placeDataDir(f.Store, f.Data)
	if err != nil {
		return nil, err
	}
	return openOfflineIn(ctx, dir, f, c)
}

func openOfflineIn(ctx context.Context, dir *dataDir, f dataFlags, c *console) (_ *node, err error) {
	n := newNode(nodeConfig{fixedConfig: fixedConfig{
		Dir:        dir,
		Store:      f.Store,
		Issuer:     offlineIssuer,
		Offline:    true,
		AccessLife: catalog.MaxLife,
		RootKeyMade: func(path string) {
			fmt.Fprintf(c.err, "Made the root key %s. Keep a copy of it, apart from backups of the data.\n", path)
		},
		SessionIdle:            maxSessionIdle,
		Keys:                   rotation{every: -1, lead: f.keyLead}, // rotating on schedule is the server's business
		DangerouslyAcceptClock: f.DangerouslyAcceptClock,
		Log:                    slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, liveConfig: liveConfig{SessionMax: maxSessionLife}})
	n.closes = append(n.closes, dir.Close)
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	if err = dir.refuseDev(); err != nil {
		return nil, err
	}
	if n.config.RootKey, err = parseRootKeySource(f.RootKey, f.Data); err != nil {
		return nil, err
	}
	if err = n.openDomain(ctx); err != nil {
		return nil, err
	}
	return n, nil
}
