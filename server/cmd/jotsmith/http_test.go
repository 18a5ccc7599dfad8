package main

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Headers that never end (CVE-2023-45288): the connection is closed after about
// as much as headers may be long, and others are served meanwhile.
func TestHTP06ContinuationFlood(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s := httptest.NewUnstartedServer(h)
	s.Config = newHTTPServer(h, slog.New(slog.DiscardHandler))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)

	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// What waits in the kernel, unread, would count as taken.
	if err := c.NetConn().(*net.TCPConn).SetWriteBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	if c.ConnectionState().NegotiatedProtocol != "h2" {
		t.Fatal("no HTTP/2")
	}
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, c)
	}()

	// RFC 9113: the preface, SETTINGS, HEADERS without END_HEADERS, then
	// CONTINUATION frames, each of one literal field (RFC 7541 §6.2.2).
	const headers, settings, continuation = 0x1, 0x4, 0x9
	field := append([]byte{0x00, 1, 'x', 0x7f}, binary.AppendUvarint(nil, 8000-127)...)
	field = append(field, bytes.Repeat([]byte{'a'}, 8000)...)
	start := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(settings, 0, nil)...)
	if _, err := c.Write(append(start, frame(headers, 1, field)...)); err != nil {
		t.Fatal(err)
	}
	const most = 4 << 20
	sent := 0
	for more := frame(continuation, 1, field); sent < most; sent += len(more) {
		if _, err := c.Write(more); err != nil {
			break
		}
	}
	if sent >= most {
		t.Errorf("%d bytes of headers were taken", sent)
	}
	<-closed

	if resp, err := s.Client().Get(s.URL); err != nil || resp.StatusCode != http.StatusNoContent {
		t.Errorf("others are not served: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
}

func frame(kind byte, stream uint32, payload []byte) []byte {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, 0}
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}
