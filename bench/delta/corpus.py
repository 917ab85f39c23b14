#!/usr/bin/env python3
"""Real successive versions, fetched with the package managers at hand and unpacked to trees.

Versions are pinned, so that runs repeat for as long as registry and archive hold them. Debian's archive drops old
versions: a pair that is not in the cache and cannot be fetched any more is left out with a message."""

import argparse
import dataclasses
import glob
import os
import shutil
import subprocess
import sys
import tarfile

CACHE = os.path.expanduser("~/.cache/lull-corpus")


@dataclasses.dataclass(frozen=True)
class Pair:
    source: str    # npm or deb
    packages: str  # several of Debian's: with spaces between them
    old: str
    new: str
    gap: int       # 1: successive; 3: two releases were left out
    kind: str

    @property
    def name(self):
        scope, _, last = self.packages.split(" ")[0].rpartition("/")
        product = scope.lstrip("@") if last.startswith(("linux-", "core-", "cli-")) else last
        for suffix in ("-linux-x64-gnu", "-linux-x64"):
            product = product.removesuffix(suffix)
        return f"{product} {self.old} -> {self.new}"


ROLLUP, OXIDE, CSS = "@rollup/rollup-linux-x64-gnu", "@tailwindcss/oxide-linux-x64-gnu", "lightningcss-linux-x64-gnu"
ESBUILD, BIOME = "@esbuild/linux-x64", "@biomejs/cli-linux-x64"
SWC, VIPS = "@swc/core-linux-x64-gnu", "@img/sharp-libvips-linux-x64"

# The small ones first. swc 1.16 holds its code compressed. The archive holds few versions of openssl: a larger gap.
PAIRS = [
    Pair("npm", ROLLUP, "4.68.7", "4.68.8", 1, "Rust"),
    Pair("npm", OXIDE, "4.3.4", "4.3.5", 1, "Rust"),
    Pair("deb", "openssl libssl3", "3.0.20-1~deb12u2", "3.0.22-1~deb12u2", 1, "C"),
    Pair("npm", CSS, "1.32.0", "1.33.0", 1, "Rust"),
    Pair("npm", "prettier", "3.10.0", "3.10.1", 1, "JavaScript"),
    Pair("npm", ROLLUP, "4.67.5", "4.68.2", 3, "Rust"),
    Pair("npm", OXIDE, "4.3.2", "4.3.5", 3, "Rust"),
    Pair("deb", "openssl libssl3", "3.0.17-1~deb12u2", "3.0.22-1~deb12u2", 3, "C"),
    Pair("npm", ESBUILD, "0.28.1", "0.28.2", 1, "Go"),
    Pair("npm", ESBUILD, "0.27.7", "0.28.2", 3, "Go"),
    Pair("npm", CSS, "1.31.0", "1.33.0", 3, "Rust"),
    Pair("npm", "prettier", "3.9.9", "3.10.1", 3, "JavaScript"),
    Pair("deb", "libpython3.11-stdlib", "3.11.2-6+deb12u8", "3.11.2-6+deb12u9", 1, "Python and C"),
    Pair("npm", "playwright-core", "1.64.1", "1.65.0", 1, "JavaScript"),
    Pair("npm", "playwright-core", "1.63.0", "1.65.0", 3, "JavaScript"),
    Pair("npm", SWC, "1.16.21", "1.16.22", 1, "Rust, compressed"),
    Pair("npm", VIPS, "1.3.3", "1.3.4", 1, "C and C++"),
    Pair("npm", VIPS, "1.3.1", "1.3.4", 3, "C and C++"),
    Pair("npm", "typescript", "5.8.3", "5.9.2", 1, "JavaScript"),
    Pair("npm", "typescript", "5.7.3", "5.9.2", 3, "JavaScript"),
    Pair("npm", SWC, "1.13.4", "1.13.5", 1, "Rust"),
    Pair("npm", SWC, "1.13.2", "1.13.5", 3, "Rust"),
    Pair("deb", "mariadb-server-core", "1:10.11.18-0+deb12u1", "1:10.11.19-0+deb12u1", 1, "C++"),
    Pair("deb", "libnode108", "18.20.4+dfsg-1~deb12u2", "18.20.4+dfsg-1~deb12u3", 1, "C++"),
    Pair("npm", BIOME, "2.6.7", "2.6.8", 1, "Rust"),
    Pair("npm", BIOME, "2.6.5", "2.6.8", 3, "Rust"),
]
QUICK = PAIRS[:7]


class NotFetched(Exception):
    """A version that registry or archive does not give."""


def run(command, cwd):
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotFetched(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-300:]}")


def fetch_npm(package, version, into):
    run(["npm", "pack", "--silent", f"{package}@{version}"], into)
    archive, = glob.glob(f"{into}/*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(f"{into}/tree", filter="data")
    os.remove(archive)


def fetch_deb(packages, version, into):
    for package in packages.split():
        run(["apt-get", "download", "-q", f"{package}={version}"], into)
    for archive in glob.glob(f"{into}/*.deb"):
        run(["dpkg-deb", "-x", archive, f"{into}/tree"], into)
        os.remove(archive)


def remove_what_no_release_holds(tree):
    """lull takes files, directories and links that stay inside: what leads out goes, for every method alike."""
    for directory, names, files in os.walk(tree):
        for name in names + files:
            path = os.path.join(directory, name)
            if os.path.islink(path) and not os.path.realpath(path).startswith(os.path.realpath(tree) + "/"):
                os.remove(path)


def tree_of(cache, pair, version):
    """The directory with this version, fetched unless it is there."""
    place = f"{cache}/trees/{pair.source}-{pair.packages.replace('/', '_').replace(' ', '+')}-{version}"
    if not os.path.isdir(place):
        partial = f"{place}.{os.getpid()}.partial"
        os.makedirs(partial)
        try:
            (fetch_npm if pair.source == "npm" else fetch_deb)(pair.packages, version, partial)
            remove_what_no_release_holds(f"{partial}/tree")
            os.rename(partial, place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return f"{place}/tree"


def trees_of(cache, pair):
    return tree_of(cache, pair, pair.old), tree_of(cache, pair, pair.new)


def bytes_in(tree):
    paths = (os.path.join(directory, name) for directory, _, files in os.walk(tree) for name in files)
    return sum(os.lstat(path).st_size for path in paths)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", default=CACHE, help="where versions are kept (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="only the small pairs")
    options = parser.parse_args()
    missing = 0
    for pair in QUICK if options.quick else PAIRS:
        try:
            old, new = trees_of(options.cache, pair)
            print(f"{pair.name}: {bytes_in(old):,} -> {bytes_in(new):,} bytes, {pair.kind}", flush=True)
        except NotFetched as error:
            missing += 1
            print(f"{pair.name}: left out: {error}", file=sys.stderr, flush=True)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
