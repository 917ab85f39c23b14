#!/bin/bash
# Shows that lull builds and runs on a bare Debian 12 with nothing but git: makes one with debootstrap in a directory, clones HEAD
# into it, runs scripts/demo.sh and scripts/test.sh there, and removes it again. Needs root, debootstrap, and a few GB.
#   scripts/bare_debian.sh [DIRECTORY] [SCRIPT...]      (default: a temporary directory; scripts/demo.sh scripts/test.sh)
# This machine's apt configuration is used in there. KEEP=1 keeps the directory.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ $(id -u) -eq 0 ]] || { echo "chroot needs root: sudo $0 $*" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }

root=${1:-$(mktemp -d "${TMPDIR:-/tmp}/lull-bare-XXXXXX")}
shift || true
scripts=("$@")
[[ ${#scripts[@]} -gt 0 ]] || scripts=(scripts/demo.sh scripts/test.sh)

mounts=(proc dev/pts dev/shm)
clean_up() {
    local status=$? mount
    for mount in "${mounts[@]}"; do umount "$root/$mount" 2>/dev/null || true; done
    if [[ -z ${KEEP:-} ]] && ! grep -q " $root/" /proc/mounts; then rm -rf --one-file-system "$root"; fi
    exit "$status"
}
trap clean_up EXIT

mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CREATED_BY)' | awk '$2 == "bookworm" && $3 == "Packages" { print $1; exit }')
if [[ ! -e $root/etc/debian_version ]]; then
    mkdir -p "$root"
    debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" "$mirror" >"$root.log" || { tail "$root.log"; exit 1; }
fi
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
cp -L /etc/hosts "$root/etc/hosts"
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null && chroot "$root" update-ca-certificates >/dev/null 2>&1
mount -t proc proc "$root/proc"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mkdir -p "$root/dev/shm"
mount -t tmpfs tmpfs "$root/dev/shm"
[[ -e $root/dev/ptmx ]] || ln -s pts/ptmx "$root/dev/ptmx"

rm -rf "$root/lull"
git clone --quiet --no-local . "$root/lull"
for script in "${scripts[@]}"; do
    echo "=== $script in $root"
    begun=$SECONDS
    # shellcheck disable=SC2086
    chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM="${TERM:-dumb}" LANG=C.UTF-8 bash -c "cd /lull && $script"
    echo "=== $script: exit status 0 after $((SECONDS - begun)) s"
done
