#!/bin/bash
# Shows lull at work: installs what is needed, builds, starts a broker and three nodes on this machine.
# Publishes two releases of a Python runtime, and runs it from a node's store while the second one arrives.
# Then a watched directory releases what changes in it, and a node has a program run by another node.
# Ends with 0 if everything went as it should.
# KEEP=1 keeps the directory that it works in. LULL_BUILDS: where to build (default: build).
set -euo pipefail
cd "$(dirname "$0")/.."
builds=$(realpath -m "${LULL_BUILDS:-build}")
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi

heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
# A command as somebody would type it.
typed() {
    local word line=
    for word in "$@"; do
        [[ $word =~ ^[[:alnum:]_./:=@%+,\&-]+$ ]] || word=\"$word\"
        line+=" $word"
    done
    printf '%s$%s%s\n' "$bold" "$line" "$plain"
}
show() { typed "$@"; "$@"; }

die() {
    echo "demo: $*" >&2
    exit 1
}

# ---- what is needed ----

heading "Install and build"
show scripts/install_dependencies.sh
typed cmake --preset release "&&" cmake --build --preset release
cmake --preset release -B "$builds/release" --log-level=WARNING >/dev/null
quiet=--quiet
[[ ! -t 1 ]] || quiet=
cmake --build "$builds/release" --target lull-broker lull lull-node -- $quiet
build_seconds=$SECONDS

# Debian's packages of a Python runtime are unpacked into a tree that runs from where it lies.
packages="python3.11-minimal libpython3.11-minimal libpython3.11-stdlib python3-sympy python3-mpmath
    python3-botocore python3-dateutil python3-jmespath python3-urllib3 python3-six"
more="python3-pygments python3-docutils"
debs=$builds/demo-packages

