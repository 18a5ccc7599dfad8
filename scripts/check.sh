#!/usr/bin/env bash
# Formatting, vet and static analysis of all modules, and the tests of bench/,
# which is no part of the workspace and would rot unseen.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

say "gofmt"
unformatted=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
	printf 'not formatted; run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi

say "the library requires no module"
! grep -nE '^[[:space:]]*require' go.mod

say "go vet"
go vet ./... ./server/...

say "go vet, go test (bench)"
(cd bench && GOWORK=off go vet ./... && GOWORK=off go test -vet=off ./...)

say "go vet (grpcguard)"
(cd grpcguard && GOWORK=off go vet ./...)

# Pinned, so that a new release of the linter changes nothing by itself.
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
if ! command -v staticcheck >/dev/null && ! go install "$staticcheck" 2>/dev/null; then
	say "staticcheck: not installed, and it cannot be had here; left out"
	exit 0
fi
PATH="$PATH:$(go env GOPATH)/bin"
say "staticcheck"
staticcheck ./... ./server/...
for module in bench grpcguard; do
	(cd "$module" && GOWORK=off staticcheck ./...)
done
