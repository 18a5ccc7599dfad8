package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/wire"
)

// A feedDocument is what one says of where it stands.
type feedDocument struct {
	Epoch    string
	To       uint64
	Snapshot bool
}

func feedOf(t *testing.T, issuer, query string) (d feedDocument) {
	t.Helper()
	payloadOf(t, string(want(t, 200, "GET", issuer+"/v1/revocations"+query, "", nil)), &d)
	return d
}

// Yesterday's copy of the directory is put back. A session that went on since
// is told so and stays as it is; what was given out since has no successor but
// the one that it had; who followed the revocations keeps those that the copy
// does not know of.
func TestFLT07BackupOfYesterday(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	data, backup := filepath.Join(top, "data"), filepath.Join(top, "backup")
	addr := freeAddr(t)
	issuer := "http://" + addr
	mustRun(t, effectPassword+"\n", "account", "create", "alice", "--password-stdin", "--data", data)
	serve := func() *proc { return startServe(t, addr, data, "--api", clusterAPI) }
	p := serve()
	goes, ends := login(t, issuer, "alice", effectPassword), login(t, issuer, "alice", effectPassword)
	p.stop(t)
	if err := os.CopyFS(backup, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}

	p = serve()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, err := guard.New(ctx, guard.Config{Issuer: issuer, Audience: clusterAPI})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	revoked := func() bool {
		_, err := g.CheckToken(ctx, ends.AccessToken, nil)
		code, _ := guard.Code(err)
		return code == wire.CodeTokenRevoked
	}
	second := refresh(t, issuer, goes.RefreshToken)
	third := refresh(t, issuer, second.RefreshToken)
	late := login(t, issuer, "alice", effectPassword)
	want(t, 204, "POST", issuer+"/v1/logout", ends.AccessToken, nil)
	within(t, 10*time.Second, revoked)
	known := feedOf(t, issuer, "")
	p.stop(t)
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(data, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}

	p = serve()
	for _, token := range []string{third.RefreshToken, second.RefreshToken, third.RefreshToken} {
		body := want(t, 503, "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: token})
		if !bytes.Contains(body, []byte(`"store_behind"`)) {
			t.Errorf("a token that the copy does not know of: %s", body)
		}
	}
	if again := refresh(t, issuer, goes.RefreshToken); again.RefreshToken != second.RefreshToken {
		t.Error("the session has another second token than before")
	}
	if again := refresh(t, issuer, second.RefreshToken); again.RefreshToken != third.RefreshToken {
		t.Error("the session has another third token than before")
	}
	again := refresh(t, issuer, third.RefreshToken)

	// Who was cut off meanwhile misses nothing, though as much was revoked since as
	// the copy lacks.
	want(t, 204, "POST", issuer+"/v1/logout", again.AccessToken, nil)
	if now := feedOf(t, issuer, fmt.Sprintf("?after=%s.%d", known.Epoch, known.To)); !now.Snapshot || now.To <= known.To {
		t.Errorf("who stands at %d, where the copy never was, is told what followed, to %d", known.To, now.To)
	}
	within(t, 10*time.Second, func() bool {
		_, err := g.CheckToken(ctx, again.AccessToken, nil)
		code, _ := guard.Code(err)
		return code == wire.CodeTokenRevoked
	})
	want(t, 401, "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: late.RefreshToken})
	if !revoked() {
		t.Error("a guard has forgotten a log-out because of the copy")
	}
	p.stop(t)
}
