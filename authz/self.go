package authz

import "github.com/jotsmith/jotsmith/jwt"

// RequestRule is a [Rule] that looks at what is asked for, too. It denies
// whatever it is not shown.
type RequestRule interface {
	Rule
	CheckRequest(request any, t *jwt.Token) error // nil, a *Denied, or why it cannot tell
}

// Check asks rule about t and request, which is an *http.Request at package
// guard and the message at a gRPC method. A rule that is no [RequestRule] sees
// the token alone.
func Check(rule Rule, request any, t *jwt.Token) error {
	if r, ok := rule.(RequestRule); ok {
		return r.CheckRequest(request, t)
	}
	return rule.Check(t)
}

// Self demands that the token's subject owns what is asked for, as owns decides:
//
//	authz.Self(func(r *http.Request, t *jwt.Token) (bool, error) {
//		return r.PathValue("account") == t.Subject(), nil
//	})
//
// R is what the transport shows to rules; a request that is no R is denied, and
// so is Check, which has none. A subject is one of its issuer: with several
// issuers, owns compares both. An error of owns denies nobody and admits nobody:
// it says that it could not be found out. Self panics if owns is nil.
func Self[R any](owns func(request R, t *jwt.Token) (bool, error)) Rule {
	if owns == nil {
		panic("authz: Self needs a function")
	}
	return self[R](owns)
}

type self[R any] func(R, *jwt.Token) (bool, error)

func (self[R]) String() string { return "ownership" }

func (s self[R]) Check(t *jwt.Token) error { return s.CheckRequest(nil, t) }

func (s self[R]) CheckRequest(request any, t *jwt.Token) error {
	if r, ok := request.(R); ok {
		owns, err := s(r, t)
		if owns || err != nil {
			return err
		}
	}
	return &Denied{Rule: s.String()}
}
