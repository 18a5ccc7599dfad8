package grpcguard

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/wire"
)

// Domain is that of the ErrorInfo in every answer of this package.
const Domain = "jotsmith"

// retryAfter is what an Unavailable asks for: by then the next tries to reach
// the issuer have been made.
const retryAfter = 5 * time.Second

// Refuse answers a call that a handler's own rule refused with an *authz.Denied:
// return its error. It tells what the interceptors tell, and logs the reason.
func (i *Interceptor) Refuse(ctx context.Context, err error) error {
	if ctx.Err() != nil { // the caller has gone: nobody was refused
		return status.FromContextError(ctx.Err()).Err()
	}
	code, scope := guard.Code(err)
	id := rand.Text()
	level := slog.LevelInfo
	if code.Status() >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	method, _ := grpc.Method(ctx)
	remote := ""
	if p, ok := peer.FromContext(ctx); ok {
		remote = p.Addr.String()
	}
	i.log.LogAttrs(ctx, level, "call refused",
		slog.String("id", id), slog.String("code", string(code)), slog.String("reason", clip(err)),
		slog.String("method", clipped(method)), slog.String("remote", remote))
	about := map[string]string{"id": id}
	denied, ok := errors.AsType[*authz.Denied](err)
	if ok {
		about["needs"] = clipped(strings.ToValidUTF8(denied.Rule, "?"))
	}
	if denied != nil && denied.StepUp != nil {
		if seconds := int64(denied.StepUp.MaxAge / time.Second); seconds > 0 {
			about["max_age"] = strconv.FormatInt(seconds, 10)
		}
		if denied.StepUp.ACR != "" {
			about["acr_values"] = clipped(strings.ToValidUTF8(denied.StepUp.ACR, "?"))
		}
	}
	if scope != "" {
		about["scope"] = clipped(strings.ToValidUTF8(scope, "?"))
	}
	return answer(code, about)
}

func answer(code wire.Code, about map[string]string) error {
	text := code.Title()
	if code == wire.CodeInvalidRequest {
		text = "More than one token was sent."
	}
	info := &errdetails.ErrorInfo{
		Reason:   strings.ToUpper(string(code)), // its form: UPPER_SNAKE_CASE
		Domain:   Domain,
		Metadata: about,
	}
	details := []protoadapt.MessageV1{info}
	s := status.New(codeOf(code), text)
	if s.Code() == codes.Unavailable {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	}
	if detailed, err := s.WithDetails(details...); err == nil {
		s = detailed
	}
	return s.Err()
}

// codeOf is the class of an answer in the words of gRPC.
func codeOf(code wire.Code) codes.Code {
	switch code.Status() {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusBadRequest: // a new token would not mend it
		return codes.InvalidArgument
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	}
	return codes.Internal
}

func clip(err error) string {
	if err == nil {
		return "no reason was given"
	}
	return clipped(err.Error())
}

// clipped bounds what a stranger can make the log hold.
func clipped(s string) string {
	const most = 500
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
