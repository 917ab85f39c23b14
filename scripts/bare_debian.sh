#!/bin/bash
# Shows that a bare Debian 12 with only git is enough: makes one in a directory and clones HEAD into it.
# Runs there each command that is named (default: scripts/demo.sh scripts/test.sh). Needs root and debootstrap.
# Ends with the status of the first command that fails.
# BARE_DIRECTORY: where to make it (default: a new one in /var/tmp, removed at the end); an existing one is used again.
# BARE_LOG: a file that takes what is printed.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ $(id -u) -eq 0 ]] || { echo "making a bare Debian needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing; run: apt-get install debootstrap" >&2; exit 1; }
[[ $# -gt 0 ]] || set -- scripts/demo.sh scripts/test.sh
[[ -z ${BARE_LOG:-} ]] || exec > >(tee "$BARE_LOG") 2>&1

bare=${BARE_DIRECTORY:-$(mktemp -d /var/tmp/lull-bare-XXXXXX)}
clean_up() { [[ -n ${BARE_DIRECTORY:-} ]] || rm -rf --one-file-system "$bare"; }
trap clean_up EXIT

if [[ ! -x $bare/usr/bin/git ]]; then
    echo "=== debootstrap"
    # The mirror that this machine uses.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Release: bookworm' | head -n 1)
    debootstrap --variant=minbase --include=git,ca-certificates bookworm "$bare" ${mirror:+"$mirror"} \
        >"$bare.log" 2>&1 ||
        { tail -n 20 "$bare.log" >&2; exit 1; }
    rm -f "$bare.log"
    cp -r /etc/apt/. "$bare/etc/apt/"
    cp -rn /usr/share/keyrings/. "$bare/usr/share/keyrings/"
    cp -r /usr/local/share/ca-certificates/. "$bare/usr/local/share/ca-certificates/"
    chroot "$bare" update-ca-certificates >/dev/null 2>&1
fi
cp -L /etc/resolv.conf /etc/hosts "$bare/etc/"
rm -rf "$bare/root/lull" "$bare/root/lull.bundle"
git bundle create --quiet "$bare/root/lull.bundle" HEAD

# Mounts and processes of its own, so that nothing of them is left, however it ends.
inside() {
    unshare --mount --pid --fork --kill-child bash -c '
        set -e
        bare=$0
        mount -t proc proc "$bare/proc"
        mount -t sysfs sysfs "$bare/sys"
        mkdir -p "$bare/dev/pts" "$bare/dev/shm"
        mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$bare/dev/pts"
        ln -sf pts/ptmx "$bare/dev/ptmx"
        mount -t tmpfs tmpfs "$bare/dev/shm"
        exec chroot "$bare" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            TERM=dumb LANG=C.UTF-8 \
            LULL_E2E_KILLS="${LULL_E2E_KILLS:-2}" bash -c "$1"' "$bare" "$1"
}

inside "cd /root && git -c advice.detachedHead=false clone --quiet lull.bundle lull && git -C lull log -1 --oneline"
for command in "$@"; do
    echo "=== $command"
    begun=$SECONDS
    inside "cd /root/lull && $command"
    echo "=== $command: $((SECONDS - begun)) s"
done
