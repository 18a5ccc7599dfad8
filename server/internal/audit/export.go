package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// An export is a text of JSON lines: a first one that says where it begins, an
// entry each, and a last one that says where it ends, or that the log itself is
// not as it was written, so that a file which was cut off is told from a whole
// one.
type (
	first struct {
		Format string `json:"format"`
		After  string `json:"after"` // the head before the first entry
	}
	last struct {
		Head string `json:"head"`
	}
	broken struct {
		Fault Fault `json:"fault"`
	}
	line struct {
		Seq       uint64          `json:"seq"`
		ID        string          `json:"id"`
		At        string          `json:"at"`
		What      json.RawMessage `json:"what"`
		WhatSalt  string          `json:"what_salt"`
		Who       json.RawMessage `json:"who,omitempty"`
		WhoSalt   string          `json:"who_salt,omitempty"`
		WhoCommit string          `json:"who_commit,omitempty"` // where who was erased
		Link      string          `json:"link"`
	}
)

const (
	format   = "jotsmith-audit-1"
	exportAt = "2006-01-02T15:04:05.000000Z"
	maxLine  = 256 << 10
)

// ErrNoRecord says that an export cannot begin where it was asked to.
var ErrNoRecord = errors.New("there is no such record in the audit log")

// ErrFormat says that a text is no export at all.
var ErrFormat = errors.New("this is no export of an audit log")

// Export writes the entries after a number, at most so many; 0 is all. Each is
// checked first, and the writing ends with a *[Fault], in its last line and as
// its error, at one that is not as it was written. It answers what it wrote.
// ErrNoRecord.
func Export(ctx context.Context, log Log, w io.Writer, after, most uint64) (Result, error) {
	var v Result
	end, err := log.AuditHead(ctx)
	if err != nil {
		return v, fmt.Errorf("reading the audit log's head: %w", err)
	}
	if after > 0 {
		before, err := log.AuditAfter(ctx, after-1, 1)
		if err != nil {
			return v, fmt.Errorf("reading the audit log: %w", err)
		}
		if len(before) == 0 || before[0].Seq != after {
			return v, fmt.Errorf("%w: %d", ErrNoRecord, after)
		}
		v.Head = before[0].Head()
	}
	out := bufio.NewWriterSize(w, 64<<10)
	if err := write(out, first{format, v.Head.String()}); err != nil {
		return v, err
	}
	err = v.export(ctx, log, out, end, most)
	if f, ok := errors.AsType[*Fault](err); ok {
		return v, errors.Join(err, write(out, broken{*f}), out.Flush())
	}
	if err != nil {
		return v, err
	}
	if err := write(out, last{v.Head.String()}); err != nil {
		return v, err
	}
	return v, out.Flush()
}

