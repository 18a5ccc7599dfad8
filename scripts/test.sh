#!/usr/bin/env bash
# Runs every test of Jotsmith. Installs what it needs when that is missing,
# and says what to install where it may not.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s (%ds)\n' "$*" "$SECONDS"; }

# As the released binary is built, which is tested from end to end: what vet,
# the analysis, the tests and that binary share is compiled once.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

install() { # install PACKAGE...: Debian packages, where that may be done
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return
	say "installing $*"
	apt-get install -y -q "$@" >/dev/null || { apt-get update -q >/dev/null && apt-get install -y -q "$@" >/dev/null; }
}

need() { # need COMMAND PACKAGE: a program, and the Debian package that has it
	command -v "$1" >/dev/null || install "$2" || {
		printf 'the tests need %s: install the package %s, then run make test again\n' "$1" "$2" >&2
		exit 1
	}
}

want() { # want "PACKAGE..." COMMAND...: packages without which COMMAND fails and some tests are skipped
	local packages=$1
	shift
	# shellcheck disable=SC2086 # several packages are several words
	"$@" >/dev/null 2>&1 || install $packages || {
		printf 'left out: tests against libraries of other languages; they need the packages %s\n' "$packages" >&2
		[ "${CI:-}" != true ] || exit 1
	}
}

command -v go >/dev/null || { echo "the tests need Go 1.26 or newer: https://go.dev/dl/" >&2; exit 1; }
need git git
need curl curl
need openssl openssl
need gcc gcc # the race detector

# Many nodes share one; Debian keeps its programs out of the path.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || install postgresql || {
	printf 'left out: tests on PostgreSQL; they need the package postgresql\n' >&2
	[ "${CI:-}" != true ] || exit 1
}

# What tokens and keys are exchanged with, in the end-to-end tests.
want "python3-jwt python3-cryptography" /usr/bin/python3 -c 'import jwt, cryptography'
want jose command -v jose
want python3-jwcrypto /usr/bin/python3 -c 'import jwcrypto'
want python3-flask /usr/bin/python3 -c 'import flask'
want "python3-requests python3-httpx python3-pytest python3-mypy python3-flake8 python3-types-requests" \
	/usr/bin/python3 -c 'import requests, httpx, pytest, mypy, flake8'
want nginx command -v nginx
want haproxy command -v haproxy
want "ruby ruby-jwt" ruby -e 'require "jwt"'
want "nodejs npm" command -v npm
want chromium command -v chromium # log-ins by cookie are tested in it
want redis-server command -v redis-server # where many nodes count together
want e2fsprogs test -x /usr/sbin/mkfs.ext4 # disks that are filled and broken
for packages in clients/js server/e2e/interop server/e2e/browser examples/express examples/react; do
	command -v npm >/dev/null && ! cmp -s $packages/package-lock.json $packages/node_modules/.installed || continue
	say "installing npm packages ($packages)"
	if npm ci --prefix $packages --ignore-scripts --no-audit --no-fund --loglevel=error; then
		cp $packages/package-lock.json $packages/node_modules/.installed
	else
		printf 'left out: tests against npm packages; they need npm ci in %s\n' "$packages" >&2
		[ "${CI:-}" != true ] || exit 1
	fi
done

# Built before the examples that use it are run.
if [ -e clients/js/node_modules/.installed ]; then
	say "JavaScript client"
	npm run check --prefix clients/js
fi

scripts/check.sh

# Mangling every byte takes ten times as long under the race detector: here it
# sees what the token core does at once, and all of it in make endure.
# Vet has seen everything in check.sh.
core="./jwk ./jws ./jwt ./jwe"
say "token core"
# shellcheck disable=SC2086 # several packages
go test -vet=off -shuffle=on -timeout 10m $core
CGO_ENABLED=1 go test -vet=off -race -shuffle=on -timeout 10m -run 'Concurrently|OfManyIssuers' ./jws ./jwt

say "library"
# shellcheck disable=SC2046 # several packages
CGO_ENABLED=1 go test -vet=off -race -shuffle=on -timeout 10m $(go list ./... | grep -vE '/jw[kste]$')

say "gRPC interceptors"
(cd grpcguard && GOWORK=off go test -vet=off -shuffle=on -timeout 10m ./...)

say "Python client"
scripts/test-python.sh

# Where many do something at once, and no SQLite has to be compiled anew, which
# takes minutes under the race detector: make endure does that for the others.
at_once="keyring|shared|status"
say "server, under the race detector"
# shellcheck disable=SC2046 # several packages
(cd server && CGO_ENABLED=1 go test -vet=off -race -shuffle=on -timeout 10m $(go list ./... | grep -E "/internal/($at_once)\$"))

# The promises are tested on the binary as users run it.
say "server, the command, and the built binary from end to end"
# shellcheck disable=SC2046 # several packages
(cd server && go test -vet=off -shuffle=on -timeout 10m -parallel 4 $(go list ./... | grep -vE "/internal/($at_once)\$"))

say "all tests passed"
