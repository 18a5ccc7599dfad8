#!/usr/bin/env bash
# The library beside other libraries and the bare cryptography, then the server
# beside its floors. About ten minutes on a quiet machine of two cores.
#   ROUNDS  how often everything of the library is measured (default 11)
#   COUNT   runs of the server's benchmark (default 5)
#   ALL     set to run every package's own benchmarks too
# Writes bench/RESULTS.md and compares its ratios with bench/baseline.json, which
# is written anew where it is missing. Fails if a ratio got worse.
set -euo pipefail
cd "$(dirname "$0")/.."
samples=$(mktemp)
echo "== the library; samples for benchstat in $samples"
worse=0
(cd bench && GOWORK=off go run . -rounds "${ROUNDS:-11}" -out RESULTS.md -baseline baseline.json) >"$samples" || worse=$?
cat bench/RESULTS.md

echo "== the server"
(cd server && go test -run '^$' -bench 'Server$' -count "${COUNT:-5}" ./e2e/) | grep -vE '^(PASS|ok|\?)'
echo "== JWKS and client credentials beside their floors, in turn"
(cd server && go test -run '^$' -bench ServerInTurn -benchtime 10x ./e2e/) | grep -vE '^(PASS|ok|\?)'
echo "== log-ins beside the bare hash, and memory"
(cd server && go test -run '^$' -bench LogIns -benchtime 3x ./e2e/) | grep -vE '^(PASS|ok|\?)'
echo "== the stripped binary"
make --no-print-directory build && wc -c bin/jotsmith
if [ -n "${ALL:-}" ]; then
	for module in . server; do
		(cd "$module" && go test -run '^$' -bench . -benchmem -count "${COUNT:-5}" ./...) | grep -vE '^(PASS|ok|\?)'
	done
fi
exit "$worse"
