#!/bin/bash
# Checks the rules of the house that the compiler does not:
#   - dependencies point down: core <- schema <- store <- {broker, publisher, subscriber}; the programs do not know each other;
#   - each third-party header has one home; a header that is in no list here has none yet;
#   - no 'using namespace' in headers.
# scripts/check_layers.sh [DIRECTORY]     prints FILE:LINE: what is wrong; ends with 1 if there is anything
# scripts/check_layers.sh --self-test     plants violations into a copy and fails unless each one is found
set -euo pipefail

declare -A below=(
    [core]="core"
    [schema]="core schema"
    [store]="core schema store"
    [broker]="core schema store broker"
    [publisher]="core schema store publisher"
    [subscriber]="core schema store subscriber"
)
rooms="core schema store broker publisher subscriber"

# Third-party header (a pattern) and the files that may include it (a pattern).
homes=(
    "zmq*            core/messaging.*"
    "openssl/*       core/crypto.*"
    "boost/*         core/command_line.*"
    "spdlog/*        core/log.*"
    "nlohmann/*      core/json.hpp"
    "date/*          core/schedule.cpp"
    "httplib.h       core/http.cpp"
    "fmt/*           core/*"
    "tl/*            core/result.hpp"
    "msgpack*        schema/codec.*"
    "lmdb.h          store/environment.*"
    "zstd*           store/compression.*"
    "divsufsort.h    store/suffix_array.*"
    "archive*        publisher/archive.*"
    "catch2/*        tests/*"
)
# Tests look into what we make as others would see it, so they may use these directly.
homes_of_tests="zmq* lmdb.h zstd* msgpack* openssl/* archive* fmt/* nlohmann/* date/*"

# The kernel's and the C library's headers; those of C++ have no dot in their name.
system_headers="sys/* linux/* arpa/* netinet/* net/* unistd.h fcntl.h poll.h pwd.h grp.h dirent.h signal.h stdlib.h termios.h
    dlfcn.h pthread.h sched.h pty.h ifaddrs.h netdb.h malloc.h"

matches() {  # NAME PATTERN...
    local name=$1 pattern
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2053
        [[ $name == $pattern ]] && return 0
    done
    return 1
}

sources() { find "${@}" \( -name '*.hpp' -o -name '*.cpp' \) -not -path '*/.*' 2>/dev/null | sort; }

