#!/bin/bash
# Runs a campaign of faults on the programs of the release build: scripts/fault.sh NAME COUNT [OPTION]...
#   kill_at_call   SIGKILL before and after every call by which a program changes files
#   power_cut      the disk of a node or of the broker stops at any call or byte, and loses what is not durable
#   disk_full      a disk has room for so many blocks and no more
#   failing_call   each call that changes or opens files fails once
#   clock_jumps    the wall clock of node, broker or publisher jumps
#   broken_network cut, reset, forgotten, slow: in network namespaces
#   slow_readers   COUNT nodes that stop in the middle of a transfer
# tests/fault/README.md says what each does and how to replay one point; --help shows the options of one.
# LULL_BUILD: the build to test (default: build/release). TMPDIR: where the fleets live (default: /tmp).
set -euo pipefail
cd "$(dirname "$0")/.."

script=tests/fault/${1:-}.py
if [[ $# -lt 2 || ! -f $script ]]; then
    sed -n 's/^# \{0,1\}//; 2,12p' "$0" >&2
    exit 2
fi
shift
export PYTHONPATH=tests/e2e PYTHONDONTWRITEBYTECODE=1
exec python3 "$script" "$@"
