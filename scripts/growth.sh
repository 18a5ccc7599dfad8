#!/usr/bin/env bash
# What each operation costs with 10^3 to 10^6 sessions in the store, on SQLite
# and on PostgreSQL: plots in docs/img, figures in docs/img/growth.tsv. About a
# quarter of an hour on two cores. Needs gnuplot (gnuplot-nox) and PostgreSQL.
#   SIZES   numbers of sessions (default 1000,10000,100000,1000000)
#   ROUNDS  how often everything is measured; medians count (default 5)
set -euo pipefail
cd "$(dirname "$0")/.."
command -v gnuplot >/dev/null || { echo "install gnuplot-nox first" >&2; exit 1; }
mkdir -p docs/img
table=$PWD/docs/img/growth.tsv
(cd server && JOTSMITH_GROWTH=${SIZES:-1000,10000,100000,1000000} JOTSMITH_GROWTH_ROUNDS=${ROUNDS:-5} JOTSMITH_GROWTH_OUT=$table \
	go test -count 1 -timeout 2h -v -run '^TestGrowth$' ./e2e/)
scripts/growth-plot.sh "$table" docs/img
