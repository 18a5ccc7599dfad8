#!/usr/bin/env bash
# Runs every test of Jotsmith. Installs what it needs when that is missing,
# and says what to install where it may not.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s (%ds)\n' "$*" "$SECONDS"; }

need() { # need COMMAND PACKAGE: a program, and the Debian package that has it
	command -v "$1" >/dev/null && return
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		say "installing $2"
		apt-get install -y -q "$2" >/dev/null || { apt-get update -q >/dev/null && apt-get install -y -q "$2" >/dev/null; }
	else
		printf 'the tests need %s: install the package %s, then run make test again\n' "$1" "$2" >&2
		exit 1
	fi
}

command -v go >/dev/null || { echo "the tests need Go 1.26 or newer: https://go.dev/dl/" >&2; exit 1; }
need git git
need curl curl
need gcc gcc # the race detector

scripts/check.sh

say "library"
CGO_ENABLED=1 go test -race -shuffle=on -timeout 10m ./...

say "server"
(cd server && CGO_ENABLED=1 go test -race -shuffle=on -timeout 10m ./cmd/... ./internal/...)

# The promises are tested on the binary as users run it, without the detector.
say "the built binary, end to end"
(cd server && go test -shuffle=on -timeout 10m -v ./e2e/ | grep -vE '^=== (RUN|PAUSE|CONT|NAME)')

say "all tests passed"
