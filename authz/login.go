package authz

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
)

// StepUp says what a log-in must be to be enough (RFC 9470 §3).
type StepUp struct {
	MaxAge time.Duration // how long ago at most, in whole seconds; 0: however long
	ACR    string        // space separated classes, one of which it must have; empty: any
}

// LoggedInWithin demands a token whose holder logged in at most d ago, by
// "auth_time": for what matters so much that the password is asked for again.
// A refresh does not make a log-in younger. A token that does not say when its
// holder logged in is denied, and so is one that says a time to come. It panics
// if d is not a whole number of seconds, at least one.
func LoggedInWithin(d time.Duration) Rule {
	if d < time.Second || d%time.Second != 0 {
		panic("authz: LoggedInWithin takes whole seconds, at least one")
	}
	return within(d)
}

type within time.Duration

func (w within) seconds() string { return strconv.FormatInt(int64(time.Duration(w)/time.Second), 10) }

func (w within) String() string { return "log-in within " + w.seconds() + " s" }

func (w within) Check(t *jwt.Token) error {
	if age, ok := t.LoginAge(); ok && age <= time.Duration(w) {
		return nil
	}
	return &Denied{Rule: w.String(), StepUp: &StepUp{MaxAge: time.Duration(w)}}
}

// ACR demands a log-in of one of the classes that values name, by "acr", the
// preferred one first. No class includes another: name each that is enough. It
// panics without values, and if one is empty or holds what is no visible ASCII, a
// quote or a backslash.
func ACR(values ...string) Rule {
	if len(values) == 0 {
		panic("authz: ACR needs at least one value")
	}
	for _, v := range values {
		if !isScopeToken(v) { // acr_values separates them by spaces, too
			panic("authz: " + strings.ToValidUTF8(v, "?") + " is not one value of acr_values (RFC 9470 §3)")
		}
	}
	return acr(slices.Clone(values))
}

type acr []string

func (a acr) String() string { return "acr " + strings.Join(a, " ") }

func (a acr) Check(t *jwt.Token) error {
	if slices.Contains(a, t.ACR()) {
		return nil
	}
	return &Denied{Rule: a.String(), StepUp: &StepUp{ACR: strings.Join(a, " ")}}
}

// AMR demands a log-in by one method, such as "otp" or "hwk" (RFC 8176), among
// those of "amr". It panics if method is empty.
func AMR(method string) Rule {
	if method == "" {
		panic("authz: an authentication method needs a name")
	}
	return amr(method)
}

type amr string

func (a amr) String() string { return "amr " + string(a) }

func (a amr) Check(t *jwt.Token) error {
	if t.HasAuthMethod(string(a)) {
		return nil
	}
	return &Denied{Rule: a.String(), StepUp: &StepUp{}}
}

// and answers the log-in that is enough for both s and other, nil where none is
// or where either is nil.
func (s *StepUp) and(other *StepUp) *StepUp {
	if s == nil || other == nil {
		return nil
	}
	both := *s
	if both.MaxAge == 0 || other.MaxAge != 0 && other.MaxAge < both.MaxAge {
		both.MaxAge = other.MaxAge
	}
	switch {
	case both.ACR == "":
		both.ACR = other.ACR
	case other.ACR != "":
		allowed := strings.Fields(other.ACR)
		common := slices.DeleteFunc(strings.Fields(both.ACR), func(v string) bool { return !slices.Contains(allowed, v) })
		if len(common) == 0 {
			return nil
		}
		both.ACR = strings.Join(common, " ")
	}
	return &both
}
