package httpapi

import (
	"net/http"
	"net/netip"
)

// FromProxy says whether a trusted proxy sent r itself, so that what its
// X-Forwarded-* headers say of somebody else's request can be believed.
func (c *Call) FromProxy(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && c.shell.trusts(plain(peer.Addr()))
}
