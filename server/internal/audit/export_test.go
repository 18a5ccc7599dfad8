package audit_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

func export(t testing.TB, m *memory, after uint64) string {
	t.Helper()
	var b strings.Builder
	if _, err := audit.Export(t.Context(), m, &b, after, 0); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func verify(text string, known audit.Head) (audit.Result, *audit.Fault, error) {
	r, err := audit.VerifyExport(strings.NewReader(text), known, nil)
	f, _ := errors.AsType[*audit.Fault](err)
	return r, f, err
}

func TestExport(t *testing.T) {
	t.Parallel()
	m := filled(t, 1200)
	for _, after := range []uint64{0, 1, 700, 1199, 1200} {
		text := export(t, m, after)
		r, _, err := verify(text, audit.Head{})
		if err != nil || r.Records != 1200-after || r.Head != m.head || strings.Count(text, "\n") != int(1200-after)+2 {
			t.Errorf("after %d: %+v, %v", after, r, err)
		}
	}
	if text := export(t, &memory{}, 0); strings.Count(text, "\n") != 2 {
		t.Errorf("of nothing: %s", text)
	}
	if _, err := audit.Export(t.Context(), m, io.Discard, 1201, 0); err == nil {
		t.Error("after a record that is not there")
	}
}

func TestExportOfADamagedLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do  func(*memory)
		bad uint64
	}{
		"edited": {func(m *memory) { m.entries[6].ID = "evt_other" }, 7},
		"torn":   {func(m *memory) { m.entries = m.entries[:6] }, 7},
	} {
		m := filled(t, 12)
		c.do(m)
		var b bytes.Buffer
		_, err := audit.Export(t.Context(), m, &b, 0, 0)
		if f, ok := errors.AsType[*audit.Fault](err); !ok || f.Seq != c.bad {
			t.Errorf("%s: %v", name, err)
		}
		if r, f, _ := verify(b.String(), audit.Head{}); f == nil || f.Seq != c.bad || f.Torn != (name == "torn") || r.Records != c.bad-1 {
			t.Errorf("%s: what was written verifies as %+v, %v", name, r, f)
		}
	}
}

// Parts are the export that they are parts of, also where the log grows
// meanwhile.
func TestJoin(t *testing.T) {
	t.Parallel()
	for _, most := range []uint64{1, 5, 12, 13, 100} {
		m := filled(t, 12)
		var b strings.Builder
		asked := 0
		err := audit.Join(&b, 2, most, func(after uint64) (io.ReadCloser, error) {
			if asked++; asked <= 3 && most > 1 {
				if err := m.Record(t.Context(), example()); err != nil {
					return nil, err
				}
				if err := audit.Chain(t.Context(), m); err != nil {
					return nil, err
				}
			}
			var part bytes.Buffer
			_, err := audit.Export(t.Context(), m, &part, after, most)
			return io.NopCloser(&part), err
		})
		if err != nil {
			t.Fatal(err)
		}
		if r, _, err := verify(b.String(), m.head); err != nil || r.Records != uint64(len(m.entries)-2) || b.String() != export(t, m, 2) {
			t.Errorf("parts of %d: %+v, %v", most, r, err)
		}
	}
}

// What is wrong with any part, or with what lies between two, is found as if
// they were one export.
func TestADM06Join(t *testing.T) {
	t.Parallel()
	const most = 5
	for name, c := range map[string]struct {
		between func(*memory)                // after the first part was read
		part    func(n int, s string) string // what comes of the nth
		bad     uint64                       // 0: the joining fails
		torn    bool
	}{
		"edited between two parts":  {func(m *memory) { m.entries[7].ID = "evt_other" }, nil, 8, false},
		"the next is edited":        {func(m *memory) { m.entries[5].ID = "evt_other" }, nil, 6, false},
		"cut off between two parts": {func(m *memory) { m.entries = m.entries[:8] }, nil, 9, true},
		"a part is edited": {nil, func(_ int, s string) string {
			return strings.Replace(s, `"seq":8,"id":"`, `"seq":8,"id":"x`, 1)
		}, 8, false},
		"a part comes twice": {nil, func(n int, s string) string {
			if n == 1 {
				return strings.NewReplacer(`"seq":7,`, `"seq":2,`).Replace(s)
			}
			return s
		}, 7, false},
		"a part ends early":      {nil, func(_ int, s string) string { return s[:len(s)/2] }, 0, false},
		"a part has no end":      {nil, func(_ int, s string) string { return s[:strings.LastIndex(s, `{"head"`)] }, 0, false},
		"a part ends in no head": {nil, func(_ int, s string) string { return s[:strings.LastIndex(s, `{"head"`)] + `{"head":"x"}` + "\n" }, 0, false},
		"a part is empty":        {nil, func(int, string) string { return "" }, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := filled(t, 12)
			var b strings.Builder
			n := 0
			err := audit.Join(&b, 0, most, func(after uint64) (io.ReadCloser, error) {
				if n == 1 && c.between != nil {
					c.between(m)
				}
				var part bytes.Buffer
				if _, err := audit.Export(t.Context(), m, &part, after, most); err != nil && c.bad == 0 {
					return nil, err
				}
				text := part.String()
				if c.part != nil {
					text = c.part(n, text)
				}
				n++
				return io.NopCloser(strings.NewReader(text)), nil
			})
			if c.bad == 0 {
				if err == nil {
					t.Error("joined")
				}
				return
			}
			if _, f, verr := verify(b.String(), audit.Head{}); err != nil || f == nil || f.Seq != c.bad || f.Torn != c.torn {
				t.Errorf("%v, %v", err, verr)
			}
		})
	}
}

