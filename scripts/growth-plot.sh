#!/usr/bin/env bash
# Draws docs/img/growth-sqlite.svg and growth-postgresql.svg from the table that
# the test TestGrowth writes: growth-plot.sh TABLE DIRECTORY
set -euo pipefail
table=$1 dir=$2
for store in SQLite PostgreSQL; do
	file=$dir/growth-$(tr '[:upper:]' '[:lower:]' <<<"$store").svg
	# One block of "sessions ms" for each operation, in the order of the table.
	data=$(awk -F'\t' -v store="$store" '$1 == store && $2 != "start to ready" {
		if (!($2 in seen)) { seen[$2] = ++n; name[n] = $2 }
		lines[$2] = lines[$2] $3 " " ($4 + $5) "\n"
	} END { for (i = 1; i <= n; i++) printf "\"%s\"\n%s\n\n", name[i], lines[name[i]] }' "$table")
	[ -n "$data" ] || continue
	blocks=$(grep -c '^"' <<<"$data")
	what="server"
	[ "$store" = SQLite ] || what="server and database"
	gnuplot <<GNUPLOT
set terminal svg size 860,520 dynamic font "sans-serif,14" background rgb "white"
set output "$file"
\$growth << EOD
$data
EOD
set title "CPU time for each answer, by the number of sessions: $store"
set xlabel "sessions in the store"
set ylabel "milliseconds of CPU ($what)"
set logscale x
set xtics ("1,000" 1000, "10,000" 10000, "100,000" 100000, "1,000,000" 1000000)
set yrange [0:*]
set xrange [700:1400000]
set grid ytics linecolor rgb "#dddddd"
set border 3
set tics nomirror
set key outside right center Left reverse spacing 1.3 samplen 2 width -6
array colour[12] = [0x0072b2, 0x56b4e9, 0xd55e00, 0xe69f00, 0x009e73, 0x66c2a5, 0xcc79a7, 0x666666, 0x000000, 0x8c564b, 0x7f7f00, 0x999999]
plot for [i=0:$((blocks - 1))] \$growth index i using 1:2 with linespoints linewidth 2 pointtype 7 pointsize 0.5 linecolor rgb colour[i+1] title columnheader(1)
GNUPLOT
done
