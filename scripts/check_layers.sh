#!/bin/bash
# Checks the rules of the house that the compiler does not:
#   - dependencies point down: core <- schema <- store <- {broker, publisher, subscriber}, and no program knows another;
#   - inside a program each folder includes only the folders that the table names;
#   - decision code touches nothing of the world;
#   - each third-party header has one home; a header that is in no list here has none yet;
#   - no 'using namespace' in headers.
# scripts/check_layers.sh [DIRECTORY]     prints FILE:LINE: what is wrong; ends with 1 if there is anything
# scripts/check_layers.sh --self-test     plants violations into a copy and fails unless each one is found
set -euo pipefail

# What each folder may include besides itself; a folder that is not named here may not hold sources.
# `core`, `schema` and `store` stand for everything below them as well.
declare -A may_include=(
    [core]=""
    [schema]="core"
    [store]="core schema"

    [broker/model]="core schema store"
    [broker/log]="core schema store broker/model"
    [broker/fleet]="core schema store broker/model broker/log"
    [broker/publish]="core schema store broker/model broker/log broker/fleet"
    [broker/orders]="core schema store broker/model broker/log broker/fleet"
    [broker/rollout]="core schema store broker/model broker/log broker/fleet broker/orders"
    [broker/patches]="core schema store broker/model broker/log broker/fleet"
    [broker/delivery]="core schema store broker/model broker/log broker/fleet broker/delivery/governor"
    [broker/delivery/governor]="core schema store broker/model"
    [broker/calls]="core schema store broker/model broker/log broker/fleet"
    [broker/upkeep]="core schema store broker/model broker/log broker/fleet broker/publish broker/patches"
    [broker/state]="core schema store broker/model broker/log broker/fleet broker/orders broker/patches"
    [broker/queries]="core schema store broker/model broker/log broker/fleet broker/publish broker/orders
        broker/rollout broker/patches
        broker/delivery broker/calls broker/upkeep broker/state"
    [broker/objects]="core schema store broker/model broker/upkeep"
    [broker/net]="core schema store broker/model broker/fleet"
    [broker/data]="core schema store broker/model broker/log broker/fleet broker/orders broker/patches broker/upkeep
        broker/state"
    [broker/local_executor]="core schema store broker/fleet broker/data"
    [broker]="core schema store broker/*"
    [broker/cli]="core schema store broker broker/*"

    [subscriber/model]="core schema store"
    [subscriber/executor]="core schema store subscriber/model"
    [subscriber/caller]="core schema subscriber/executor"
    [subscriber/agent]="core schema store subscriber/model subscriber/journal subscriber/executor"
    [subscriber/journal]="core schema store subscriber/model subscriber/disk"
    [subscriber/disk]="core schema store subscriber/model"
    [subscriber/tree]="core schema store subscriber/model subscriber/disk"
    [subscriber/install]="core schema store subscriber/model subscriber/disk subscriber/tree subscriber/usage"
    [subscriber/proc]="core"
    [subscriber/usage]="core schema store subscriber/model subscriber/disk subscriber/proc"
    [subscriber/programs]="core schema store subscriber/model subscriber/disk subscriber/proc subscriber/tree"
    [subscriber/sandbox]="core subscriber/model subscriber/programs subscriber/tree"
    [subscriber/notify]="core schema store subscriber/model subscriber/proc subscriber/programs"
    [subscriber/run]="core schema store subscriber/model subscriber/disk subscriber/tree subscriber/usage"
    [subscriber/net]="core schema"
    [subscriber/daemon]="core schema store subscriber/model subscriber/agent subscriber/journal subscriber/disk
        subscriber/tree
        subscriber/install subscriber/proc subscriber/usage subscriber/programs subscriber/notify subscriber/net
        subscriber/executor subscriber/sandbox subscriber/caller"
    [subscriber/cli]="core schema store subscriber/*"

    [publisher/tree]="core schema store"
    [publisher/release]="core schema store publisher/tree"
    [publisher/client]="core schema store publisher/tree publisher/release"
    [publisher/watch]="core schema store"
    [publisher/watch/daemon]="core schema store publisher/tree publisher/release publisher/client publisher/watch"
    [publisher/cli]="core schema store publisher/*"
)
programs="broker publisher subscriber"
rooms="core schema store $programs"

# Decision code: it is told events and gives actions. It includes no headers of the kernel.
# Of core/ it includes nothing that touches files, sockets, processes or threads.
decides="broker/model broker/log broker/fleet broker/publish broker/orders broker/rollout broker/patches broker/delivery
    broker/delivery/governor broker/upkeep broker/state broker/queries subscriber/model subscriber/agent
    publisher/watch
    subscriber/executor subscriber/caller"
