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
// entry each, and a last one that says where it ends, so that a file which was
// cut off is told from a whole one.
type (
	first struct {
		Format string `json:"format"`
		After  string `json:"after"` // the head before the first entry
	}
	last struct {
		Head string `json:"head"`
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

// ErrFormat says that a text is no export at all.
var ErrFormat = errors.New("this is no export of an audit log")

// Export writes the entries after a number. Each is checked first, and the
// writing stops with a *[Fault] at one that is not as it was written, so that
// what has a last line is good. It answers what it wrote.
func Export(ctx context.Context, log Log, w io.Writer, after uint64, progress func(done, all uint64)) (Result, error) {
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
			return v, fmt.Errorf("there is no record %d in the audit log", after)
		}
		v.Head = before[0].Head()
	}
	out := bufio.NewWriterSize(w, 64<<10)
	if err := write(out, first{format, v.Head.String()}); err != nil {
		return v, err
	}
	for v.Head.Seq < end.Seq {
		page, err := log.AuditAfter(ctx, v.Head.Seq, int(min(pageSize, end.Seq-v.Head.Seq)))
		if err != nil {
			return v, fmt.Errorf("reading the audit log after record %d: %w", v.Head.Seq, err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if err := v.add(e); err != nil {
				return v, errors.Join(err, out.Flush())
			}
			if err := write(out, newLine(e)); err != nil {
				return v, fmt.Errorf("exporting record %d: %w", e.Seq, err)
			}
		}
		if progress != nil {
			progress(v.Head.Seq, end.Seq)
		}
	}
	if err := v.finish(end); err != nil {
		return v, errors.Join(err, out.Flush())
	}
	if err := write(out, last{v.Head.String()}); err != nil {
		return v, err
	}
	return v, out.Flush()
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
		if bytes.HasPrefix(text, []byte(`{"head":`)) {
			return v, v.end(text, in)
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