# Sets `visible`: the rooms that a file may include from, which are those below its own. tests/unit/ROOM sees what ROOM sees.
find_visible() {  # FILE
    local room=${1%%/*}
    if [[ $1 == tests/unit/* ]]; then
        room=${1#tests/unit/}
        visible="${below[${room%%/*}]:-$rooms} tests"
    else
        visible=${below[$room]:-$rooms tests bench}
    fi
}

check_quoted() {  # FILE LINE HEADER
    local file=$1 line=$2 header=$3
    local room=${header%%/*} visible
    find_visible "$file"
    if [[ $header != */* ]]; then
        [[ $file == tests/* || $file == bench/* ]] && return
        echo "$file:$line: \"$header\" is included without its room; write \"room/$header\""
    elif [[ -n ${below[$room]:-} ]] && ! matches "$room" $visible; then
        echo "$file:$line: ${file%%/*} may not know $room (\"$header\")"
    elif [[ $room == tests && $file != tests/* && $file != bench/* ]]; then
        echo "$file:$line: ${file%%/*} may not know the tests (\"$header\")"
    fi
}

check_angled() {  # FILE LINE HEADER
    local file=$1 line=$2 header=$3 home
    [[ $header == *.* || $header == */* ]] || return 0
    set -f
    # shellcheck disable=SC2086
    if matches "$header" $system_headers; then set +f; return; fi
    # shellcheck disable=SC2086
    if [[ $file == tests/* || $file == bench/* ]] && matches "$header" $homes_of_tests; then set +f; return; fi
    set +f
    for home in "${homes[@]}"; do
        read -r pattern place <<<"$home"
        matches "$header" "$pattern" || continue
        matches "$file" "$place" || echo "$file:$line: <$header> may be included by $place only"
        return
    done
    echo "$file:$line: <$header> has no home yet; choose one and add it to scripts/check_layers.sh"
}

check_includes() {
    local file line text
    while IFS=: read -r file line text; do
        if [[ $text =~ \"([^\"]+)\" ]]; then
            check_quoted "$file" "$line" "${BASH_REMATCH[1]}"
        elif [[ $text =~ \<([^\>]+)\> ]]; then
            check_angled "$file" "$line" "${BASH_REMATCH[1]}"
        fi
    done < <(sources $rooms tests bench | xargs grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' || true)
}

check_linking() {
    local room library line
    for room in $rooms; do
        [[ -f $room/CMakeLists.txt ]] || continue
        while IFS=: read -r line library; do
            matches "${library#lull_}" flags ${below[$room]} || echo "$room/CMakeLists.txt:$line: $room may not be linked with $library"
        done < <(grep -noE '\blull_[a-z]+' "$room/CMakeLists.txt" || true)
    done
}

check_namespaces() {
    local headers
    headers=$(sources $rooms tests bench | grep '\.hpp$' || true)
    [[ -n $headers ]] || return 0
    # shellcheck disable=SC2086
    grep -nHE '^[[:space:]]*using[[:space:]]+namespace\b' $headers | sed -E 's/^([^:]+:[0-9]+):.*/\1: no "using namespace" in a header/' || true
}

check() {  # DIRECTORY
    local problems
    problems=$(cd "$1" && { check_includes; check_linking; check_namespaces; })
    [[ -z $problems ]] && return 0
    echo "$problems"
    return 1
}

# One violation, planted into the copy for as long as the check runs, has to be reported with the file and the reason.
plant() {  # FILE TEXT EXPECTED
    local file=$copy/$1 found
    mkdir -p "$(dirname "$file")"
    touch "$file"
    cp "$file" "$copy/before"
    printf '%s\n' "$2" >>"$file"
    found=$(check "$copy") && found=
    mv "$copy/before" "$file"
    [[ $found == *"$1:"*"$3"* ]] && return
    echo "self-test: '$2' in $1 is not reported (expected: $3; found: ${found:-nothing})" >&2
    missed=$((missed + 1))
}

self_test() {
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    # shellcheck disable=SC2086
    (cd "$root" && cp -r --parents $rooms tests bench "$copy")
    missed=0
    check "$copy" >&2 || missed=1
    plant core/log.cpp '#include "schema/ids.hpp"' "core may not know schema"
    plant schema/wire.cpp '  #  include "store/packs.hpp"' "schema may not know store"
    plant store/packs.cpp '#include "broker/broker.hpp"' "store may not know broker"
    plant broker/main.cpp '#include "subscriber/agent.hpp"' "broker may not know subscriber"
    plant publisher/main.cpp '#include "broker/broker.hpp"' "publisher may not know broker"
    plant subscriber/main.cpp '#include "publisher/builder.hpp"' "subscriber may not know publisher"
    plant tests/unit/core/log_test.cpp '#include "broker/broker.hpp"' "may not know broker"
    plant broker/main.cpp '#include "tests/support/temporary_directory.hpp"' "may not know the tests"
    plant broker/main.cpp '#include <zmq.h>' "core/messaging.* only"
    plant core/log.hpp '#include <nlohmann/json.hpp>' "core/json.hpp only"
    plant publisher/new_room/new.cpp '#include <lmdb.h>' "store/environment.* only"
    plant store/packs.cpp '#include <curl/curl.h>' "has no home yet"
    plant store/packs.cpp '#include "packs.hpp"' "without its room"
    plant subscriber/CMakeLists.txt 'target_link_libraries(lull_subscriber PUBLIC lull_broker)' "may not be linked with lull_broker"
    plant core/units.hpp '    using namespace std;' "using namespace"
    [[ $missed -eq 0 ]]
}

root=$(cd "$(dirname "$0")/.." && pwd)
case ${1:-} in
    --self-test) self_test && echo "layers: each planted violation was found" ;;
    -*) echo "usage: scripts/check_layers.sh [--self-test | DIRECTORY]" >&2 && exit 2 ;;
    *) check "${1:-$root}" && echo "layers: all dependencies point down" ;;
esac
