#!/usr/bin/env bash
# Long campaigns, run by hand. Results are appended to docs/endurance.md.
#   KILLS     kill -9 under load (default 1000)
#   RACES     rounds in which clients race for one refresh token on three nodes (default 10000)
#   NODE_KILLS, POSTGRES_KILLS, REDIS_KILLS, CUTS
#             of three nodes under load: nodes killed (default 1000), PostgreSQL killed (100), Redis killed and
#             stopped (100), answers to commits lost (1000)
#   DISKS     times each disk is filled and made read-only (default 20)
#   REDIS_PRIMARIES  primaries of a Redis Cluster that are killed, and that hang (default 20 each)
#   FAILOVERS primaries that are killed, and their standbys promoted (default 20)
#   HANG      how long the database hangs under load (default 30s)
#   ROTATION  how long keys rotate under load (default 10m)
#   EFFECTS   times each revoking act is measured (default 100)
#   TIMINGS   refused log-ins of each kind whose times are compared (default 10000; 25 minutes)
#   SEALED    times each way to fail at decrypting is tried, whose times are compared (default 10000; 5 minutes)
#   DAMAGES   bytes of a database's log that are damaged (default 65536: each of its last 64 KiB), 16 for each other damage and power cut
#   SOAK      how long a server is asked for half of what it can, in each store (default 20m)
#   FLOOD     sessions, user names, addresses and the like that are made and never used (default 100000)
#   IDLE      connections that say nothing or dribble, beside which others are served (default: what ulimit -n allows, at most 100000)
#   SWEEP     sessions that are swept while others are refreshed (default 1000000)
#   FUZZTIME  for each fuzz target (default 5m; 0 leaves fuzzing out)
set -euo pipefail
cd "$(dirname "$0")/.."
KILLS=${KILLS:-1000} RACES=${RACES:-10000} NODE_KILLS=${NODE_KILLS:-1000} POSTGRES_KILLS=${POSTGRES_KILLS:-100} REDIS_KILLS=${REDIS_KILLS:-100} CUTS=${CUTS:-1000} DISKS=${DISKS:-20} FAILOVERS=${FAILOVERS:-20} REDIS_PRIMARIES=${REDIS_PRIMARIES:-20} HANG=${HANG:-30s}
EFFECTS=${EFFECTS:-100} TIMINGS=${TIMINGS:-10000} SEALED=${SEALED:-10000} ROTATION=${ROTATION:-10m} FUZZTIME=${FUZZTIME:-5m} SOAK=${SOAK:-20m} DAMAGES=${DAMAGES:-65536} SWEEP=${SWEEP:-1000000} FLOOD=${FLOOD:-100000} IDLE=${IDLE:-$(($(ulimit -Hn | sed s/unlimited/1000000/) * 9 / 20))}
IDLE=$((IDLE < 100000 ? IDLE : 100000))
log=$(mktemp)
trap 'rm -f "$log"' EXIT

row() { printf '| %s | %s | %s | %s |\n' "$(date -u +%F)" "$(git rev-parse --short HEAD)" "$1" "$2" >>docs/endurance.md; }

echo "== $KILLS kills under load"
(cd server && JOTSMITH_KILLS=$KILLS go test -count 1 -timeout 6h -v -run 'TestFLT01RFR06KillNine' ./e2e/) | tee "$log"
row "kill -9 under load" "$(sed -n 's/^ *kill_test.go:[0-9]*: //p' "$log")"

echo "== $RACES rounds of races for refresh tokens on three nodes, then with kills and partitions"
(cd server && JOTSMITH_RACES=$RACES go test -count 1 -timeout 6h -parallel 1 -v -run 'TestRFR01RacesAcrossNodes|TestRFR02RacesWithKillsAndPartitions' ./e2e/) | tee "$log"
row "refresh races on three nodes" "$(sed -n 's/^ *cluster_race_test.go:[0-9]*: //p' "$log" | paste -s -d ';')"

echo "== $NODE_KILLS nodes, $POSTGRES_KILLS times PostgreSQL and $REDIS_KILLS times Redis killed, PostgreSQL hung for $HANG, $CUTS answers to commits lost"
(cd server && JOTSMITH_NODE_KILLS=$NODE_KILLS JOTSMITH_POSTGRES_KILLS=$POSTGRES_KILLS JOTSMITH_REDIS_KILLS=$REDIS_KILLS JOTSMITH_HANG=$HANG JOTSMITH_CUTS=$CUTS \
	go test -count 1 -timeout 6h -parallel 1 -v -run 'TestFLT01RFR06KillsOnThreeNodes|TestFLT05PostgresHangs|TestFLT05RedisIsLost|TestRFR04CutAfterCommit' ./e2e/) | tee "$log"
row "faults on three nodes" "$(sed -n 's/^ *fault_test.go:[0-9]*: //p' "$log" | paste -s -d ';')"

echo "== disks full and read-only $DISKS times each, $FAILOVERS primaries lost, clocks off"
(cd server && JOTSMITH_DISKS=$DISKS JOTSMITH_FAILOVERS=$FAILOVERS \
	go test -count 1 -timeout 6h -parallel 1 -v -run 'TestFLT05DiskIsFullOrReadOnly|TestFLT05PrimaryIsLost|TestFLT05StandbyIsAway|TestFLT05ClockFiveMinutesOff|TestFLT07StandbyLagsBehind' ./e2e/) | tee "$log"
row "disks, primaries and clocks" "$(sed -n 's/^ *\(disk\|clock\)_linux[a-z0-9_]*_test.go:[0-9]*: //p; s/^ *standby_test.go:[0-9]*: \([0-9]* primaries\|a standby\)/\1/p' "$log" | paste -s -d ';')"

