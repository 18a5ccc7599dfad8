package main

import (
	"log/slog"
	"strconv"
	"time"
)

// appendPlain appends the line that slog.JSONHandler makes of a record of a time
// and attributes that are plain: text of printable ASCII that needs no escapes,
// and numbers. Nearly every request's line is one, and they are most of the log;
// this costs a third of what slog does for any record. It reports false, and has
// appended what is to be dropped, where r is not plain.
func appendPlain(b []byte, r slog.Record) (line []byte, ok bool) {
	if r.Time.IsZero() {
		return b, false
	}
	ok = true
	text := func(s string) {
		ok = ok && plainText(s)
		b = append(append(append(b, '"'), s...), '"')
	}
	b = append(b, `{"time":"`...)
	b = r.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"`...)
	b = append(b, r.Level.String()...)
	b = append(b, `","msg":`...)
	text(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		b = append(b, ',')
		text(a.Key)
		b = append(b, ':')
		switch a.Value.Kind() {
		case slog.KindString:
			text(a.Value.String())
		case slog.KindInt64:
			b = strconv.AppendInt(b, a.Value.Int64(), 10)
		case slog.KindFloat64:
			f := a.Value.Float64()
			ok = ok && f >= 1e-6 && f < 1e21 // beyond, JSON has an exponent
			b = strconv.AppendFloat(b, f, 'f', -1, 64)
		default:
			ok = false
		}
		return ok
	})
	return append(b, "}\n"...), ok
}

func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
