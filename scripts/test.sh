#!/bin/bash
# Builds lull and runs its tests: scripts/test.sh [layers | build | sim | asan | tsan | e2e | fault | unit]...   (all but unit if none is named)
#   layers   the rules of the house: scripts/check_layers.sh, and that it finds planted violations
#   build    the programs, the benches and the simulation as released, with warnings as errors
#   sim      the simulation, on the release build
#   asan     unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan     unit tests of what has threads, under ThreadSanitizer
#   e2e      the programs against each other on loopback, on the release build
#   fault    kills, power cuts, full disks, failing calls, slow readers and broken networks: a slice of each (as root)
#   unit     the unit tests on the release build: quicker than asan, for everyday work
# LULL_BUILDS: where to build (default: build). LULL_E2E_KILLS: how often the kill tests kill (default: 2).
set -uo pipefail
cd "$(dirname "$0")/.."

builds=${LULL_BUILDS:-build}
stages=${*:-layers build sim asan tsan e2e fault}
report=$(mktemp)
trap 'rm -f "$report"' EXIT
passed=0
failed=0
skipped=0
started=$SECONDS

for stage in $stages; do
    case $stage in
        layers | build | sim | unit | asan | tsan | e2e | fault) ;;
        *) sed -n 's/^# \{0,1\}//; 2,12p' "$0" >&2; exit 2 ;;
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

build() {  # PRESET TARGET...
    local preset=$1
    shift
    cmake --preset "$preset" -B "$builds/$preset" --log-level=WARNING >/dev/null &&
        cmake --build "$builds/$preset" --target "$@" -- --quiet
}

build_release() { build release lull-broker lull lull-node sim_tests bench/all; }

# Takes ctest's own counts.
run_tests() {  # PRESET OPTION...
    local preset=$1 all bad not_run
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
}

stage_build() { step build_release; }

stage_sim() { { build_release || fault "build of release"; } && run_tests release --label-regex sim; }

stage_unit() { { build release unit_tests || fault "build of release"; } && run_tests release --parallel 2 --label-regex unit; }

stage_asan() {
    build asan-ubsan unit_tests || fault "build of asan-ubsan" || return
    ASAN_OPTIONS=strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 run_tests asan-ubsan --parallel 2 --label-regex unit
}

# A file of suppressions hides only what libzmq, which is not instrumented, seems to do.
stage_tsan() {
    local tests=(unit_core unit_store)
    build tsan "${tests[@]}" || fault "build of tsan" || return
    TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 suppressions=$PWD/tests/support/tsan.supp" \
        run_tests tsan --parallel 2 --tests-regex "^($(IFS='|'; echo "${tests[*]}"))\$"
}

stage_e2e() { { build_release || fault "build of release"; } && run_tests release --parallel 2 --label-regex e2e; }

# A test that this machine cannot run says SKIPPED; ctest counts it apart.
stage_fault() { { build release fault_tests || fault "build of release"; } && run_tests release --label-regex fault; }

step scripts/install_dependencies.sh || exit 1
for stage in $stages; do
    echo "=== $stage"
    begun=$SECONDS
    "stage_$stage"
    echo "=== $stage: $((SECONDS - begun)) s"
done
echo "$passed passed, $failed failed, $skipped skipped ($((SECONDS - started)) s)"
[[ $failed -eq 0 ]]
