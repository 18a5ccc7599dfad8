package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestHello(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := hello(&out); err != nil {
		t.Fatal(err)
	}
	story := regexp.MustCompile(`(?s)^without a token\n  401 .*"code":"token_missing".*` +
		`\nwith a token\n  200 OK\n  hello, anna\n` +
		`the same token, its session ended\n  401 .*"code":"token_revoked".*$`)
	if !story.MatchString(out.String()) {
		t.Errorf("it says\n%s", out.String())
	}
}