touches_the_world="core/files.hpp core/messaging.hpp core/event_loop.hpp core/workers.hpp core/http.hpp"

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
    "archive*        publisher/tree/archive.*"
    "zlib.h          publisher/tree/gzip_reader.*"
    "catch2/*        tests/*"
)
# Tests look into what we make as others would see it, so they may use these directly.
homes_of_tests="zmq* lmdb.h zstd* msgpack* openssl/* archive* fmt/* nlohmann/* date/*"

# The kernel's and the C library's headers; those of C++ have no dot in their name.
system_headers="sys/* linux/* arpa/* netinet/* net/* unistd.h fcntl.h poll.h pwd.h grp.h dirent.h signal.h stdlib.h
    spawn.h fnmatch.h termios.h dlfcn.h pthread.h sched.h pty.h ifaddrs.h netdb.h malloc.h"

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

# The folder of a file or header whose rules count: the longest one that stands in the table.
folder_of() {  # PATH
    folder=${1%/*}
    while [[ -z ${may_include[$folder]+known} && $folder == */* ]]; do folder=${folder%/*}; done
    [[ -n ${may_include[$folder]+known} ]] || folder=
}

# Sets `visible`: what a file may include from. tests/unit/FOLDER sees what the program of FOLDER sees.
# Other tests see everything.
find_visible() {  # FILE
    local program=${1#tests/unit/}
    program=${program%%/*}
    if [[ $1 == tests/unit/* && -d $program ]]; then
        case $program in
            broker | publisher | subscriber) visible="core schema store $program $program/* tests" ;;
            bench) visible="$rooms */* tests bench" ;;
            *) visible="$program ${may_include[$program]} tests" ;;
        esac
    elif [[ $1 == tests/* || $1 == bench/* ]]; then
        visible="$rooms */* tests bench"
    else
        folder_of "$1"
        visible="${folder:-nothing} ${may_include[$folder]:-}"
    fi
}

check_folders() {
    local file
    while read -r file; do
        [[ -n ${may_include[${file%/*}]+known} ]] ||
            echo "$file:1: ${file%/*} stands in no line of the table of folders in scripts/check_layers.sh"
    done < <(sources $programs)
}

check_quoted() {  # FILE LINE HEADER
    local file=$1 line=$2 header=$3 visible folder own
    set -f
    find_visible "$file"
    own=${file%/*}
    folder_of "$header"
    # shellcheck disable=SC2086
    if [[ $header != */* ]]; then
        [[ $file == tests/* || $file == bench/* ]] ||
            echo "$file:$line: \"$header\" is included without its folder; write \"folder/$header\""
    elif [[ -n $folder ]] && ! matches "$folder" $visible; then
        echo "$file:$line: $own may not know $folder (\"$header\")"
    elif [[ $header == tests/* && $file != tests/* && $file != bench/* ]]; then
        echo "$file:$line: $own may not know the tests (\"$header\")"
    elif [[ $file != tests/* ]] && matches "$own" $decides && matches "$header" $touches_the_world; then
        echo "$file:$line: $own decides and may not touch the world (\"$header\")"
    fi
    set +f
}

check_angled() {  # FILE LINE HEADER
    local file=$1 line=$2 header=$3 home
    [[ $header == *.* || $header == */* ]] || return 0
    set -f
    # shellcheck disable=SC2086
    if matches "$header" $system_headers; then
        matches "${file%/*}" $decides && echo "$file:$line: ${file%/*} decides and may not touch the world (<$header>)"
        set +f
        return
    fi
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
            # shellcheck disable=SC2086
            matches "${library#lull_}" flags "$room" ${may_include[$room]-core schema store} ||
                echo "$room/CMakeLists.txt:$line: $room may not be linked with $library"
        done < <(grep -noE '\blull_[a-z]+' "$room/CMakeLists.txt" || true)
    done
}

check_namespaces() {
    local headers
    headers=$(sources $rooms tests bench | grep '\.hpp$' || true)
    [[ -n $headers ]] || return 0
    # shellcheck disable=SC2086
    grep -nHE '^[[:space:]]*using[[:space:]]+namespace\b' $headers |
        sed -E 's/^([^:]+:[0-9]+):.*/\1: no "using namespace" in a header/' || true
}

check() {  # DIRECTORY
    local problems
    problems=$(cd "$1" && { check_folders; check_includes; check_linking; check_namespaces; })
    [[ -z $problems ]] && return 0
    echo "$problems"
    return 1
}

# Writes a violation into the copy and notes that it has to be reported, with the file and the reason.
plant() {  # FILE TEXT EXPECTED
    mkdir -p "$(dirname "$copy/$1")"
    printf '%s\n' "$2" >>"$copy/$1"
    planted+=("$1" "$2" "$3")
}

# Each planted violation has to be among the reports of one run.
expect_reports() {
    local found i file text reason
    found=$(check "$copy") && found=
    for ((i = 0; i < ${#planted[@]}; i += 3)); do
        file=${planted[i]} text=${planted[i + 1]} reason=${planted[i + 2]}
        grep -F -- "$reason" <<<"$found" | grep -qE "^$file:[0-9]+: " && continue
        echo "self-test: '$text' in $file is not reported (expected: $reason)" >&2
        missed=$((missed + 1))
    done
}

self_test() {
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    # shellcheck disable=SC2086
    (cd "$root" && cp -r --parents $rooms tests bench "$copy")
    missed=0 planted=()
    check "$copy" >&2 || missed=1
    plant core/log.cpp '#include "schema/ids.hpp"' "core may not know schema"
    plant schema/wire.cpp '  #  include "store/packs.hpp"' "schema may not know store"
    plant store/packs.cpp '#include "broker/broker.hpp"' "store may not know broker"
    plant broker/cli/main.cpp '#include "subscriber/agent/agent.hpp"' "broker/cli may not know subscriber/agent"
    plant publisher/cli/main.cpp '#include "broker/broker.hpp"' "publisher/cli may not know broker"
    plant subscriber/cli/main.cpp '#include "publisher/release/builder.hpp"' \
        "subscriber/cli may not know publisher/release"
    plant subscriber/model/phases.hpp '#include "subscriber/disk/layout.hpp"' \
        "subscriber/model may not know subscriber/disk"
    plant subscriber/agent/agent.cpp '#include "subscriber/install/stager.hpp"' \
        "subscriber/agent may not know subscriber/install"
    plant subscriber/usage/in_use.cpp '#include "subscriber/tree/tree_check.hpp"' \
        "subscriber/usage may not know subscriber/tree"
    plant subscriber/daemon/daemon.cpp '#include "subscriber/cli/commands.hpp"' \
        "subscriber/daemon may not know subscriber/cli"
    plant broker/log/release_log.cpp '#include "broker/fleet/peers.hpp"' "broker/log may not know broker/fleet"
    plant broker/delivery/governor/governor.hpp '#include "broker/delivery/sender.hpp"' \
        "broker/delivery/governor may not know broker/delivery"
    plant broker/queries/queries.cpp '#include "broker/net/connections.hpp"' "broker/queries may not know broker/net"
    plant publisher/tree/source.cpp '#include "publisher/client/publish_client.hpp"' \
        "publisher/tree may not know publisher/client"
    plant publisher/watch/watch_list.cpp '#include "publisher/client/query.hpp"' \
        "publisher/watch may not know publisher/client"
    plant publisher/watch/watch_list.cpp '#include <unistd.h>' "may not touch the world"
    plant subscriber/agent/agent.cpp '#include <unistd.h>' "may not touch the world"
    plant broker/rollout/rollout_steps.cpp '#include "core/files.hpp"' "may not touch the world"
    plant broker/new_room/new.cpp 'int planted;' "in no line of the table"
    plant tests/unit/core/log_test.cpp '#include "broker/broker.hpp"' "may not know broker"
    plant broker/cli/main.cpp '#include "tests/support/temporary_directory.hpp"' "may not know the tests"
    plant broker/cli/main.cpp '#include <zmq.h>' "core/messaging.* only"
    plant core/log.hpp '#include <nlohmann/json.hpp>' "core/json.hpp only"
    plant publisher/tree/source.cpp '#include <lmdb.h>' "store/environment.* only"
    plant store/packs.cpp '#include <curl/curl.h>' "has no home yet"
    plant store/packs.cpp '#include "packs.hpp"' "without its folder"
    plant subscriber/CMakeLists.txt 'target_link_libraries(lull_subscriber PUBLIC lull_broker)' \
        "may not be linked with lull_broker"
    plant core/units.hpp '    using namespace std;' "using namespace"
    expect_reports
    [[ $missed -eq 0 ]]
}

root=$(cd "$(dirname "$0")/.." && pwd)
case ${1:-} in
    --self-test) self_test && echo "layers: each planted violation was found" ;;
    -*) echo "usage: scripts/check_layers.sh [--self-test | DIRECTORY]" >&2 && exit 2 ;;
    *) check "${1:-$root}" && echo "layers: all dependencies point down" ;;
esac
