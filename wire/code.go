package wire

// Code is the stable, machine-readable reason in a [Problem]. Programs branch
// on it; the title beside it is for people and may change.
type Code string

// The codes of a request's credential, answered by every guarded API.
const (
	CodeTokenMissing          Code = "token_missing"
	CodeTokenMalformed        Code = "token_malformed"
	CodeTokenInvalid          Code = "token_invalid"
	CodeTokenExpired          Code = "token_expired"
	CodeTokenRevoked          Code = "token_revoked"
	CodeLoginTooWeak          Code = "insufficient_user_authentication" // RFC 9470 §3
	CodeForbidden             Code = "forbidden"
	CodeCrossOrigin           Code = "cross_origin"
	CodeInvalidRequest        Code = "invalid_request"
	CodeKeysUnavailable       Code = "keys_unavailable"
	CodeRevocationUnavailable Code = "revocation_unavailable"
	CodeRateLimited           Code = "rate_limited"
)

// The codes that only the token server answers.
const (
	CodeInvalidCredentials   Code = "invalid_credentials"
	CodeInvalidRefreshToken  Code = "invalid_refresh_token"
	CodeInvalidClient        Code = "invalid_client"
	CodeInvalidGrant         Code = "invalid_grant"
	CodeUnsupportedGrantType Code = "unsupported_grant_type"
	CodeInvalidScope         Code = "invalid_scope"
	CodeInvalidTarget        Code = "invalid_target"
	CodePasswordTooWeak      Code = "password_too_weak"
	CodeNotFound             Code = "not_found"
	CodeAlreadyExists        Code = "already_exists"
	CodeConflict             Code = "conflict"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeBodyTooLarge         Code = "body_too_large"
	CodeMisdirectedRequest   Code = "misdirected_request"
	CodeServerBusy           Code = "server_busy"
	CodeStoreBehind          Code = "store_behind"
	CodeClockUnreliable      Code = "clock_unreliable"
	CodeInternal             Code = "internal"
)

// codes is the whole table: what each code answers and says.
var codes = map[Code]struct {
	status int
	title  string
}{
	CodeTokenMissing:          {401, "Authorization token is missing."},
	CodeTokenMalformed:        {401, "Malformed token."},
	CodeTokenInvalid:          {401, "Invalid token."},
	CodeTokenExpired:          {401, "Token has expired. Please re-authenticate."},
	CodeTokenRevoked:          {401, "Token has been revoked."},
	CodeLoginTooWeak:          {401, "Please log in again to do this."},
	CodeForbidden:             {403, "You do not have permission to do this."},
	CodeCrossOrigin:           {403, "This page's origin may not do that."},
	CodeInvalidRequest:        {400, "The request is not valid."},
	CodeKeysUnavailable:       {503, "Try again shortly."},
	CodeRevocationUnavailable: {503, "Try again shortly."},
	CodeRateLimited:           {429, "Too many requests."},

	CodeInvalidCredentials:   {401, "Wrong username or password."},
	CodeInvalidRefreshToken:  {401, "Refresh token is not valid. Please re-authenticate."},
	CodeInvalidClient:        {401, "Wrong client id or secret."},
	CodeInvalidGrant:         {400, "The token is not valid, or is another client's."},
	CodeUnsupportedGrantType: {400, "This server has no such grant."},
	CodeInvalidScope:         {400, "The requested scope is not allowed."},
	CodeInvalidTarget:        {400, "The requested audience is not known."},
	CodePasswordTooWeak:      {400, "The new password is too weak."},
	CodeNotFound:             {404, "Not found."},
	CodeAlreadyExists:        {409, "There is one of that name already."},
	CodeConflict:             {409, "The present state does not allow that."},
	CodeMethodNotAllowed:     {405, "Method not allowed."},
	CodeUnsupportedMediaType: {415, "The body must be application/json."},
	CodeBodyTooLarge:         {413, "The body is too large."},
	CodeMisdirectedRequest:   {421, "This server does not answer for that host."},
	CodeServerBusy:           {503, "The server is busy. Try again shortly."},
	CodeStoreBehind:          {503, "Try again shortly."},
	CodeClockUnreliable:      {503, "Try again shortly."},
	CodeInternal:             {500, "Something went wrong."},
}

// Status returns the HTTP status a code is answered with, 500 for an unknown code.
func (c Code) Status() int {
	if e, ok := codes[c]; ok {
		return e.status
	}
	return 500
}

// Title returns the sentence that people read beside a code.
func (c Code) Title() string {
	if e, ok := codes[c]; ok {
		return e.title
	}
	return codes[CodeInternal].title
}
