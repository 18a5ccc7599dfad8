package main

import (
	"io"
	"log/slog"
)

// logFlags say what is logged, and how.
type logFlags struct {
	Log      string `enum:"json,text,auto" default:"auto" env:"JOTSMITH_LOG" placeholder:"FORMAT" help:"Format of the log on standard error: json or text; by default text on a terminal and json elsewhere."`
	LogLevel string `enum:"debug,info,warn,error" default:"info" env:"JOTSMITH_LOG_LEVEL" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error (${default})."`
}

// newLog answers a log, its level, which can be changed, and what writes the
// last of its lines.
func (f logFlags) newLog(w io.Writer) (log *slog.Logger, level *slog.LevelVar, flush func()) {
	level = new(slog.LevelVar)
	level.Set(f.level())
	options := &slog.HandlerOptions{Level: level}
	buffer := &lineBuffer{w: w}
	var lines slog.Handler = slog.NewTextHandler(buffer, options)
	json := f.Log == "json" || f.Log == "auto" && !isTerminal(w)
	if json {
		lines = slog.NewJSONHandler(buffer, options)
	}
	return slog.New(promptHandler{lines, buffer, json}), level, buffer.flush
}

func (f logFlags) level() (l slog.Level) {
	_ = l.UnmarshalText([]byte(f.LogLevel)) // one of four words
	return l
}
