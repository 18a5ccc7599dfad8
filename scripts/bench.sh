#!/usr/bin/env bash
# Benchmarks of both modules. COUNT (default 10) runs of each.
set -euo pipefail
cd "$(dirname "$0")/.."
for module in . server; do
	(cd "$module" && go test -run '^$' -bench . -benchmem -count "${COUNT:-10}" ./...) | grep -vE '^(PASS|ok|\?)'
done
