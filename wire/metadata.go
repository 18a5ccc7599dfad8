package wire

// The paths where an issuer publishes its [Metadata]: RFC 8414 §3 puts the
// first between host and path of the issuer, OpenID Connect Discovery 1.0 §4
// appends the second.
const (
	PathMetadata       = "/.well-known/oauth-authorization-server"
	PathOpenIDMetadata = "/.well-known/openid-configuration"
)

// Metadata is an issuer's description of itself (RFC 8414 §2). The members
// that begin with jotsmith_ name the revocation feed and the key set that signs
// it; other issuers have none.
type Metadata struct {
	Issuer                            string   `json:"issuer"`
	AuthorizationEndpoint             string   `json:"authorization_endpoint,omitempty"`
	TokenEndpoint                     string   `json:"token_endpoint,omitempty"`
	JWKSURI                           string   `json:"jwks_uri"`
	ScopesSupported                   []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported            []string `json:"response_types_supported"` // required by §2, if empty
	GrantTypesSupported               []string `json:"grant_types_supported,omitempty"`
	TokenEndpointAuthMethodsSupported []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	RevocationEndpoint                string   `json:"revocation_endpoint,omitempty"`
	RevocationAuthMethodsSupported    []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	IntrospectionEndpoint             string   `json:"introspection_endpoint,omitempty"`
	IntrospectionAuthMethodsSupported []string `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	ServiceDocumentation              string   `json:"service_documentation,omitempty"`

	RevocationsURI     string `json:"jotsmith_revocations_uri,omitempty"`
	RevocationsJWKSURI string `json:"jotsmith_revocations_jwks_uri,omitempty"`
	SealingJWKSURI     string `json:"jotsmith_sealing_jwks_uri,omitempty"` // public keys that encrypt what only the issuer opens
}
