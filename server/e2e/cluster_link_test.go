package e2e

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A link is the way from one node to the store.
type link struct {
	port int
	to   string

	// cuts is how many answers to commits are still to be lost: the store has
	// done what it was asked for, and the connection ends before it says so.
	cuts atomic.Int32
	lost atomic.Int32 // how many were

	mu     sync.Mutex
	parted bool
	open   map[net.Conn]bool
	stuck  chan struct{} // nothing passes until it is closed; nil: all does
}

func newLink(t testing.TB, to int) *link {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	k := &link{port: l.Addr().(*net.TCPAddr).Port, to: fmt.Sprint("127.0.0.1:", to), open: map[net.Conn]bool{}}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go k.carry(client)
		}
	}()
	return k
}

// part cuts the node off: what is open is closed, what is opened is closed too.
func (k *link) part() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.parted = true
	for c := range k.open {
		c.Close()
	}
}

func (k *link) join() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.parted = false
}

// stick holds back what is sent either way, as a network does that loses it for
// a while, until the function that it answers is called. What was held back
// arrives then, however long nobody has waited for it.
func (k *link) stick() (free func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	stuck := make(chan struct{})
	k.stuck = stuck
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.stuck = nil
		close(stuck)
	}
}

// pass waits for as long as the link is stuck.
func (k *link) pass() {
	k.mu.Lock()
	stuck := k.stuck
	k.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
}

// keep remembers a connection, unless the link is parted.
func (k *link) keep(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.parted {
		k.open[c] = true
	}
	return !k.parted
}

func (k *link) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", k.to)
	if err != nil {
		return
	}
	defer server.Close()
	if !k.keep(client) {
		return
	}
	defer func() {
		k.mu.Lock()
		delete(k.open, client)
		k.mu.Unlock()
	}()
	go func() {
		defer server.Close()
		question := make([]byte, 32<<10)
		for {
			n, err := client.Read(question)
			if err != nil {
				return
			}
			k.pass()
			if _, err := server.Write(question[:n]); err != nil {
				return
			}
		}
	}()
	answer := make([]byte, 32<<10)
	for {
		n, err := server.Read(answer)
		if err != nil {
			return
		}
		if k.cuts.Load() > 0 && committed(answer[:n]) && k.cuts.Add(-1) >= 0 {
			k.lost.Add(1)
			return
		}
		k.pass()
		if _, err := client.Write(answer[:n]); err != nil {
			return
		}
	}
}

// committed says whether an answer of PostgreSQL's tells of a commit: of a
// transaction's end, or of a change that was a transaction of its own
// (CommandComplete, and then ReadyForQuery outside of a transaction).
func committed(answer []byte) bool {
	return bytes.Contains(answer, []byte("COMMIT\x00")) ||
		bytes.Contains(answer, []byte("UPDATE 1\x00")) && bytes.HasSuffix(answer, []byte("Z\x00\x00\x00\x05I"))
}
