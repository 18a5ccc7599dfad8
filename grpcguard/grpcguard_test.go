package grpcguard_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/grpcguard"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// rig is a real server on loopback, and a client of it.
type rig struct {
	issuer *jotsmithtest.Issuer
	later  atomic.Int64 // how far the server's clock is ahead
	client pb.TestServiceClient
	conn   *grpc.ClientConn
	calls  *grpcguard.Interceptor
	log    *lockedBuffer
	*service
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var (
	ownCall = authz.Self(func(r *pb.SimpleRequest, t *jwt.Token) (bool, error) {
		if string(r.GetPayload().GetBody()) == "broken" {
			return false, errors.New("database is down")
		}
		return string(r.GetPayload().GetBody()) == t.Subject(), nil
	})
	ownMessage = authz.Self(func(r *pb.StreamingOutputCallRequest, t *jwt.Token) (bool, error) {
		return string(r.GetPayload().GetBody()) == t.Subject(), nil
	})
	rules = map[string]authz.Rule{
		pb.TestService_EmptyCall_FullMethodName:           grpcguard.AnyToken(),
		pb.TestService_UnaryCall_FullMethodName:           authz.Any(authz.Role("admin"), ownCall),
		pb.TestService_CacheableUnaryCall_FullMethodName:  authz.Scope("tasks:write"),
		pb.TestService_StreamingInputCall_FullMethodName:  authz.Any(authz.Role("editor"), authz.Role("admin")),
		pb.TestService_StreamingOutputCall_FullMethodName: authz.Role("editor"),
		pb.TestService_FullDuplexCall_FullMethodName:      ownMessage,
	}
	public = []string{healthpb.Health_Check_FullMethodName}
)

func newRig(t *testing.T, change func(*jwt.Policy)) *rig {
	t.Helper()
	r := &rig{issuer: jotsmithtest.New(t), log: new(lockedBuffer), service: new(service)}
	policy := r.issuer.Policy("")
	policy.Now = func() time.Time { return time.Now().Add(time.Duration(r.later.Load())) }
	if change != nil {
		change(&policy)
	}
	v, err := jwt.NewVerifier(policy)
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(t.Context(), guard.Config{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	r.calls, err = grpcguard.New(grpcguard.Config{Guard: g, Rules: rules, Public: public,
		Log: slog.New(slog.NewJSONHandler(r.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(r.calls.Unary), grpc.StreamInterceptor(r.calls.Stream))
	pb.RegisterTestServiceServer(server, r.service)
	healthpb.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	r.conn = serve(t, server, insecure.NewCredentials())
	r.client = pb.NewTestServiceClient(r.conn)
	return r
}

func serve(t *testing.T, server *grpc.Server, creds credentials.TransportCredentials, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), append(options, grpc.WithTransportCredentials(creds))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// with is a call's context with authorization metadata.
func with(t *testing.T, values ...string) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	for _, v := range values {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", v)
	}
	return ctx
}

func bearer(t *testing.T, compact string) context.Context { return with(t, "Bearer "+compact) }

func request(owner string) *pb.SimpleRequest {
	return &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte(owner)}}
}

// told checks an answer, and returns its ErrorInfo.
func told(t *testing.T, err error, code codes.Code, reason string) *errdetails.ErrorInfo {
	t.Helper()
	s := status.Convert(err)
	if s.Code() != code {
		t.Fatalf("got %v, want %v %s", err, code, reason)
	}
	var info *errdetails.ErrorInfo
	retry := false
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case *errdetails.RetryInfo:
			retry = d.GetRetryDelay().AsDuration() > 0
		}
	}
	if info.GetReason() != reason || info.GetDomain() != grpcguard.Domain || retry != (code == codes.Unavailable) {
		t.Fatalf("details %v, want reason %s", s.Details(), reason)
	}
	return info
}

type noKeys struct{}

func (noKeys) Key(context.Context, string) (jwk.Verifier, error) { return nil, jwt.ErrKeysUnavailable }
func (noKeys) Trusts(jwk.Verifier) bool                          { return false }

type cutOff struct{}

func (cutOff) Check(*jwt.Token, time.Time) error { return jwt.ErrRevocationUnavailable }

func TestUnary(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	withoutKeys := newRig(t, func(p *jwt.Policy) { p.Keys = noKeys{} })
	withoutFeed := newRig(t, func(p *jwt.Policy) { p.Revocations = cutOff{} })
	token := func(c jwt.Claims) string { return r.issuer.Token(c) }
	anna := token(jwt.Claims{Subject: "acc_anna"})
	revoked := token(jwt.Claims{})
	r.issuer.Revoke(revoked)
	empty := func(r *rig, ctx context.Context) error {
		_, err := r.client.EmptyCall(ctx, &pb.Empty{})
		return err
	}
	owned := func(owner string) func(*rig, context.Context) error {
		return func(r *rig, ctx context.Context) error {
			_, err := r.client.UnaryCall(ctx, request(owner))
			return err
		}
	}
	cacheable := func(r *rig, ctx context.Context) error {
		_, err := r.client.CacheableUnaryCall(ctx, request(""))
		return err
	}
	unlisted := func(r *rig, ctx context.Context) error {
		_, err := r.client.UnimplementedCall(ctx, &pb.Empty{})
		return err
	}
	for _, c := range []struct {
		name   string
		rig    *rig
		ctx    context.Context
		call   func(*rig, context.Context) error
		code   codes.Code
		reason string
		logged string
	}{
		{"a good token", r, bearer(t, anna), empty, codes.OK, "", ""},
		{"the scheme in lower case", r, with(t, "bearer "+anna), empty, codes.OK, "", ""},
		{"none sent", r, with(t), empty, codes.Unauthenticated, "TOKEN_MISSING", "no token was sent"},
		{"another scheme", r, with(t, "Basic eDp5"), empty, codes.Unauthenticated, "TOKEN_MISSING", "no token was sent"},
		{"the token alone", r, with(t, anna), empty, codes.Unauthenticated, "TOKEN_MISSING", "no token was sent"},
		{"in other metadata", r, metadata.AppendToOutgoingContext(with(t), "access_token", anna), empty, codes.Unauthenticated, "TOKEN_MISSING", "no token was sent"},
		{"HTP-01 two tokens", r, with(t, "Bearer "+anna, "Bearer "+anna), empty, codes.InvalidArgument, "INVALID_REQUEST", "more than one token was sent: 2"},
		{"not a token", r, bearer(t, "hello"), empty, codes.Unauthenticated, "TOKEN_MALFORMED", "three parts"},
		{"of another issuer", r, bearer(t, jotsmithtest.New(t).Token(jwt.Claims{})), empty, codes.Unauthenticated, "TOKEN_INVALID", "key"},
		{"for another API", r, bearer(t, token(jwt.Claims{Audience: []string{"https://other.test"}})), empty, codes.Unauthenticated, "TOKEN_INVALID", "audience"},
		{"expired", r, bearer(t, r.issuer.Expired(jwt.Claims{})), empty, codes.Unauthenticated, "TOKEN_EXPIRED", "expired"},
		{"revoked", r, bearer(t, revoked), empty, codes.Unauthenticated, "TOKEN_REVOKED", "revoked"},
		{"no keys", withoutKeys, bearer(t, anna), empty, codes.Unavailable, "KEYS_UNAVAILABLE", "keys unavailable"},
		{"no feed", withoutFeed, bearer(t, withoutFeed.issuer.Token(jwt.Claims{})), empty, codes.Unavailable, "REVOCATION_UNAVAILABLE", "revocations unavailable"},

		{"scope there", r, bearer(t, token(jwt.Claims{Scope: []string{"tasks:write"}})), cacheable, codes.OK, "", ""},
		{"scope missing", r, bearer(t, anna), cacheable, codes.PermissionDenied, "FORBIDDEN", "needs scope tasks:write"},
		{"one's own", r, bearer(t, anna), owned("acc_anna"), codes.OK, "", ""},
		{"another's", r, bearer(t, anna), owned("acc_ben"), codes.PermissionDenied, "FORBIDDEN", "needs role admin or ownership"},
		{"another's, by an admin", r, bearer(t, token(jwt.Claims{Roles: []string{"admin"}})), owned("acc_ben"), codes.OK, "", ""},
		{"another's, expired: the rule is not told", r, bearer(t, r.issuer.Expired(jwt.Claims{})), owned("acc_ben"), codes.Unauthenticated, "TOKEN_EXPIRED", "expired"},
		{"a rule broken", r, bearer(t, anna), owned("broken"), codes.Internal, "INTERNAL", "database is down"},
		{"no rule for the method", r, bearer(t, anna), unlisted, codes.PermissionDenied, "FORBIDDEN", "a rule for this method"},
		{"no rule for the method, no token", r, with(t), unlisted, codes.Unauthenticated, "TOKEN_MISSING", "no token was sent"},
	} {
		called := c.rig.called.Load()
		logged := len(c.rig.log.String())
		err := c.call(c.rig, c.ctx)
		if ran := c.rig.called.Load() - called; (ran == 1) != (c.code == codes.OK) {
			t.Errorf("%s: the handler ran %d times", c.name, ran)
		}
		lines := c.rig.log.String()[logged:]
		if c.code == codes.OK {
			if err != nil || lines != "" {
				t.Errorf("%s: %v, logged %s", c.name, err, lines)
			}
			continue
		}
		info := told(t, err, c.code, c.reason)
		if c.name == "scope missing" && (info.GetMetadata()["scope"] != "tasks:write" || info.GetMetadata()["needs"] != "scope tasks:write") {
			t.Errorf("%s: told %v", c.name, info)
		}
		var line map[string]string
		if err := json.Unmarshal([]byte(lines), &line); err != nil {
			t.Fatalf("%s: not one log line: %s", c.name, lines)
		}
		if line["id"] != info.GetMetadata()["id"] || len(line["id"]) < 26 || line["code"] != strings.ToLower(c.reason) ||
			!strings.Contains(line["reason"], c.logged) || !strings.HasPrefix(line["method"], "/grpc.testing.TestService/") {
			t.Errorf("%s: logged %s", c.name, lines)
		}
		if strings.Contains(lines, anna) || strings.Contains(err.Error(), line["reason"]) {
			t.Errorf("%s: too much was told: %v, logged %s", c.name, err, lines)
		}
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	if _, err := healthpb.NewHealthClient(r.conn).Check(with(t), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
	// Reflection is there, and was not listed.
	s, err := r.conn.NewStream(with(t), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
	if err != nil {
		t.Fatal(err)
	}
	told(t, s.RecvMsg(new(pb.Empty)), codes.Unauthenticated, "TOKEN_MISSING")
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier("")})
	if err != nil {
		t.Fatal(err)
	}
	calls, err := grpcguard.New(grpcguard.Config{Guard: g, Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	known := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1
	defer known.Close()
	secure := credentials.NewTLS(&tls.Config{Certificates: known.TLS.Certificates})
	server := func(creds credentials.TransportCredentials) *grpc.Server {
		s := grpc.NewServer(grpc.Creds(creds), grpc.UnaryInterceptor(calls.Unary))
		pb.RegisterTestServiceServer(s, new(service))
		return s
	}
	asked := 0
	source := grpc.WithPerRPCCredentials(grpcguard.Credentials(func(context.Context) (string, error) {
		if asked++; asked > 1 {
			return "", errors.New("logged out")
		}
		return issuer.Token(jwt.Claims{}), nil
	}))
	conn := serve(t, server(secure), credentials.NewTLS(clientTLS(known)), source)
	if _, err := pb.NewTestServiceClient(conn).EmptyCall(with(t), &pb.Empty{}); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	if _, err := pb.NewTestServiceClient(conn).EmptyCall(with(t), &pb.Empty{}); !strings.Contains(err.Error(), "logged out") {
		t.Errorf("without a token: %v", err)
	}
	if conn, err := grpc.NewClient("127.0.0.1:1", source, grpc.WithTransportCredentials(insecure.NewCredentials())); err == nil {
		conn.Close()
		t.Error("a token may go over a connection without TLS")
	}
	_, err = grpcguard.Credentials(func(context.Context) (string, error) {
		t.Error("a token was asked for")
		return "", nil
	}).GetRequestMetadata(t.Context())
	if err == nil {
		t.Error("a token for an unknown connection")
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	g, err := guard.New(t.Context(), guard.Config{Verifier: jotsmithtest.New(t).Verifier("")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = grpcguard.New(grpcguard.Config{
		Rules: map[string]authz.Rule{
			"Add": authz.Role("x"), "/tasks.Tasks/Add": nil, "/tasks.Tasks/": authz.Role("x"),
			"": authz.Role("x"), "/a/b/c": authz.Role("x"), "/tasks.Tasks/List": authz.Role("x"),
		},
		Public: []string{"/tasks.Tasks/List", "tasks.Tasks/Watch", "/tasks.Tasks/*/x"},
	})
	for _, fault := range []string{
		"Guard is required", `Rules["Add"]`, `Rules["/tasks.Tasks/Add"] is nil`, `Rules["/tasks.Tasks/"]`, `Rules[""]`, `Rules["/a/b/c"]`,
		`Public[0] "/tasks.Tasks/List" is listed before`, `Public[1]`, `Public[2]`,
	} {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("not among the faults: %s\n%v", fault, err)
		}
	}
	if _, err := grpcguard.New(grpcguard.Config{Guard: g}); err == nil || !strings.Contains(err.Error(), "Rules are required") {
		t.Errorf("without rules: %v", err)
	}

	calls, err := grpcguard.New(grpcguard.Config{Guard: g, Public: []string{"/grpc.health.v1.Health/Chek"}, Rules: map[string]authz.Rule{
		healthpb.Health_Watch_FullMethodName: grpcguard.AnyToken(), healthpb.Health_List_FullMethodName: grpcguard.AnyToken()}})
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	err = calls.Covers(server.GetServiceInfo())
	if err == nil || err.Error() != "grpcguard: /grpc.health.v1.Health/Check has no rule: every call of it is refused\n"+
		"/grpc.health.v1.Health/Chek has a rule, and no service offers it" {
		t.Errorf("Covers: %v", err)
	}
}
