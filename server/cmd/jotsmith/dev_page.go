package main

import (
	"fmt"
	"strings"
	"time"
)

// A devStep is one thing to do by hand: what it shows, the status that it
// answers, and lines for any POSIX shell. Headings are comments, so that the
// whole page can be pasted at once; they have no quotes, since a shell that
// knows no comments when interactive would wait for the closing one.
type devStep struct {
	says   string
	status int
	code   string // of the problem, where it answers one
	lines  string
}

// devSteps take a token through its life. Each prints its status; answers with
// tokens are kept in R, tokens in A (access) and F (refresh).
func devSteps(r devReady) []devStep {
	ada, vic := r.Accounts[0], r.Accounts[1]
	fill := strings.NewReplacer(
		"AUTH", r.Issuer, "API", r.API,
		"ADA", `{"username":"`+ada.Username+`","password":"`+ada.Password+`"}`,
		"VIC", `{"username":"`+vic.Username+`","password":"`+vic.Password+`"}`,
		"JSON", `'Content-Type: application/json'`,
	).Replace
	return []devStep{
		{"Log in as ada, who may write", 200, "", fill(`
R=$(curl -sw '%{stderr}%{http_code}\n' AUTH/v1/login \
  -H JSON \
  -d 'ADA')
A=$(echo "$R" | sed 's/.*"access_token":"//; s/".*//')
F=$(echo "$R" | sed 's/.*"refresh_token":"//; s/".*//')`)},
		{"Write a task", 201, "", fill(`
curl -sw '%{http_code}\n' API/tasks \
  -H "Authorization: Bearer $A" \
  -H JSON -d '{"title":"see a token die"}'`)},
		{"Read the tasks", 200, "", fill(`
curl -sw '%{http_code}\n' API/tasks \
  -H "Authorization: Bearer $A"`)},
		{"Try to write as vic, who may only read", 403, "forbidden", fill(`
V=$(curl -s AUTH/v1/login \
  -H JSON \
  -d 'VIC' |
  sed 's/.*"access_token":"//; s/".*//')
curl -sw '%{http_code}\n' API/tasks \
  -H "Authorization: Bearer $V" \
  -H JSON -d '{"title":"not allowed"}'`)},
		{"Refresh: new tokens, the same session", 200, "", fill(`
R=$(curl -sw '%{stderr}%{http_code}\n' AUTH/v1/refresh \
  -H JSON \
  -d '{"refresh_token":"'$F'"}')`)},
		{"End the session", 204, "", fill(`
curl -sw '%{http_code}\n' -X POST AUTH/v1/logout \
  -H "Authorization: Bearer $A"`)},
		{"The first token again: it has not expired", 401, "token_revoked", fill(`
curl -sw '%{http_code}\n' API/tasks \
  -H "Authorization: Bearer $A"`)},
	}
}

// pageWidth is that of the narrowest common terminal.
const pageWidth = 80

func devPage(p palette, r devReady, took time.Duration) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("")
	line("  %s  %s", p.bold("Jotsmith"), p.dim(fmt.Sprintf("ready in %d ms · Ctrl-C to end", took.Milliseconds())))
	line("")
	line("  token server  %s", p.cyan(r.Issuer))
	line("  example API   %s  %s", p.cyan(r.API), p.dim("examples/tasks, behind a guard"))
	for _, a := range r.Accounts {
		line("  %-12s  password %s", a.Username+", "+strings.Join(a.Roles, " "), p.cyan(a.Password))
	}
	line("")
	line("  Paste into another terminal, step by step or all at once:")
	for i, s := range devSteps(r) {
		heading := fmt.Sprintf("# %d  %s", i+1, s.says)
		status := strings.TrimSpace(fmt.Sprint(s.status, " ", s.code))
		dots := strings.Repeat("·", max(0, pageWidth-len(heading)-len(status)-2))
		line("")
		line("%s %s %s", p.bold(heading), p.dim(dots), p.ofStatus(s.status, status))
		line("%s", strings.TrimSpace(s.lines))
	}
	line("")
	line("%s", p.dim(strings.Repeat("─", pageWidth)))
	line("%s", p.dim("Requests as they come, and how long a token took to verify (warm: seen before)."))
	return b.String()
}

// ofStatus colours text by the class of an HTTP status.
func (p palette) ofStatus(status int, text string) string {
	switch {
	case status >= 500:
		return p.bold(p.red(text))
	case status >= 400:
		return p.yellow(text)
	}
	return p.green(text)
}
