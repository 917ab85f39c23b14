#!/bin/sh
# Installs the Debian packages that lull is built and tested with. Says nothing and needs no rights if they are there.
set -eu

build="g++ cmake ninja-build ccache pkg-config git ca-certificates
    libzmq3-dev cppzmq-dev libmsgpack-cxx-dev liblmdb-dev libboost-program-options-dev libssl-dev libzstd-dev
    libdivsufsort-dev libspdlog-dev
    libfmt-dev libexpected-dev nlohmann-json3-dev libarchive-dev
    zlib1g-dev libhowardhinnant-date-dev libcpp-httplib-dev tzdata"
tests="bubblewrap catch2 clang-format-14 python3 strace iproute2 nftables util-linux mount e2fsprogs squashfs-tools
    procps"

missing=
for package in $build $tests; do
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null; then
    as_root=sudo
else
    echo "these packages are missing, and installing them needs root or sudo; as root, run: apt-get install$missing" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" >"$log" 2>&1 && return 0
    tail -n 20 "$log" >&2
    echo "'apt-get $*' failed; its last lines are above" >&2
    exit 1
}
echo "installing:$missing"
apt update
# shellcheck disable=SC2086
apt install --no-install-recommends $missing
