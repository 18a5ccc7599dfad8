package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// A memory is an audit.Log in memory.
type memory struct {
	outbox  []audit.Record
	entries []audit.Entry
	head    audit.Head
}

func (m *memory) Record(_ context.Context, e audit.Event) error {
	r, err := e.Record(at)
	m.outbox = append(m.outbox, r)
	return err
}

func (m *memory) ChainAudit(_ context.Context, limit int) (int, error) {
	n := min(limit, len(m.outbox))
	for _, r := range m.outbox[:n] {
		e := m.head.Append(r)
		m.entries, m.head = append(m.entries, e), e.Head()
	}
	m.outbox = m.outbox[n:]
	return n, nil
}

func (m *memory) AuditHead(context.Context) (audit.Head, error) { return m.head, nil }

func (m *memory) AuditAfter(_ context.Context, seq uint64, limit int) (all []audit.Entry, _ error) {
	for _, e := range m.entries {
		if e.Seq > seq && len(all) < limit {
			all = append(all, e)
		}
	}
	return all, nil
}

func (m *memory) AuditBefore(_ context.Context, seq uint64, limit int) (all []audit.Entry, _ error) {
	for _, e := range slices.Backward(m.entries) {
		if (e.Seq < seq || seq == 0) && len(all) < limit {
			all = append(all, e)
		}
	}
	return all, nil
}

