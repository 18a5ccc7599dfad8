package wire

// MediaTypeProblem is the content type of a [Problem] (RFC 9457 §3).
const MediaTypeProblem = "application/problem+json"

// MediaTypeLines is the content type of JSON texts, one a line.
const MediaTypeLines = "application/x-ndjson"

// Problem is the body of every refusal (RFC 9457), save at OAuth endpoints,
// which answer an [OAuthError].
type Problem struct {
	Type   string `json:"type"` // a page that explains the code
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   Code   `json:"code"`
	ID     string `json:"id"`               // finds the log line that holds the true reason
	Detail string `json:"detail,omitempty"` // what to do about it; never a secret, never the true reason of a refused credential
}

// errorPage is where each code is explained; the code is the fragment.
const errorPage = "https://github.com/jotsmith/jotsmith/blob/main/docs/errors.md#"

// NewProblem fills in what the code decides.
func NewProblem(code Code, id string) Problem {
	return Problem{Type: errorPage + string(code), Title: code.Title(), Status: code.Status(), Code: code, ID: id}
}

// OAuthError is the error body of the OAuth endpoints (RFC 6749 §5.2).
type OAuthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}
