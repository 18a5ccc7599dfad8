package catalog

import "slices"

// Reserved begins the name of every permission of the administration API, and
// of no other.
const Reserved = "jotsmith:"

// The permissions of the administration API.
const (
	AccountsRead  = Reserved + "accounts:read"
	AccountsWrite = Reserved + "accounts:write"
	APIsRead      = Reserved + "apis:read"
	APIsWrite     = Reserved + "apis:write"
	RolesRead     = Reserved + "roles:read"
	RolesWrite    = Reserved + "roles:write"
	AppsRead      = Reserved + "apps:read"
	AppsWrite     = Reserved + "apps:write"
	SessionsRead  = Reserved + "sessions:read"
	SessionsWrite = Reserved + "sessions:write"
	SessionsStart = Reserved + "sessions:start"
	KeysRead      = Reserved + "keys:read"
	KeysWrite     = Reserved + "keys:write"
	AuditRead     = Reserved + "audit:read"
	Introspect    = Reserved + "introspect" // ask about anybody's tokens
)

// Administration lists the permissions of the administration API, sorted.
func Administration() []string {
	all := []string{
		AccountsRead, AccountsWrite, APIsRead, APIsWrite, RolesRead, RolesWrite, AppsRead, AppsWrite,
		SessionsRead, SessionsWrite, SessionsStart, KeysRead, KeysWrite, AuditRead, Introspect,
	}
	slices.Sort(all)
	return all
}

// The built-in roles.
const (
	RoleAdmin        = "admin"        // every permission of the administration API
	RoleIntrospector = "introspector" // may ask about anybody's tokens
)

// AdminAudience names the administration API of an issuer in tokens.
func AdminAudience(issuer string) string { return spelling(issuer) + "/v1/admin" }

func builtInAPI(issuer string) API {
	return API{Audience: AdminAudience(issuer), Name: "Administration of this server", Permissions: Administration(), BuiltIn: true}
}

func builtInRoles() []Role {
	return []Role{
		{Name: RoleAdmin, Description: "May administer this server.", Permissions: Administration(), BuiltIn: true},
		{Name: RoleIntrospector, Description: "May ask about anybody's tokens.", Permissions: []string{Introspect}, BuiltIn: true},
	}
}