// filled answers a log of n records.
func filled(t testing.TB, n int) *memory {
	t.Helper()
	m := &memory{}
	for i := range n {
		e := example()
		e.Targets = map[string]string{"session": fmt.Sprintf("ses_%d", i+1), "account": fmt.Sprintf("acc_%d", i%3)}
		if err := m.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := audit.Chain(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLink makes one link by hand, as docs/audit.md says that anybody can.
func TestLink(t *testing.T) {
	t.Parallel()
	e := audit.Head{Seq: 6, Link: audit.Hash{1, 2, 3}}.Append(record(t, example()))
	var b bytes.Buffer
	b.Write(append([]byte{1, 2, 3}, make([]byte, 29)...))
	binary.Write(&b, binary.BigEndian, uint64(7))
	b.WriteByte(byte(len(e.ID)))
	b.WriteString(e.ID)
	binary.Write(&b, binary.BigEndian, e.At.UnixMicro())
	for _, part := range [][]byte{append(e.WhatSalt, e.What...), append(e.WhoSalt, e.Who...)} {
		h := sha256.Sum256(part)
		b.Write(h[:])
	}
	if e.Seq != 7 || e.Link != sha256.Sum256(b.Bytes()) {
		t.Errorf("entry %d has link %v", e.Seq, e.Link)
	}
}

func TestADM06Verify(t *testing.T) {
	t.Parallel()
	const n = 1200 // more than a page
	flip := func(b []byte) []byte { b = slices.Clone(b); b[len(b)/2] ^= 1; return b }
	for name, c := range map[string]struct {
		do   func(*memory)
		bad  uint64 // 0 is none
		torn bool
	}{
		"untouched": {func(*memory) {}, 0, false},
		"empty":     {func(m *memory) { *m = memory{} }, 0, false},

		"what is edited":      {func(m *memory) { m.entries[699].What = flip(m.entries[699].What) }, 700, false},
		"who is edited":       {func(m *memory) { m.entries[699].Who = flip(m.entries[699].Who) }, 700, false},
		"a salt is edited":    {func(m *memory) { m.entries[699].WhoSalt = flip(m.entries[699].WhoSalt) }, 700, false},
		"an id is edited":     {func(m *memory) { m.entries[699].ID += "x" }, 700, false},
		"a time is edited":    {func(m *memory) { m.entries[699].At = m.entries[699].At.Add(1000) }, 700, false},
		"a link is edited":    {func(m *memory) { m.entries[699].Link[5] ^= 1 }, 700, false},
		"the first is edited": {func(m *memory) { m.entries[0].What = flip(m.entries[0].What) }, 1, false},
		"the last is edited":  {func(m *memory) { m.entries[n-1].What = flip(m.entries[n-1].What) }, n, false},
		"an edit is linked anew": {func(m *memory) {
			e := &m.entries[699]
			e.What = flip(e.What)
			*e = m.entries[698].Head().Append(e.Record)
		}, 701, false},
		"a byte moves from a salt to what": {func(m *memory) {
			e := &m.entries[699]
			e.What, e.WhatSalt = append(e.WhatSalt[15:16:16], e.What...), e.WhatSalt[:15]
		}, 700, false},
		"what and who change places": {func(m *memory) {
			e := &m.entries[699]
			e.What, e.WhatSalt, e.Who, e.WhoSalt = e.Who, e.WhoSalt, e.What, e.WhatSalt
		}, 700, false},

		"one is deleted":          {func(m *memory) { m.entries = slices.Delete(m.entries, 699, 700) }, 700, false},
		"the first is deleted":    {func(m *memory) { m.entries = m.entries[1:] }, 1, false},
		"one is counted away":     {func(m *memory) { m.entries = slices.Delete(m.entries, 699, 700); m.entries[699].Seq = 700 }, 700, false},
		"one is put in":           {func(m *memory) { m.entries = slices.Insert(m.entries, 699, m.entries[3]); m.entries[699].Seq = 700 }, 700, false},
		"two change places":       {func(m *memory) { a, b := &m.entries[699], &m.entries[700]; *a, *b = *b, *a; a.Seq, b.Seq = 700, 701 }, 700, false},
		"all are deleted":         {func(m *memory) { m.entries = nil }, 1, true},
		"the tail is lost":        {func(m *memory) { m.entries = m.entries[:900] }, 901, true},
		"the last is lost":        {func(m *memory) { m.entries = m.entries[:n-1] }, n, true},
		"the head is lost":        {func(m *memory) { m.head = audit.Head{} }, 1, false},
		"the head is older":       {func(m *memory) { m.head = m.entries[899].Head() }, 901, false},
		"the head's link differs": {func(m *memory) { m.head.Link[0] ^= 1 }, n, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := filled(t, n)
			c.do(m)
			r, err := audit.Verify(t.Context(), m, audit.Head{}, nil)
			f, _ := errors.AsType[*audit.Fault](err)
			switch {
			case c.bad == 0 && (err != nil || r.Records != uint64(len(m.entries)) || r.Head != m.head):
				t.Errorf("%+v, %v", r, err)
			case c.bad > 0 && (f == nil || f.Seq != c.bad || f.Torn != c.torn):
				t.Errorf("%v, want record %d, torn %v", err, c.bad, c.torn)
			}
		})
	}
}

// Whoever makes all links anew is found by a head that was noted before.
func TestADM06NotedHead(t *testing.T) {
	t.Parallel()
	m := filled(t, 1200)
	noted := m.entries[699].Head()
	verify := func(known audit.Head) *audit.Fault {
		_, err := audit.Verify(t.Context(), m, known, nil)
		f, _ := errors.AsType[*audit.Fault](err)
		return f
	}
	if f := verify(noted); f != nil {
		t.Errorf("untouched: %v", f)
	}
	was := m.entries
	m.entries, m.head = nil, audit.Head{}
	for i, e := range was {
		if i == 300 {
			e.What = []byte(`{"act":"nothing"}`)
		}
		e = m.head.Append(e.Record)
		m.entries, m.head = append(m.entries, e), e.Head()
	}
	if f := verify(audit.Head{}); f != nil {
		t.Errorf("all links are made anew, which without a head cannot be found: %v", f)
	}
	if f := verify(noted); f == nil || f.Seq != 700 || f.Torn {
		t.Errorf("all links are made anew: %v", f)
	}
	m.entries, m.head = was[:400], was[399].Head()
	if f := verify(noted); f == nil || f.Seq != 401 || !f.Torn {
		t.Errorf("cut off with its head: %v", f)
	}
}

// Who acted can be erased without breaking the chain, and nothing be put in
// its place.
func TestErased(t *testing.T) {
	t.Parallel()
	m := filled(t, 10)
	e := &m.entries[4]
	e.WhoCommit = sha256.Sum256(append(slices.Clone(e.WhoSalt), e.Who...))
	who, salt := e.Who, e.WhoSalt
	e.Who, e.WhoSalt = nil, nil
	r, err := audit.Verify(t.Context(), m, audit.Head{}, nil)
	if err != nil || r.Erased != 1 || r.Records != 10 {
		t.Errorf("%+v, %v", r, err)
	}
	var b bytes.Buffer
	if _, err := audit.Export(t.Context(), m, &b, 0, 0); err != nil || bytes.Count(b.Bytes(), []byte("192.0.2.1")) != 9 {
		t.Errorf("%v\n%s", err, b.Bytes())
	}
	if r, err := audit.VerifyExport(&b, audit.Head{}, nil); err != nil || r.Erased != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if s := e.Show(); !s.Actor.Erased || s.Actor.Name != "" || s.Actor.ID != "acc_2" {
		t.Errorf("%+v", s)
	}
	e.Who, e.WhoSalt = bytes.ReplaceAll(who, []byte("ada"), []byte("eve")), salt
	if _, err := audit.Verify(t.Context(), m, audit.Head{}, nil); err == nil {
		t.Error("another name is taken")
	}
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	h := filled(t, 3).head
	if got, err := audit.ParseHead(h.String()); err != nil || got != h {
		t.Errorf("%v, %v", got, err)
	}
	s := h.String()
	for _, bad := range []string{"", ":", "3", "3:", s + "=", s + "A", s[:len(s)-1], " " + s, "0" + s, "+" + s, "-" + s, "99999999999999999999" + s[1:], s[1:], s + "\n"} {
		if got, err := audit.ParseHead(bad); err == nil {
			t.Errorf("%q was taken as %v", bad, got)
		}
	}
}

// A record that cannot be read does not hide the others.
func TestListMalformed(t *testing.T) {
	t.Parallel()
	m := filled(t, 3)
	m.entries[1].What = []byte("{")
	p, err := audit.List(t.Context(), m, audit.Query{Limit: 10})
	if err != nil || len(p.Shown) != 3 || p.Shown[1].Outcome != audit.Malformed || p.Shown[1].Seq != 2 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	m := filled(t, 1500)
	for name, c := range map[string]struct {
		q    audit.Query
		want []uint64
		next uint64
	}{
		"the newest":            {audit.Query{Limit: 3}, []uint64{1500, 1499, 1498}, 1498},
		"the next page":         {audit.Query{Limit: 3, Before: 1498}, []uint64{1497, 1496, 1495}, 1495},
		"the last page":         {audit.Query{Limit: 3, Before: 4}, []uint64{3, 2, 1}, 0},
		"a short page":          {audit.Query{Limit: 3, Before: 3}, []uint64{2, 1}, 0},
		"nothing before":        {audit.Query{Limit: 3, Before: 1}, nil, 0},
		"one target":            {audit.Query{Limit: 3, Filter: audit.Filter{Target: "ses_7"}}, []uint64{7}, 0},
		"a target of many":      {audit.Query{Limit: 2, Filter: audit.Filter{Target: "acc_1"}}, []uint64{1499, 1496}, 1496},
		"an act":                {audit.Query{Limit: 1, Filter: audit.Filter{Act: "session.end"}}, []uint64{1500}, 1500},
		"acts":                  {audit.Query{Limit: 1, Filter: audit.Filter{Act: "session."}}, []uint64{1500}, 1500},
		"no beginning":          {audit.Query{Limit: 1, Filter: audit.Filter{Act: "session"}}, nil, 0},
		"refused":               {audit.Query{Limit: 1, Filter: audit.Filter{Outcome: audit.Refused}}, []uint64{1500}, 1500},
		"ok":                    {audit.Query{Limit: 1, Filter: audit.Filter{Outcome: audit.OK}}, nil, 0},
		"an actor's name":       {audit.Query{Limit: 1, Filter: audit.Filter{Actor: "ada"}}, []uint64{1500}, 1500},
		"an actor's id":         {audit.Query{Limit: 1, Filter: audit.Filter{Actor: "acc_2"}}, []uint64{1500}, 1500},
		"an actor's kind":       {audit.Query{Limit: 1, Filter: audit.Filter{Actor: "account"}}, []uint64{1500}, 1500},
		"another actor":         {audit.Query{Limit: 1, Filter: audit.Filter{Actor: "eve"}}, nil, 0},
		"from its very time on": {audit.Query{Limit: 1, Filter: audit.Filter{Since: at.Truncate(1000)}}, []uint64{1500}, 1500},
		"from later on":         {audit.Query{Limit: 1, Filter: audit.Filter{Since: at.Add(1000)}}, nil, 0},
		"until then":            {audit.Query{Limit: 1, Filter: audit.Filter{Until: at.Truncate(1000)}}, nil, 0},
		"until later":           {audit.Query{Limit: 1, Filter: audit.Filter{Until: at.Add(1000)}}, []uint64{1500}, 1500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := audit.List(t.Context(), m, c.q)
			var got []uint64
			for _, s := range p.Shown {
				got = append(got, s.Seq)
			}
			if err != nil || !slices.Equal(got, c.want) || p.Next != c.next {
				t.Errorf("%v, next %d, %v; want %v, next %d", got, p.Next, err, c.want, c.next)
			}
		})
	}
}