echo "== $REDIS_PRIMARIES primaries of a Redis Cluster killed, and as many hung"
(cd server && JOTSMITH_REDIS_PRIMARIES=$REDIS_PRIMARIES go test -count 1 -timeout 2h -v -run 'TestFLT05RedisPrimaryIsLost' ./internal/shared/) | tee "$log"
row "primaries of a Redis Cluster lost" "$(sed -n 's/^ *redis_cluster_test.go:[0-9]*: //p' "$log" | paste -s -d ';')"

echo "== revocation to refusal in another process"
(cd server && go test -count 1 -v -run 'TestRevocationReachesAnotherProcess' ./e2e/) | tee "$log"
row "revocation" "$(sed -n 's/^ *promises_test.go:[0-9]*: //p' "$log")"

echo "== time to effect of each revoking act"
(cd server && JOTSMITH_EFFECT_ROUNDS=$EFFECTS go test -count 1 -timeout 6h -v -run 'TestRFR10ADM07TimeToEffect' ./e2e/) | tee "$log"
row "time to effect, $EFFECTS times" "every bound held; docs/revocation.md has the table"

echo "== whether the time of a refused log-in tells anything"
(cd server && JOTSMITH_TIMING_PAIRS=$TIMINGS go test -count 1 -timeout 6h -v -run 'TestBRT03TimingTellsNothing' ./e2e/) | tee "$log"
row "timing of refused log-ins" "$(sed -n 's/^ *timing_test.go:[0-9]*: //p' "$log" | paste -s -d ';')"

echo "== whether the time of a failed decryption tells anything"
JOTSMITH_JWE_TIMING_PAIRS=$SEALED go test -count 1 -timeout 6h -v -run 'TestJWETimingTellsNothing' ./jwe/ | tee "$log"
row "timing of failed decryption" "$(sed -n 's/^ *timing_test.go:[0-9]*: //p' "$log" | paste -s -d ';')"

echo "== keys rotate under load for $ROTATION, and under kill -9"
(cd server && JOTSMITH_ROTATION=$ROTATION go test -count 1 -timeout 6h -v -run 'TestRotationUnderLoad|TestKillNineWhileKeysRotate' ./e2e/) | tee "$log"
row "key rotation under load" "$(sed -n 's/^ *rotation_test.go:[0-9]*: //p' "$log" | paste -s -d ';')"

echo "== half of what it can for $SOAK, in each store"
(cd server && JOTSMITH_SOAK=$SOAK go test -count 1 -timeout 6h -v -run '^TestFLT09Soak$' ./e2e/) | tee "$log"
row "soak" "$(sed -n 's/^ *soak_test.go:[0-9]*: //p' "$log" | paste -s -d ';')"

echo "== damaged files, and power cuts in the middle of commits ($DAMAGES)"
(cd server && JOTSMITH_DAMAGES=$DAMAGES go test -count 1 -timeout 12h -run 'TestFLT03Damaged|TestFLT04' ./internal/store/sqlite/)
row "$DAMAGES flipped bits in the log, $((DAMAGES / 16)) torn writes, damaged files and power cuts" "nothing that was answered was lost but behind the damage, nothing else was taken for it"

echo "== $FLOOD of each thing that is made and never used"
(cd server && JOTSMITH_FLOOD=$FLOOD go test -count 1 -timeout 2h -v -run 'TestDOS05MemoryIsFlat' ./internal/httpapi/) | tee "$log"
row "$FLOOD sessions, names, addresses, apps, paths and tokens" "memory is flat"

echo "== $IDLE idle and slow connections"
(cd server && JOTSMITH_IDLE=$IDLE go test -count 1 -timeout 1h -v -run 'TestDOS04SlowHeaders' ./cmd/jotsmith/) | tee "$log"
row "idle and slow connections" "$(sed -n 's/^ *flood_test.go:[0-9]*: //p' "$log")"

echo "== $SWEEP sessions swept"
(cd server && JOTSMITH_SWEEP=$SWEEP go test -count 1 -timeout 2h -v -run 'TestSweepGivesWay' ./internal/store/sqlite/) | tee "$log"
row "sweeping beside refreshes" "$(sed -n 's/^ *sweep_test.go:[0-9]*: //p' "$log" | paste -s -d ';')"

echo "== this version on the tables of a later one"
(cd server && JOTSMITH_UPGRADE=1 go test -count 1 -timeout 1h -run 'TestFLT07' ./internal/store/...)
row "two versions on one database" "passed"

echo "== the token core, the server and the command under the race detector"
CGO_ENABLED=1 go test -race -count 1 -shuffle=on -timeout 1h ./jwk ./jws ./jwt ./jwe
(cd server && CGO_ENABLED=1 go test -race -count 1 -shuffle=on -timeout 1h ./internal/... ./cmd/...)
(cd grpcguard && GOWORK=off CGO_ENABLED=1 go test -race -count 1 -shuffle=on ./...)
row "the token core, the server and the command under the race detector" "passed"

[ "$FUZZTIME" = 0 ] && exit 0
for module in . server bench; do
	[ "$module" = bench ] && export GOWORK=off # no part of the workspace
	for pkg in $(cd "$module" && go list -f '{{.Dir}}' ./...); do
		for target in $(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$pkg"/*_test.go 2>/dev/null | sed 's/^func //'); do
			echo "== $target ($FUZZTIME)"
			(cd "$pkg" && go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" .) | tee "$log"
			row "$target, $FUZZTIME" "$(sed -n 's/.*execs: \([0-9]*\).*/\1 executions, no failure/p' "$log" | tail -1)"
		done
	done
done
