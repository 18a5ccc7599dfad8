package wire

import "strings"

// The cookies of a log-in of mode [ModeCookie]. All are HttpOnly and
// SameSite=Strict, and Secure as their names say (RFC 6265bis §4.1.3).
const (
	CookieRefresh = "__Secure-jotsmith_refresh" // the refresh token; Path=/v1/refresh
	CookieDevice  = "__Secure-jotsmith_device"  // the device token; Path=/
	CookieAccess  = "__Host-jotsmith_access"    // the access token, where the server is told to set it; Path=/
)

// LoopbackCookie answers what one of these cookies is called where the issuer is
// http on loopback, for development: without the prefix, since no browser takes
// one with a prefix from there.
func LoopbackCookie(name string) string {
	_, bare, _ := strings.Cut(name, "-")
	return bare
}
