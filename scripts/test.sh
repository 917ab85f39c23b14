#!/bin/bash
# Builds lull and runs its tests: scripts/test.sh [layers | build | sim | asan | tsan | e2e | fault | unit]...
# Without a name: all but unit.
#   layers   the rules of the house: scripts/check_layers.sh, its self-test, and scripts/format.sh --check
#   build    the programs, the benches and the simulation as released, with warnings as errors
#   sim      the simulation, on the release build
#   asan     unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan     unit tests of what has threads, under ThreadSanitizer
#   e2e      the programs against each other on loopback, on the release build
#   fault    kills, power cuts, full disks, failing calls, slow readers and broken networks: a slice of each (as root)
#   unit     the unit tests on the release build: quicker than asan, for everyday work
# The stages that compile for themselves (asan, tsan) run beside those that mostly wait (e2e, fault, sim, unit).
# The output of a stage then appears when the stage ends.
# LULL_BUILDS: where to build (default: build). LULL_E2E_KILLS: how often the kill tests kill (default: 2).
set -uo pipefail
cd "$(dirname "$0")/.."

builds=${LULL_BUILDS:-build}
stages=${*:-layers build asan tsan e2e fault sim}
work=$(mktemp -d)
lanes=()
trap 'rm -rf "$work"' EXIT
trap 'for lane in "${lanes[@]}"; do kill -- "-$lane"; done 2>/dev/null; exit 130' INT TERM
passed=0
failed=0
skipped=0
started=$SECONDS

first=() compiling=() waiting=()
for stage in $stages; do
    case $stage in
        layers | build) first+=("$stage") ;;
        asan | tsan) compiling+=("$stage") ;;
        sim | unit | e2e | fault) waiting+=("$stage") ;;
        *) sed -n 's/^# \{0,1\}//; 2,14p' "$0" >&2; exit 2 ;;
    esac
done

# Counts a step by its exit status.
step() {  # COMMAND...
    if "$@"; then passed=$((passed + 1)); else fault "$@"; fi
}

fault() {
    failed=$((failed + 1))
    echo "FAILED: $*"
    return 1
}

# Compilers give way to tests that run beside them and measure time.
build() {  # PRESET TARGET...
    local preset=$1
    shift
    cmake --preset "$preset" -B "$builds/$preset" --log-level=WARNING >/dev/null &&
        nice -n 10 cmake --build "$builds/$preset" --target "$@" -- --quiet
}

build_release() { build release lull-broker lull lull-node sim_tests sandbox_run bench/all; }

# Takes ctest's own counts.
run_tests() {  # PRESET OPTION...
    local preset=$1 report=$work/$stage.report all bad not_run
    shift
    ctest --test-dir "$builds/$preset" --output-on-failure --no-tests=error "$@" 2>&1 | tee "$report"
    read -r bad all < <(sed -nE 's/.*, ([0-9]+) tests? failed out of ([0-9]+).*/\1 \2/p' "$report")
    if [[ -z ${all:-} ]]; then
        fault "ctest $*"
    else
        not_run=$(grep -c '\*\*\*Skipped' "$report")
        passed=$((passed + all - bad - not_run))
        failed=$((failed + bad))
        skipped=$((skipped + not_run))
    fi
}

stage_layers() {
    step scripts/check_layers.sh
    step scripts/check_layers.sh --self-test
    step scripts/format.sh --check
}

stage_build() { step build_release; }

stage_sim() { { build_release || fault "build of release"; } && run_tests release --parallel 2 --label-regex sim; }

stage_unit() {
    { build release unit_tests || fault "build of release"; } && run_tests release --parallel 2 --label-regex unit
}

stage_asan() {
    build asan-ubsan unit_tests || fault "build of asan-ubsan" || return
    ASAN_OPTIONS=strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
        run_tests asan-ubsan --parallel 2 --label-regex unit
}

# A file of suppressions hides only what libzmq, which is not instrumented, seems to do.
stage_tsan() {
    build tsan thread_tests || fault "build of tsan" || return
    TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 suppressions=$PWD/tests/support/tsan.supp" \
        run_tests tsan --parallel 2 --tests-regex '^unit_(core|store|threads|node_threads)$'
}

stage_e2e() { { build_release || fault "build of release"; } && run_tests release --parallel 2 --label-regex e2e; }

# A test that this machine cannot run says SKIPPED; ctest counts it apart.
stage_fault() { { build release fault_tests || fault "build of release"; } && run_tests release --label-regex fault; }

# Runs a stage and leaves its counts and seconds for the closing lines.
run_stage() {  # STAGE
    local stage=$1 begun=$SECONDS
    passed=0 failed=0 skipped=0
    echo "=== $stage"
    "stage_$stage"
    echo "=== $stage: $((SECONDS - begun)) s"
    echo "$passed $failed $skipped $((SECONDS - begun))" >"$work/$stage.counts"
}

# Runs stages one after the other and prints what each wrote, as a whole, when the stage ends.
run_lane() {  # STAGE...
    local one
    for one in "$@"; do
        (run_stage "$one") >"$work/$one.log" 2>&1
        flock "$work" cat "$work/$one.log"
    done
}

run_lanes() {
    local lane
    set -m  # each lane is a process group, which a signal can end
    run_lane "${compiling[@]}" &
    lanes+=($!)
    run_lane "${waiting[@]}" &
    lanes+=($!)
    set +m
    for lane in "${lanes[@]}"; do wait "$lane"; done
}

# A stage that has left no counts was ended from outside.
add_up() {
    local one its_passed its_failed its_skipped seconds
    for one in $stages; do
        its_passed=0 its_failed=1 its_skipped=0 seconds="?"
        [[ ! -s $work/$one.counts ]] || read -r its_passed its_failed its_skipped seconds <"$work/$one.counts"
        passed=$((passed + its_passed)) failed=$((failed + its_failed)) skipped=$((skipped + its_skipped))
        printf '%-8s %5s s  %s passed, %s failed, %s skipped\n' \
            "$one" "$seconds" "$its_passed" "$its_failed" "$its_skipped"
    done
}

step scripts/install_dependencies.sh || exit 1
if [[ ${#compiling[@]} -gt 0 && ${#waiting[@]} -gt 0 ]]; then
    for one in "${first[@]}"; do (run_stage "$one"); done
    run_lanes
else
    for one in $stages; do (run_stage "$one"); done
fi
add_up
echo "$passed passed, $failed failed, $skipped skipped ($((SECONDS - started)) s)"
[[ $failed -eq 0 ]]