// export checks and writes entries up to end.
func (v *Result) export(ctx context.Context, log Log, out io.Writer, end Head, most uint64) error {
	for v.Head.Seq < end.Seq {
		want := min(pageSize, end.Seq-v.Head.Seq)
		if most > 0 {
			if v.Records == most {
				return nil // the rest is for who goes on from here
			}
			want = min(want, most-v.Records)
		}
		page, err := log.AuditAfter(ctx, v.Head.Seq, int(want))
		if err != nil {
			return fmt.Errorf("reading the audit log after record %d: %w", v.Head.Seq, err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if err := v.add(e); err != nil {
				return err
			}
			if err := write(out, newLine(e)); err != nil {
				return fmt.Errorf("exporting record %d: %w", e.Seq, err)
			}
		}
	}
	return v.finish(end)
}

// Join writes exports that follow on each other as the one that they are parts
// of. next answers the export of at most so many entries after a number; one of
// fewer is the last. It verifies nothing: see [VerifyExport].
func Join(w io.Writer, after, most uint64, next func(after uint64) (io.ReadCloser, error)) error {
	for begun := false; ; begun = true {
		part, err := next(after)
		if err != nil {
			return err
		}
		head, whole, err := join(w, bufio.NewReaderSize(part, 16<<10), begun, most)
		part.Close()
		if err != nil || whole {
			return err
		}
		after = head.Seq
	}
}

// join writes one part, without its first line where another has begun and
// without its last where another may follow.
func join(w io.Writer, in *bufio.Reader, begun bool, most uint64) (at Head, whole bool, err error) {
	for n := uint64(0); ; n++ { // n entries and the first line have been read
		text, err := readLine(in)
		switch {
		case err == io.EOF:
			return at, false, fmt.Errorf("a part of the export ends without a last line: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return at, false, fmt.Errorf("reading a part of the export: %w", err)
		case n == 0 && begun:
			continue
		case n == most+1 && bytes.HasPrefix(text, []byte(`{"head":`)):
			var l last
			if err := parse(text, &l); err != nil {
				return at, false, fmt.Errorf("the last line of a part of the export: %w", err)
			}
			at, err = ParseHead(l.Head)
			return at, false, err
		}
		if _, err := w.Write(text); err != nil {
			return at, false, err
		}
		if bytes.HasPrefix(text, []byte(`{"head":`)) || bytes.HasPrefix(text, []byte(`{"fault":`)) {
			return at, true, nil
		}
	}
}

// encode writes v the only way that is read again.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

func write(w io.Writer, v any) error {
	b, err := encode(v)
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

func newLine(e Entry) line {
	b64 := base64.RawURLEncoding.EncodeToString
	l := line{
		Seq: e.Seq, ID: e.ID, At: e.At.UTC().Format(exportAt),
		What: e.What, WhatSalt: b64(e.WhatSalt), Who: e.Who, WhoSalt: b64(e.WhoSalt), Link: e.Link.String(),
	}
	if e.Erased() {
		l.WhoCommit = e.WhoCommit.String()
	}
	return l
}

func (l line) entry() (Entry, error) {
	at, err := time.Parse(exportAt, l.At)
	if err != nil {
		return Entry{}, fmt.Errorf("malformed time %.40q", l.At)
	}
	e := Entry{Seq: l.Seq, Record: Record{ID: l.ID, At: at, What: l.What, WhatSalt: make([]byte, saltSize)}}
	faults := []error{parseBytes(e.WhatSalt, l.WhatSalt), parseBytes(e.Link[:], l.Link)}
	if l.WhoCommit != "" {
		faults = append(faults, parseBytes(e.WhoCommit[:], l.WhoCommit))
	} else {
		e.Who, e.WhoSalt = l.Who, make([]byte, saltSize)
		faults = append(faults, parseBytes(e.WhoSalt, l.WhoSalt))
	}
	return e, errors.Join(faults...)
}

// parse reads one line, in the spelling of encode only: unknown members, ones
// that come twice and other letters' cases are not in what encode makes of it.
func parse(text []byte, v any) error {
	if err := json.Unmarshal(text, v); err != nil {
		return errors.New("it is malformed")
	}
	return spelt(text, v)
}

func parseEntry(text []byte) (Entry, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return Entry{}, errors.New("it is malformed")
	}
	e, err := l.entry()
	if err != nil {
		return Entry{}, err
	}
	return e, spelt(text, newLine(e))
}

func spelt(text []byte, v any) error {
	if b, err := encode(v); err != nil || !bytes.Equal(b, text) {
		return errors.New("it is not spelt as an export spells it")
	}
	return nil
}

// VerifyExport is [Verify] for what [Export] wrote. [ErrFormat] where it is
// something else.
func VerifyExport(r io.Reader, known Head, progress func(done, all uint64)) (Result, error) {
	v := Result{known: known}
	in := bufio.NewReaderSize(r, 16<<10)
	text, err := readLine(in)
	var f first
	if err != nil && len(text) == 0 && err != io.EOF {
		return v, fmt.Errorf("reading the export: %w", err)
	}
	if err != nil || parse(text, &f) != nil || f.Format != format {
		return v, ErrFormat
	}
	if v.Head, err = ParseHead(f.After); err != nil {
		return v, ErrFormat
	}
	if known.Seq > 0 && known.Seq <= v.Head.Seq && known != v.Head {
		if known.Seq < v.Head.Seq {
			return v, fmt.Errorf("the export begins after record %d, so it cannot be checked against record %d", v.Head.Seq, known.Seq)
		}
		return v, &Fault{Seq: known.Seq, Why: "the head that was noted is another than the export begins with"}
	}
	for {
		text, err := readLine(in)
		bad := &Fault{Seq: v.Head.Seq + 1}
		switch {
		case err == io.EOF:
			bad.Torn, bad.Why = true, "the file has no last line; it was cut off, or its end was lost"
			return v, bad
		case err == bufio.ErrBufferFull:
			bad.Why = fmt.Sprintf("its line is longer than %d bytes", maxLine)
			return v, bad
		case err != nil:
			return v, fmt.Errorf("reading the export: %w", err)
		}
		switch {
		case bytes.HasPrefix(text, []byte(`{"head":`)):
			return v, v.end(text, in)
		case bytes.HasPrefix(text, []byte(`{"fault":`)):
			var l broken
			if err := parse(text, &l); err != nil {
				bad.Why = err.Error()
				return v, bad
			}
			return v, &l.Fault
		}
		e, err := parseEntry(text)
		if err != nil {
			bad.Why = err.Error()
			return v, bad
		}
		if err := v.add(e); err != nil {
			return v, err
		}
		if progress != nil && v.Records%pageSize == 0 {
			progress(v.Head.Seq, 0)
		}
	}
}

// readLine reads a line with its end. bufio.ErrBufferFull says that it is
// longer than maxLine.
func readLine(in *bufio.Reader) ([]byte, error) {
	text, err := in.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return text, err
	}
	long := bytes.Clone(text)
	for err == bufio.ErrBufferFull && len(long) <= maxLine {
		text, err = in.ReadSlice('\n')
		long = append(long, text...)
	}
	return long, err
}

// end checks an export's last line.
func (v *Result) end(text []byte, in *bufio.Reader) error {
	bad := &Fault{Seq: v.Head.Seq + 1}
	var l last
	if err := parse(text, &l); err != nil {
		bad.Why = err.Error()
		return bad
	}
	head, err := ParseHead(l.Head)
	if err != nil {
		bad.Why = err.Error()
		return bad
	}
	if _, err := in.ReadByte(); err != io.EOF {
		bad.Why = "something follows on the last line"
		return bad
	}
	return v.finish(head)
}
