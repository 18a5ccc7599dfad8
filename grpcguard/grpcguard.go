// Package grpcguard protects gRPC services with access tokens: the checks of
// package guard, as interceptors.
//
//	g, err := guard.New(ctx, guard.Config{Issuer: "https://auth.example.com", Audience: "https://tasks.example.com"})
//	…
//	calls, err := grpcguard.New(grpcguard.Config{
//		Guard: g,
//		Rules: map[string]authz.Rule{
//			pb.Tasks_List_FullMethodName: grpcguard.AnyToken(),
//			pb.Tasks_Add_FullMethodName:  authz.Role("editor"),
//		},
//		Public: []string{healthpb.Health_Check_FullMethodName},
//	})
//	…
//	server := grpc.NewServer(grpc.UnaryInterceptor(calls.Unary), grpc.StreamInterceptor(calls.Stream))
//
// The token is the one "authorization" of the call's metadata, written
// "Bearer …". Whoever may not pass is answered Unauthenticated,
// PermissionDenied, InvalidArgument (for two tokens) or Unavailable (with
// RetryInfo); an ErrorInfo says which code of docs/errors.md it is, in upper
// case, the id of the log line that holds the reason, and to the holder of a
// good token what the rule needs: of a log-in, "max_age" in seconds and
// "acr_values" (RFC 9470 §3).
//
// It refuses calls of methods that have no rule, to tell a caller why a token is
// bad, and to let a stream outlive its token: within about a second of expiry or
// revocation the stream's context ends, its messages stop, and its caller is
// answered as at a new call.
package grpcguard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwt"
)

// Config says what a call needs. Methods are named in full, as generated code
// does: "/tasks.v1.Tasks/Add".
type Config struct {
	Guard  *guard.Guard          // whose tokens are accepted
	Rules  map[string]authz.Rule // what each method demands; one that is missing is refused
	Public []string              // methods without a token, such as health checks
	Log    *slog.Logger          // nil: slog.Default()
}

// Interceptor guards the calls of a server. It is safe for concurrent use.
type Interceptor struct {
	guard *guard.Guard
	rules map[string]authz.Rule // of a public method: nil
	log   *slog.Logger
}

// New builds an Interceptor. The error holds every fault.
func New(c Config) (*Interceptor, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Guard == nil {
		fault("Guard is required")
	}
	if len(c.Rules) == 0 && len(c.Public) == 0 {
		fault("Rules are required: every call would be refused")
	}
	i := &Interceptor{guard: c.Guard, rules: make(map[string]authz.Rule), log: c.Log}
	for _, method := range slices.Sorted(maps.Keys(c.Rules)) {
		if !isMethod(method) {
			fault("Rules[%q] must be named in full, such as /tasks.v1.Tasks/Add", method)
		}
		if c.Rules[method] == nil {
			fault("Rules[%q] is nil; AnyToken() lets every good token pass", method)
		}
		i.rules[method] = c.Rules[method]
	}
	for n, method := range c.Public {
		if !isMethod(method) {
			fault("Public[%d] %q must be named in full, such as /grpc.health.v1.Health/Check", n, method)
		}
		if _, guarded := i.rules[method]; guarded {
			fault("Public[%d] %q is listed before: a method is public, or has one rule", n, method)
		}
		i.rules[method] = nil
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("grpcguard: %w", err)
	}
	if i.log == nil {
		i.log = slog.Default()
	}
	return i, nil
}

func isMethod(name string) bool {
	service, method, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	return ok && name[0] == '/' && service != "" && method != "" && !strings.Contains(method, "/")
}

// Covers tells whether rules and services fit: every method that a server offers
// is in the configuration, and nothing else is. Ask it before serving, with
// [grpc.Server.GetServiceInfo], to find forgotten and misspelt methods. The error
// holds them all.
func (i *Interceptor) Covers(services map[string]grpc.ServiceInfo) error {
	var faults []error
	offered := make(map[string]bool)
	for service, info := range services {
		for _, m := range info.Methods {
			offered["/"+service+"/"+m.Name] = true
		}
	}
	for _, method := range slices.Sorted(maps.Keys(offered)) {
		if _, known := i.rules[method]; !known {
			faults = append(faults, fmt.Errorf("%s has no rule: every call of it is refused", method))
		}
	}
	for _, method := range slices.Sorted(maps.Keys(i.rules)) {
		if !offered[method] {
			faults = append(faults, fmt.Errorf("%s has a rule, and no service offers it", method))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("grpcguard: %w", err)
	}
	return nil
}

// Unary is a [grpc.UnaryServerInterceptor].
func (i *Interceptor) Unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	rule := i.rule(info.FullMethod)
	if rule == nil {
		return handler(ctx, request)
	}
	t, err := i.check(ctx, request, rule)
	if err != nil {
		return nil, i.Refuse(ctx, err)
	}
	return handler(context.WithValue(ctx, tokenKey{}, t), request)
}

// check decides over one call, by its metadata and message.
func (i *Interceptor) check(ctx context.Context, request any, rules ...authz.Rule) (*jwt.Token, error) {
	compact, err := guard.Bearer(metadata.ValueFromIncomingContext(ctx, "authorization"))
	if err != nil {
		return nil, err
	}
	return i.guard.CheckToken(ctx, compact, request, rules...)
}

// ask asks a rule about a token that was verified.
func ask(rule authz.Rule, request any, t *jwt.Token) error {
	err := authz.Check(rule, request, t)
	if err == nil {
		return nil
	}
	if _, denied := errors.AsType[*authz.Denied](err); denied {
		return fmt.Errorf("subject %q, token %q: %w", t.Subject(), t.ID(), err)
	}
	// It may wrap anything, of which nothing is a verdict on the token.
	return fmt.Errorf("subject %q, token %q: asking the rule %s: %v", t.Subject(), t.ID(), rule, err)
}

// rule is what a method demands: nil where it is public.
func (i *Interceptor) rule(method string) authz.Rule {
	rule, known := i.rules[method]
	if !known {
		return unlisted{}
	}
	return rule
}

type unlisted struct{}

func (unlisted) String() string           { return "a rule for this method" }
func (u unlisted) Check(*jwt.Token) error { return &authz.Denied{Rule: u.String()} }

// AnyToken demands nothing beyond a good token.
func AnyToken() authz.Rule { return anyToken{} }

type anyToken struct{}

func (anyToken) String() string         { return "any token" }
func (anyToken) Check(*jwt.Token) error { return nil }

type tokenKey struct{}

// Token returns the verified token of a call that came through an
// [Interceptor], and nil for any other, also one of a public method.
func Token(ctx context.Context) *jwt.Token {
	t, _ := ctx.Value(tokenKey{}).(*jwt.Token)
	return t
}
