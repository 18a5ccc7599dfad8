package feed_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/revocation"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/feed"
)

func TestStream(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.end(time.Hour, "a")
		f := newFeed(t, feed.Config{Store: m, Ring: ring, Streams: 2})
		defer run(t, f)()
		synctest.Wait()
		type event struct {
			*revocation.Document
			at time.Duration
		}
		began := time.Now()
		var told []event
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- f.Stream(ctx, "", "", func(d *feed.Document) error {
				told = append(told, event{read(t, ring, string(d.Bytes())), time.Since(began)})
				return nil
			})
		}()
		time.Sleep(3 * time.Second)
		m.end(time.Hour, "b")
		f.Wake()
		time.Sleep(feed.Heartbeat + time.Second)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a stream whose caller has gone: %v", err)
		}
		if len(told) != 3 || !told[0].Snapshot || told[0].at != 0 || told[0].To != 1 ||
			told[1].From != 1 || told[1].at != 3*time.Second || !slices.Equal(facts(told[1].Document), entry("b")) ||
			told[2].From != 2 || told[2].To != 2 || told[2].at != 3*time.Second+feed.Heartbeat {
			t.Errorf("told %+v, want a snapshot at once, the news with the wake and a confirmation after the heartbeat", told)
		}

		t.Log("bounded in number, and places are given back")
		var both sync.WaitGroup
		ctx, cancel = context.WithCancel(t.Context())
		for range 2 {
			both.Go(func() { f.Stream(ctx, "", "epoch1.2", func(*feed.Document) error { return nil }) })
		}
		synctest.Wait()
		if err := f.Stream(t.Context(), "", "", nil); !errors.Is(err, feed.ErrStreams) || f.Stats().Streams != 2 {
			t.Errorf("a third stream of two: %v, %+v", err, f.Stats())
		}
		cancel()
		both.Wait()

		t.Log("nobody has more than a quarter, and who is not counted has what there is")
		few := newFeed(t, feed.Config{Store: m, Ring: ring, Streams: 8, Waiters: 8})
		ctx, cancel = context.WithCancel(t.Context())
		for _, who := range []string{"a", "a", "b", "", "", "", ""} {
			both.Go(func() { few.Stream(ctx, who, "epoch1.2", func(*feed.Document) error { return nil }) })
			both.Go(func() { few.Answer(ctx, who, "epoch1.2", feed.MaxWait) })
		}
		synctest.Wait()
		if err := few.Stream(t.Context(), "a", "", nil); !errors.Is(err, feed.ErrOwnStreams) {
			t.Errorf("a third of one caller's two: %v", err)
		}
		at := time.Now()
		if _, err := few.Answer(t.Context(), "a", "epoch1.2", feed.MaxWait); err != nil || time.Since(at) != 0 {
			t.Errorf("who waits for too many is answered after %v: %v", time.Since(at), err)
		}
		both.Go(func() { few.Stream(ctx, "b", "epoch1.2", func(*feed.Document) error { return nil }) })
		synctest.Wait()
		if err := few.Stream(t.Context(), "c", "", nil); !errors.Is(err, feed.ErrStreams) {
			t.Errorf("a ninth of eight: %v", err)
		}
		if st := few.Stats(); st.Streams != 8 || st.Waiting != 7 {
			t.Errorf("%+v", st)
		}
		cancel()
		both.Wait()
		if st := few.Stats(); st.Streams != 0 || st.Waiting != 0 {
			t.Errorf("after all have gone: %+v", st)
		}

		gone := errors.New("gone")
		if err := f.Stream(t.Context(), "", "", func(*feed.Document) error { return gone }); err != gone || f.Stats().Streams != 0 {
			t.Errorf("a stream that nobody reads: %v, %+v", err, f.Stats())
		}

		t.Log("ends by itself, and with the store")
		began, beats := time.Now(), 0
		err := f.Stream(t.Context(), "", "epoch1.2", func(*feed.Document) error { beats++; return nil })
		if err != nil || time.Since(began) != feed.MaxStream || beats != int(feed.MaxStream/feed.Heartbeat)+1 {
			t.Errorf("lasted %v with %d events: %v", time.Since(began), beats, err)
		}
		m.set(func() { m.broken = fault.ErrUnavailable })
		if err := f.Stream(t.Context(), "", "epoch1.2", func(*feed.Document) error { return nil }); !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("without a store: %v", err)
		}
		if err := f.Stream(t.Context(), "", "nonsense", nil); !errors.Is(err, feed.ErrCursor) {
			t.Errorf("from nowhere that is: %v", err)
		}
	})
}

// What is much is compressed, once for all who ask at that time.
func TestDocumentsAreCompressedOnce(t *testing.T) {
	t.Parallel()
	ring := newRing(t, still)
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		f := newFeed(t, feed.Config{Store: m, Ring: ring})
		if d, err := f.Answer(t.Context(), "", "", 0); err != nil || d.Gzip() != nil {
			t.Errorf("an empty snapshot is compressed, or %v", err)
		}
		for n := range 5000 {
			m.end(time.Hour, fmt.Sprint(n))
		}
		if err := f.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		all := make([]*feed.Document, 50)
		var wg sync.WaitGroup
		for i := range all {
			wg.Go(func() {
				all[i], _ = f.Answer(t.Context(), "", "", 0)
				all[i].Gzip()
			})
		}
		wg.Wait()
		d := all[0]
		for _, other := range all {
			if other != d || &other.Gzip()[0] != &d.Gzip()[0] {
				t.Fatal("a document of its own for somebody who asked at the same time")
			}
		}
		r, err := gzip.NewReader(bytes.NewReader(d.Gzip()))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(plain, d.Bytes()) || len(d.Gzip()) > len(plain)*7/10 {
			t.Errorf("%d bytes of %d came back as %d, %v", len(d.Gzip()), len(d.Bytes()), len(plain), err)
		}
	})
}
