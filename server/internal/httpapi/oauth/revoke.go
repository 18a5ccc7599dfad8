package oauth

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

// revoke implements RFC 7009. A refresh token ends its session; an access token
// ends alone. What is no good token of this server is as it was wanted (§2.2);
// another client's is refused (§2.1).
func (d Deps) revoke(c *httpapi.Call, r *http.Request) error {
	form, who, err := d.asked(c, r)
	if err != nil {
		return err
	}
	token := form.Get("token")
	switch {
	case token == "":
		return httpapi.Refuse(wire.CodeInvalidRequest, "the parameter token is required, once", nil)
	case strings.HasPrefix(token, session.RefreshPrefix): // whatever token_type_hint says
		err = refusal(d.Sessions.EndPresented(r.Context(), who.actor, token, session.Presented{Client: who.id}, "revoked"))
	default:
		err = d.revokeAccess(r, who, token)
	}
	if err != nil {
		return err
	}
	c.WriteHeader(http.StatusOK)
	return nil
}

func (d Deps) revokeAccess(r *http.Request, who client, token string) error {
	about, err := d.Auth.Judge(r.Context(), httpapi.Caller{}, token)
	switch {
	case verdict(err):
		return nil
	case err != nil:
		return err // nothing is known about the token
	case about.Token.ClientID() != who.id:
		return httpapi.Refuse(wire.CodeInvalidGrant, "", fmt.Errorf("the token was issued to %s", about.Token.ClientID()))
	}
	return d.Feed.EndToken(r.Context(), who.actor, about.Token)
}
