#!/bin/sh
# Fuzzes what reads bytes from outside: scripts/fuzz.sh DURATION_SECONDS [TARGET]
# Each target runs for its share of the time (or TARGET for all of it). Ends with 1 at the first crash.
# LULL_FUZZ_BUILD: where to build (default build/fuzz).
set -eu

usage() {
    echo "usage: scripts/fuzz.sh DURATION_SECONDS [TARGET]   for example: scripts/fuzz.sh 300 fuzz_manifest" >&2
    exit 2
}

[ $# -ge 1 ] && [ $# -le 2 ] || usage
duration=$1
case $duration in '' | *[!0-9]*) usage ;; esac
all="fuzz_message fuzz_manifest fuzz_patch fuzz_delta fuzz_path fuzz_envelope fuzz_identity fuzz_orders"
targets=${2:-$all}
case " $all " in *" $targets "*) ;; *) echo "no target '$targets'; there are: $all" >&2; exit 2 ;; esac

cd "$(dirname "$0")/.."
build=${LULL_FUZZ_BUILD:-build/fuzz}
command -v clang++-14 >/dev/null || { echo "clang++-14 is missing; run: apt-get install clang-14" >&2; exit 2; }
cmake --preset fuzz -B "$build" -DLULL_TESTS=ON >/dev/null
cmake --build "$build" --target fuzz_all

build=$(cd "$build" && pwd)
work=$build/fuzzing
mkdir -p "$work/seeds" "$work/crashes"
"$build/tests/fuzz/write_seeds" "$work/seeds"

share=$((duration / $(echo "$targets" | wc -w)))
[ "$share" -ge 1 ] || share=1
for target in $targets; do
    corpus=$work/corpus/$target
    log=$work/$target.log
    mkdir -p "$corpus"
    echo "$target: $share s"
    if ! "$build/tests/fuzz/$target" -max_total_time="$share" -max_len=8192 -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$work/crashes/$target-" "$corpus" "$work/seeds/$target" \
        >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        echo "$target crashed; run it again with: $build/tests/fuzz/$target $work/crashes/$target-..." >&2
        exit 1
    fi
    grep -E "^(stat::number_of_executed_units|stat::average_exec_per_sec|stat::peak_rss_mb)|DONE" "$log" | sed 's/^/  /'
done
echo "no crash"
