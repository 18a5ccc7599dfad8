package admin

import (
	"errors"
	"net/http"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

func (s server) keys() []act {
	return []act{
		on("GET /keys", admin.KeysRead, s.listKeys),
		on("POST /keys/rotate", admin.KeysWrite, s.rotateKey),
		on("POST /keys/{id}/revoke", admin.KeysWrite, s.revokeKey),
	}
}

func (s server) listKeys(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	keys, err := s.admin.ListKeys(r.Context(), by)
	if err != nil {
		return err
	}
	answer := wire.KeyList{Keys: []wire.Key{}}
	for _, k := range keys {
		answer.Keys = append(answer.Keys, keyOf(k))
	}
	return c.JSON(http.StatusOK, answer)
}

// usual is the algorithm of each purpose where none is named.
var usual = map[string]jwk.Algorithm{
	keyring.Access: jwk.ES256, keyring.Feed: keyring.FeedAlgorithm, keyring.Refresh: keyring.RefreshAlgorithm,
	keyring.Sealing: keyring.SealingAlgorithm,
}

func (s server) rotateKey(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.KeyRotate
	if err := c.ReadJSON(r, httpapi.Members{"purpose": &in.Purpose, "algorithm": &in.Algorithm, "now": &in.Now}); err != nil {
		return err
	}
	alg, known := usual[in.Purpose]
	if !known {
		return httpapi.Refuse(wire.CodeInvalidRequest, "purpose is access, feed, refresh or sealing", nil)
	}
	if in.Algorithm != "" {
		alg = jwk.Algorithm(in.Algorithm)
	}
	key, err := s.admin.RotateKey(r.Context(), by, in.Purpose, alg, in.Now)
	switch {
	case errors.Is(err, keyring.ErrAnnounced):
		return httpapi.Refuse(wire.CodeConflict, "a successor is announced already; now lets it sign at once", err)
	case errors.Is(err, keyring.ErrFull):
		return httpapi.Refuse(wire.CodeConflict, keyring.ErrFull.Error(), err)
	case err != nil:
		return err
	}
	return c.JSON(http.StatusOK, keyOf(key))
}

// revokeKey answers the successor, where the key was the one that signed.
func (s server) revokeKey(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	key, err := s.admin.RevokeKey(r.Context(), by, id)
	switch {
	case err != nil:
		return err
	case key.ID == "":
		return c.NoContent()
	}
	return c.JSON(http.StatusOK, keyOf(key))
}

func keyOf(k keyring.Key) wire.Key {
	return wire.Key{
		ID: k.ID, Purpose: k.Purpose, Algorithm: string(k.Algorithm), State: k.State, CreatedAt: k.CreatedAt, ActiveAt: k.ActiveAt,
		RetiredAt: optional(k.RetiredAt), GoneAt: optional(k.GoneAt),
	}
}
