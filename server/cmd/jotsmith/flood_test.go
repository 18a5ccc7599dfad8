package main

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Whoever says nothing, or begins a request and does not end it, or dribbles
// headers, is cut off after headerTimeout; meanwhile others are served as by a
// server that has no such clients. JOTSMITH_IDLE is how many connections there
// are (by default 450); each takes two descriptors here.
func TestDOS04SlowHeaders(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes as long as headers may")
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	serve := func() *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config = newHTTPServer(h, slog.New(slog.DiscardHandler))
		s.Start()
		t.Cleanup(s.Close)
		return s
	}
	s, calm := serve(), serve()
	idle, err := strconv.Atoi(os.Getenv("JOTSMITH_IDLE"))
	if err != nil {
		idle = 450
	}
	var open atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for i := range idle {
		// An address has no more than some 28,000 ports.
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(i/20_000))}}
		c, err := from.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open.Add(1)
		all.Go(func() {
			defer open.Add(-1)
			switch i % 3 {
			case 1:
				io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: x\r\n")
			case 2:
				io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: x\r\n")
				go func() {
					for { // until it is closed
						if _, err := io.WriteString(c, "X-More: 1\r\n"); err != nil {
							return
						}
						<-time.After(500 * time.Millisecond)
					}
				}()
			}
			c.SetReadDeadline(time.Now().Add(headerTimeout + 20*time.Second))
			if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("kind %d is still open after %v", i%3, time.Since(began))
			}
		})
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	took := map[*httptest.Server][]time.Duration{}
	// In turn, and each first as often, so that what else the machine does, and
	// waking up after the pause, fall on both.
	order := []*httptest.Server{s, calm}
	for open.Load() > 0 {
		slices.Reverse(order)
		for _, of := range order {
			asked := time.Now()
			resp, err := client.Get(of.URL)
			if err != nil || resp.StatusCode != http.StatusNoContent {
				t.Fatalf("others are not served: %v, %v", resp, err)
			}
			resp.Body.Close()
			took[of] = append(took[of], time.Since(asked))
		}
		<-time.After(5 * time.Millisecond)
	}
	all.Wait()
	median := func(all []time.Duration) time.Duration { slices.Sort(all); return all[len(all)/2] }
	beside, alone := median(took[s]), median(took[calm])
	t.Logf("%d connections: %d requests of others were served in %v each, without such clients in %v: goodput %.2f", idle, len(took[s]), beside, alone, float64(alone)/float64(beside))
	if len(took[s]) < 100 || beside > 2*alone {
		t.Errorf("%d requests of others were served in %v each, without such clients in %v", len(took[s]), beside, alone)
	}
}

// Requests that are begun and reset at once (CVE-2023-44487), and settings
// without an end: never more handlers run than streams may be open, and others
// are served.
func TestDOS04RapidResetAndSettings(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int64
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/flooded" {
			n := running.Add(1)
			defer running.Add(-1)
			for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
			}
			<-time.After(5 * time.Millisecond)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	s := httptest.NewUnstartedServer(h)
	s.Config = newHTTPServer(h, slog.New(slog.DiscardHandler))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	// RFC 9113 §6: HEADERS with END_HEADERS and END_STREAM, RST_STREAM, SETTINGS.
	const headers, reset, settings = 0x1, 0x3, 0x4
	// RFC 7541 appendix A: GET, https, and a path and an authority of their own.
	request := []byte{0x82, 0x87, 0x04, 8}
	request = append(append(append(request, "/flooded"...), 0x01, 11), "example.com"...)
	flood := func(what string, next func(i uint32) []byte) {
		c, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2"}})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		go io.Copy(io.Discard, c)
		c.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(settings, 0, nil)...))
		for i := range uint32(20_000) {
			if _, err := c.Write(next(i)); err != nil {
				t.Logf("%s: cut off after %d", what, i)
				return
			}
		}
	}
	var all sync.WaitGroup
	all.Go(func() {
		flood("resets", func(i uint32) []byte {
			f := frame(headers, 2*i+1, request)
			f[4] = 0x4 | 0x1
			return append(f, frame(reset, 2*i+1, binary.BigEndian.AppendUint32(nil, 8))...)
		})
	})
	all.Go(func() {
		flood("settings", func(i uint32) []byte {
			return frame(settings, 0, binary.BigEndian.AppendUint32([]byte{0, 4}, 65_535+i))
		})
	})
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	served := 0
	for busy := true; busy; served++ {
		resp, err := s.Client().Get(s.URL + "/other")
		if err != nil || resp.StatusCode != http.StatusNoContent {
			t.Fatalf("others are not served: %v, %v", resp, err)
		}
		resp.Body.Close()
		select {
		case <-over:
			busy = false
		default:
		}
	}
	if n := most.Load(); n == 0 || n > maxStreams {
		t.Errorf("%d requests of one connection were under way at once", n)
	}
	t.Logf("%d requests of others were served, at most %d of the flood were under way", served, most.Load())
}
