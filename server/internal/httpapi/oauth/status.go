package oauth

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/status"
	"github.com/jotsmith/jotsmith/wire"
)

// status answers a status list (draft-ietf-oauth-status-list §8.1). Of the past
// none is answered (§8.4), and what it compresses is inside.
func (d Deps) status(c *httpapi.Call, r *http.Request) error {
	if err := c.TakeAddress(r, httpapi.Feed); err != nil {
		return err
	}
	if d.Status == nil {
		return httpapi.Refuse(wire.CodeNotFound, "this server keeps no status lists", nil)
	}
	list, err := d.Status.List(r.Context(), r.PathValue("list"))
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return httpapi.Refuse(wire.CodeNotFound, "no token names this list any more", err)
	case err != nil:
		return doubt(err)
	}
	public(c)
	c.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(status.TTL.Seconds())))
	c.Header().Set("ETag", list.ETag)
	if matches(r.Header["If-None-Match"], list.ETag) {
		c.WriteHeader(http.StatusNotModified)
		return nil
	}
	c.Bytes(http.StatusOK, status.MediaType, list.Compact)
	return nil
}
