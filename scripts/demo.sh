#!/bin/bash
# The main job, for everyone to see: installs what is needed, builds, starts a broker and three nodes on loopback, publishes two
# releases of real software (Debian's Python and GCC: over 100 MB, over 2,000 files), and replaces it on a node where somebody is
# using it. Ends with 0 if all of that worked.
#   KEEP=1        leave everything in place at the end
#   LULL_PORT=N   first of the broker's three ports (default: 27700)
#   LULL_BUILDS   where to build (default: build)
set -euo pipefail
cd "$(dirname "$0")/.."

builds=${LULL_BUILDS:-build}
port=${LULL_PORT:-27700}
place=$(mktemp -d "${TMPDIR:-/tmp}/lull-demo-XXXXXX")
daemons=()

clean_up() {
    local status=$?
    exec 7>&- || true
    for pid in "${daemons[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${daemons[@]}"; do wait "$pid" 2>/dev/null || true; done
    if [[ $status -ne 0 ]]; then
        echo "the demo failed; the ends of the logs:" >&2
        tail -n 5 "$place"/*.log >&2 || true
    fi
    if [[ -n ${KEEP:-} ]]; then echo "everything is in $place"; else rm -rf "$place"; fi
    exit "$status"
}
trap clean_up EXIT

heading() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() {
    printf '\n$ %s\n' "$*"
    "$@"
}
fail() {
    echo "demo: $*" >&2
    exit 1
}
# Waits until a command says yes, for at most a minute.
until_true() {
    local deadline=$((SECONDS + 60))
    until "$@"; do
        [[ $SECONDS -lt $deadline ]] || fail "waited a minute for: $*"
        sleep 0.1
    done
}

heading "install and build"
scripts/install_dependencies.sh
cmake --preset release -B "$builds/release" --log-level=WARNING >/dev/null
cmake --build "$builds/release" --target lull-broker lull lull-node -- --quiet
PATH=$PWD/$builds/release/broker:$PWD/$builds/release/publisher:$PWD/$builds/release/subscriber:$PATH
[[ $builds != /* ]] || PATH=$builds/release/broker:$builds/release/publisher:$builds/release/subscriber:$PATH

heading "the software: Python and GCC as Debian ships them"
python=$(find /usr/bin -name 'python3.*' -type f -regex '.*/python3\.[0-9]+' | sort -V | tail -n 1)
[[ -n $python ]] || fail "Debian's python3 is not installed"
version=${python##*/python}
mkdir -p "$place/app/bin" "$place/app/lib"
cp "$python" "$place/app/bin/python"
cp -r "/usr/lib/python$version" "$place/app/lib/"
cp -rL /usr/lib/gcc "$place/app/lib/gcc"
cp -rL /usr/include/c++ "$place/app/lib/c++"
rm -f "$place/app/lib/python$version/sitecustomize.py"
find "$place/app" \( -xtype l -o -type l -lname '/*' -o -type l -lname '*..*' \) -delete
find "$place/app" -name __pycache__ -prune -exec rm -rf {} +
cat >"$place/app/lib/python$version/kiosk.py" <<'PYTHON'
print("the kiosk runs release 1.0; it ends with the word quit", flush=True)
while input() != "quit":
    pass
PYTHON
du -sh "$place/app"
files=$(find "$place/app" -type f | wc -l)
size=$(du -sm --apparent-size "$place/app" | cut -f1)
echo "$files files"
[[ $files -ge 2000 && $size -ge 100 ]] || fail "the tree is smaller than promised: $files files, $size MB"

heading "a broker and three nodes"
cd "$place"
export LULL_KEYS=$place/keys
show lull keygen --keys keys
show lull-broker init --data broker --operator keys/public.key --listen "127.0.0.1:$port"
LULL_BROKER=$(<broker/address)
export LULL_BROKER
lull-broker run --data broker >broker.log 2>&1 &
daemons+=($!)
until_true grep -qs listening broker.log
for node in till-1 till-2 till-3; do
    show lull nodes new "$node"
    show lull-node join "$node.join" --root "$node"
    lull-node daemon --root "$node" >"$node.log" 2>&1 &
    daemons+=($!)
done
until_true grep -qs connected till-3.log
show lull nodes

# Whether as many nodes as said are in that state, for the newest release.
nodes_are() {  # COUNT STATE
    [[ $(lull status --json | grep -c "\"state\": *\"$2\"") -eq $1 ]]
}

heading "the first release"
show lull publish app --name kiosk --version 1.0 --start "bin/python -m kiosk"
show lull status
until_true nodes_are 3 active
show lull status
show lull-node verify --root till-1

heading "somebody uses it on till-1"
mkfifo keyboard
script -qfc "lull-node run kiosk --root till-1" terminal.txt <keyboard >/dev/null &
terminal=$!
exec 7>keyboard
until_true grep -qs 'release 1.0' terminal.txt
echo "on the terminal of till-1:"
sed -n '2,$p' terminal.txt

heading "the second release arrives"
sed -i 's/release 1.0/release 1.1/' "app/lib/python$version/kiosk.py"
app/bin/python -m compileall -q "app/lib/python$version/json" "app/lib/python$version/asyncio" "app/lib/python$version/email"
show lull publish app --name kiosk --version 1.1 --start "bin/python -m kiosk"
until_true nodes_are 2 active
until_true nodes_are 1 waiting
until_true grep -qs 'is ready' terminal.txt
show lull status
show lull-node status --root till-1
echo "on the terminal of till-1:"
grep -a 'lull:' terminal.txt
[[ $(readlink till-1/kiosk/current) == versions/1-1.0 ]] || fail "a release in use was replaced"

heading "the program ends; the new release becomes active"
echo quit >&7
exec 7>&-
wait "$terminal"
ended=$(date +%s%N)
until_true nodes_are 3 active
echo "all nodes are active $((($(date +%s%N) - ended) / 1000000)) ms after the program has ended"
show lull status
show lull list
show lull-node status --root till-1
show lull-node verify --root till-1
printf '\n$ lull-node run kiosk --root till-1\n'
echo quit | lull-node run kiosk --root till-1
echo quit | lull-node run kiosk --root till-1 | grep -q 'release 1.1' || fail "the old release still runs"
heading "done"
