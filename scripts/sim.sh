#!/bin/bash
# Runs many seeds of the simulation, on all cores: scripts/sim.sh COUNT [FIRST [TEST]]
# TEST names the scenario (default: 'any mixture*'); tests/sim/README.md describes the scenarios.
# Prints the seeds that fail, each with the command that runs it again, and what was reached.
# LULL_BUILD: the build to test (default: build/release).
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ! ${1:-} =~ ^[0-9]+$ || ! ${2:-1} =~ ^[0-9]+$ ]]; then
    sed -n 's/^# \{0,1\}//; 2,5p' "$0" >&2
    exit 2
fi
count=$1
first=${2:-1}
name=${3:-any mixture*}
sim=${LULL_BUILD:-build/release}/tests/sim/sim
[[ -x $sim ]] || { echo "$sim is not built; run: scripts/test.sh build" >&2; exit 2; }

piece=250  # seeds a process: short enough that all cores have work to the end
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
started=$SECONDS
seq "$first" "$piece" $((first + count - 1)) | xargs -P "$(nproc)" -I{} bash -c '
    left=$(($4 - {}))
    seeds=$((left < $3 ? left : $3))
    LULL_SIM_FIRST={} LULL_SIM_SEEDS=$seeds LULL_SIM_COVERAGE=$2/reached-{} "$0" "$1" \
        >"$2/log-{}" 2>&1 || echo {} >>"$2/failed"
' "$sim" "$name" "$work" "$piece" $((first + count)) || true

if [[ -e $work/failed ]]; then
    while read -r begin; do grep -vE '^(Filters|=+|-+|)$' "$work/log-$begin"; done <"$work/failed"
fi
violations=$(cat "$work"/log-* | grep -c 'again: LULL_SIM_SEED' || true)
broken=$([[ -e $work/failed ]] && wc -l <"$work/failed" || echo 0)
sort -u "$work"/reached-* >"$work/reached"
kinds() { grep -c "^$1" "$work/reached"; }
echo "$count seeds from $first on: $violations violations in $broken pieces, $((SECONDS - started)) s;" \
    "$(kinds standing) distinct standings of a release, $(kinds step) steps," \
    "$(kinds decision) kinds of decisions of the broker"
[[ $broken -eq 0 ]]
