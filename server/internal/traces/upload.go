package traces

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	exportTime = 5 * time.Second
	maxAnswer  = 64 << 10
)

// An uploader posts spans as OTLP over HTTP with protobuf. The client of
// OpenTelemetry's own that does so brings gRPC into the program, which is a
// third of its size.
type uploader struct {
	url     string
	headers map[string]string
	client  *http.Client
	log     *slog.Logger
	failing atomic.Bool
}

func newUploader(url string, headers map[string]string, log *slog.Logger) *uploader {
	return &uploader{url: url, headers: headers, log: log, client: &http.Client{
		Timeout: exportTime,
		// Headers that authorize are for the collector alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (*uploader) Start(context.Context) error { return nil }

func (u *uploader) Stop(context.Context) error {
	u.client.CloseIdleConnections()
	return nil
}

// UploadTraces tells the log when the collector stops taking spans and when it
// takes them again. What it did not take is lost: it is worth no memory.
func (u *uploader) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	err := u.upload(ctx, spans)
	if was := u.failing.Swap(err != nil); was != (err != nil) {
		if err != nil {
			u.log.Warn("traces are lost", "err", err)
		} else {
			u.log.Info("traces are taken again")
		}
	}
	return nil
}

func (u *uploader) upload(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// TracesData and ExportTraceServiceRequest are the same on the wire: the
	// first field of either is the list of spans by resource.
	raw, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encoding spans: %w", err)
	}
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	_, _ = z.Write(raw) // to memory
	_ = z.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url, &body)
	if err != nil {
		return err
	}
	for name, value := range u.headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("User-Agent", "jotsmith")
	resp, err := u.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection is kept
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answered %s", resp.Status)
	}
	return nil
}