func TestADM06VerifyExport(t *testing.T) {
	t.Parallel()
	m := filled(t, 12)
	lines := strings.SplitAfter(export(t, m, 0), "\n")
	line := func(n int) string { return lines[n] }
	join := strings.Join
	for name, c := range map[string]struct {
		text string
		bad  uint64
		torn bool
	}{
		"one is left out":       {join(lines[:5], "") + join(lines[6:], ""), 5, false},
		"one comes twice":       {join(lines[:6], "") + join(lines[5:], ""), 6, false},
		"two change places":     {join(lines[:5], "") + line(6) + line(5) + join(lines[7:], ""), 5, false},
		"the first is left out": {line(0) + join(lines[2:], ""), 1, false},
		"edited":                {strings.Replace(join(lines, ""), "ses_5", "ses_x", 1), 5, false},
		"spaces":                {strings.Replace(join(lines, ""), `"seq":5,`, `"seq": 5,`, 1), 5, false},
		"another case":          {strings.Replace(join(lines, ""), `"seq":5,`, `"Seq":5,`, 1), 5, false},
		"a member twice":        {strings.Replace(join(lines, ""), `"seq":5,`, `"seq":4,"seq":5,`, 1), 5, false},
		"a member more":         {strings.Replace(join(lines, ""), `"seq":5,`, `"seq":5,"x":1,`, 1), 5, false},
		"a head that was":       {join(lines[:5], "") + `{"head":"` + m.entries[3].Head().String() + "\"}\n", 0, false}, // an earlier export
		"another head":          {join(lines[:5], "") + `{"head":"` + m.entries[4].Head().String() + "\"}\n", 5, true},
		"no last line":          {join(lines[:13], ""), 13, true},
		"no line's end":         {strings.TrimSuffix(join(lines, ""), "\n"), 13, true},
		"half a line":           {join(lines[:7], "") + line(7)[:40], 7, true},
		"something after it":    {join(lines, "") + "x", 13, false},
		"a line without an end": {join(lines[:7], "") + strings.Repeat("x", 1<<20), 7, false},
		"nothing but the first": {line(0), 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, f, err := verify(c.text, audit.Head{})
			switch {
			case c.bad == 0 && err != nil:
				t.Error(err)
			case c.bad > 0 && (f == nil || f.Seq != c.bad || f.Torn != c.torn):
				t.Errorf("%v, want record %d, torn %v", err, c.bad, c.torn)
			}
		})
	}
	for _, text := range []string{"", "\n", "{}\n", "x", `{"format":"jotsmith-audit-2","after":"0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}` + "\n", strings.Repeat("x", 1<<20)} {
		if _, _, err := verify(text, audit.Head{}); !errors.Is(err, audit.ErrFormat) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	text := export(t, m, 5)
	if _, _, err := verify(text, m.entries[7].Head()); err != nil {
		t.Errorf("a noted head: %v", err)
	}
	if _, f, err := verify(text, m.entries[2].Head()); err == nil || f != nil {
		t.Errorf("a noted head before it: %v", err)
	}
	for _, seq := range []int{5, 8, 12, 20} {
		if _, f, _ := verify(text, audit.Head{Seq: uint64(seq), Link: audit.Hash{1}}); f == nil {
			t.Errorf("a noted head %d that is another is taken", seq)
		}
	}
}

// FLT-03: a bit of each byte of an export is flipped, and it is cut off at many
// places. Everything is found, at the record where it is, and nothing panics.
func TestFLT03EachByteOfAnExport(t *testing.T) {
	t.Parallel()
	m := filled(t, 150)
	text := export(t, m, 0)
	if len(text) < 64<<10 {
		t.Fatalf("%d bytes", len(text))
	}
	lines := strings.SplitAfter(text, "\n")
	for n := 1; n < len(lines)-1; n++ {
		// Begun just before the line that is damaged, so that each look is short.
		before := audit.Head{}
		if n > 1 {
			before = m.entries[n-2].Head()
		}
		begin := `{"format":"jotsmith-audit-1","after":"` + before.String() + "\"}\n"
		rest := strings.Join(lines[n+1:], "")
		for i := range len(lines[n]) {
			line := []byte(lines[n])
			line[i] ^= 1 << (i % 8)
			_, err := audit.VerifyExport(io.MultiReader(strings.NewReader(begin), bytes.NewReader(line), strings.NewReader(rest)), audit.Head{}, nil)
			if f, ok := errors.AsType[*audit.Fault](err); !ok || f.Seq != uint64(n) && n < len(lines)-2 {
				t.Fatalf("byte %d of line %d: %v\n%s", i, n, err, line)
			}
			if i%8 > 0 {
				continue
			}
			_, err = audit.VerifyExport(io.MultiReader(strings.NewReader(begin), strings.NewReader(lines[n][:i])), audit.Head{}, nil)
			if f, ok := errors.AsType[*audit.Fault](err); !ok || f.Seq != uint64(n) || !f.Torn {
				t.Fatalf("line %d cut at %d: %v", n, i, err)
			}
		}
	}
}

func FuzzVerifyExport(f *testing.F) {
	m := filled(f, 3)
	text := export(f, m, 0)
	f.Add(text)
	f.Add(export(f, m, 2))
	f.Add(text[:len(text)/2])
	f.Add(strings.Replace(text, `"who":`, `"who_commit":`, 1))
	f.Fuzz(func(t *testing.T, text string) {
		r, err := audit.VerifyExport(strings.NewReader(text), audit.Head{}, nil)
		if err == nil && strings.Count(text, "\n") != int(r.Records)+2 {
			t.Errorf("%d records in %q", r.Records, text)
		}
	})
}
