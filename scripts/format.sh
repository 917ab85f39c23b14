#!/bin/bash
# Formats the C++ files with clang-format 14: scripts/format.sh [--check]
#   --check   changes nothing; prints what clang-format would change, and lines of more than 120 columns
# Only C++ is formatted automatically; long lines of Python and shell scripts are to be broken by hand.
# Lines between `// clang-format off` and `on` may be longer. Ends with 1 if something is left to do.
set -euo pipefail
cd "$(dirname "$0")/.."

# The files of the repository, those that are not committed yet included.
files() {  # PATTERN...
    local file
    while read -r file; do
        [[ ! -f $file ]] || echo "$file"
    done < <(git ls-files --cached --others --exclude-standard -- "$@")
}

format() { files '*.cpp' '*.hpp' | xargs -n 32 -P "$(nproc)" clang-format-14 "$@"; }

check_format() {
    format --dry-run --Werror 2>&1 |
        sed -nE 's/^([^:]+):[0-9]+:[0-9]+: error: .*/\1: is not formatted; run: scripts\/format.sh/p' | sort -u
}

check_lines() {
    files '*.cpp' '*.hpp' '*.py' '*.sh' '.ci/run' | python3 -c '
import sys
for name in sys.stdin.read().split("\n")[:-1]:
    free = False
    for number, line in enumerate(open(name, encoding="utf-8"), 1):
        if "// clang-format off" in line: free = True
        if "// clang-format on" in line: free = False
        width = len(line.rstrip("\n"))
        if width > 120 and not free:
            print(f"{name}:{number}: {width} columns are more than 120; break the line")
'
}

if ! command -v clang-format-14 >/dev/null; then
    echo "clang-format-14 is missing; run: scripts/install_dependencies.sh" >&2
    exit 2
fi
case ${1:-} in
    --check) ;;
    '') format -i ;;
    *) sed -n 's/^# \{0,1\}//; 2,5p' "$0" >&2; exit 2 ;;
esac
problems=$(check_format; check_lines)
[[ -z $problems ]] || { echo "$problems"; exit 1; }
echo "format: every file is formatted"