download() {
    mkdir -p "$debs"
    local package missing=()
    for package in $packages $more; do compgen -G "$debs/${package}_*.deb" >/dev/null || missing+=("$package"); done
    [[ ${#missing[@]} -eq 0 ]] && return
    (cd "$debs" && apt-get -qq -o APT::Sandbox::User=root download "${missing[@]}") ||
        die "cannot download Debian's packages of Python; is the package list up to date? Run: apt-get update"
}

make_tree() {  # TREE PACKAGE...
    local tree=$1 package
    shift
    for package in "$@"; do dpkg-deb --extract "$debs/$package"_*.deb "$work/unpacked"; done
    mkdir -p "$tree/bin"
    mv "$work/unpacked/usr/bin" "$work/unpacked/usr/lib" "$tree/"
    rm -rf "$work/unpacked"
    find "$tree" -type l -lname '/*' -delete # a release holds no absolute links
    mkdir -p "$tree/bin"
    cat >"$tree/bin/python" <<'PYTHON'
#!/bin/sh
export PYTHONHOME=$LULL_ROOT_DIR PYTHONPATH=$LULL_ROOT_DIR/lib/python3/dist-packages
export PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1
exec "$LULL_ROOT_DIR/bin/python3.11" "$@"
PYTHON
    chmod 755 "$tree/bin/python"
}

work=$(mktemp -d /tmp/lull-demo-XXXXXX)
started=()
clean_up() {
    local status=$?
    exec 3>&- || true
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    if [[ $status -ne 0 ]]; then
        echo "demo: failed; the last lines of the logs:" >&2
        tail -n 5 "$work"/*.log >&2 || true
    fi
    if [[ -n ${KEEP:-} ]]; then echo "everything is in $work"; else rm -rf "$work"; fi
    exit "$status"
}
trap clean_up EXIT

heading "Get a Python runtime from Debian, in two releases"
download
# shellcheck disable=SC2086
make_tree "$work/python-1" $packages
# shellcheck disable=SC2086
make_tree "$work/python-2" $packages $more
sed -i 's/^exec /export PYTHON_RELEASE=2\n&/' "$work/python-2/bin/python"
megabytes() { du -sm --apparent-size "$1" | cut -f1; }
for tree in python-1 python-2; do
    printf '%s: %s files, %s MB\n' "$tree" "$(find "$work/$tree" -type f | wc -l)" "$(megabytes "$work/$tree")"
done
files=$(find "$work/python-1" -type f | wc -l)
[[ $files -ge 2000 && $(megabytes "$work/python-1") -ge 100 ]] || die "the runtime is smaller than it should be"

# ---- a fleet ----

cd "$work"
PATH=$builds/release/broker:$builds/release/publisher:$builds/release/subscriber:$PATH
export LULL_KEYS=$work/keys
unset LULL_BROKER LULL_ROOT

start() {  # LOG COMMAND...
    local log=$1
    shift
    typed "$@" "&"
    "$@" 2>"$log" &
    started+=($!)
}

# Waits until a command's output holds a text, and shows nothing meanwhile.
until_says() {  # TEXT COMMAND...
    local text=$1 i
    shift
    for ((i = 0; i < 1200; ++i)); do
        if "$@" 2>/dev/null | grep -q -- "$text"; then return 0; fi
        sleep 0.1
    done
    die "'$*' does not say '$text'"
}

free_port() {
    python3 - <<'PYTHON'
import random, socket
while True:
    base = random.randrange(20000, 32000)
    try:
        for port in range(base, base + 3):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        print(base)
        break
    except OSError:
        pass
PYTHON
}

heading "A broker"
port=$(free_port)
show lull keygen --name operator
show lull-broker init --data broker --operator keys/public.key --listen "127.0.0.1:$port"
start broker.log lull-broker run --data broker
until_says "listening on" cat broker.log
LULL_BROKER=$(cat broker/address)
typed export "LULL_BROKER=$LULL_BROKER"
export LULL_BROKER

heading "Three nodes"
for node in node-1 node-2 node-3; do
    show lull nodes new "$node"
    show lull-node join "$node.join" --root "$node"
    start "$node.log" lull-node daemon --root "$node"
done
for node in node-1 node-2 node-3; do until_says "announcements: connected" cat "$node.log"; done
show lull nodes

heading "The first release"
show lull publish python-1 --name python --version 3.11-1 --start bin/python
until_says "3 of 3 nodes active" lull status
show lull status

# ---- in use ----

heading "A user works with it on node 1"
mkfifo keyboard
typed lull-node run python --root node-1
TERM=dumb script --quiet --flush --return \
    --command "lull-node run python --root node-1 -- -q" terminal <keyboard >/dev/null &
user=$!
started+=("$user")
exec 3>keyboard
type_in() { printf '%s\n' "$1" >&3; }
until_says "^>>> " cat terminal
type_in "import sympy, sys; sympy.factorint(2022)"
until_says "^{2: 1, 3: 1, 337: 1}" cat terminal
type_in "sys.prefix"
until_says "^'$work/node-1/python/versions/1-3.11-1'" cat terminal

heading "The second release arrives meanwhile"
show lull publish python-2 --name python --version 3.11-2 --start bin/python
until_says "2 of 3 nodes active" lull status
until_says "waiting .*told" lull status
show lull status
show lull-node status --root node-1
until_says "lull: python 3.11-2 is ready" cat terminal
type_in "sympy.factorint(2023)"
until_says "^{7: 1, 17: 2}" cat terminal

heading "What the user sees on the terminal"
sed -e '/^Script /d' -e 's/\r//g' -e 's/^/  | /' terminal

heading "The user leaves, and the new release becomes active"
echo "(exit(), on the user's terminal)"
type_in "exit()"
exec 3>&-
wait "$user" || die "the user's program ended with $?"
until_says "3 of 3 nodes active" lull status
show lull status
grep -E "3.11-2: (waiting|switching|active)" node-1.log
show lull-node run python --root node-1 -- -c \
    "import os, docutils; print('release', os.environ['PYTHON_RELEASE'], 'with docutils', docutils.__version__)"

heading "A directory that is watched: a new version without a command"
mkdir -p watched/hello/bin
printf '#!/bin/sh\necho "hello from $LULL_VERSION"\n' >watched/hello/bin/hello
chmod 755 watched/hello/bin/hello
echo 1.0 >watched/hello/VERSION
start watch.log lull watch watched --settle 2s --state watch-state
until_says "3 of 3 nodes active" lull status hello
typed echo 1.1 ">watched/hello/VERSION"
echo 1.1 >watched/hello/VERSION
until_says "hello *1.1 .*active" lull status hello
until_says "3 of 3 nodes active" lull status hello
show lull status hello
until_says "hello *1.1" lull watch watched --state watch-state --status
show lull watch watched --state watch-state --status
show lull-node run hello --root node-2

heading "A program that another node runs"
chmod 711 . # an unprivileged user opens the trees of calls
mkdir -p solver/bin
printf '#!/bin/sh\nid --user --name 2>/dev/null || echo "no name, uid $(id -u)" >&2\nexec factor\n' >solver/bin/solve
chmod 755 solver/bin/solve
show lull nodes new executor
show lull-node join executor.join --root executor
start executor.log lull-node daemon --root executor --serve-calls --allow-calls solver
until_says "announcements: connected" cat executor.log
show lull publish solver --name solver --version 1 --callable bin/solve
until_says "4 of 4 nodes active" lull status solver
typed echo 20000519 "|" lull-node call solver --root node-1
echo 20000519 | lull-node call solver --root node-1 || die "the call ended with $?"
show lull calls

heading "What is installed is what was signed"
for node in node-1 node-2 node-3; do show lull-node verify --root "$node"; done
show lull list --sizes

printf '\ndone: %s s, of which %s s for installing and building\n' "$SECONDS" "$build_seconds"
