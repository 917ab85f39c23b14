"""Real successive versions, fetched with the package managers at hand and unpacked to trees."""

import dataclasses
import glob
import os
import shutil
import subprocess
import tarfile

ESBUILD, CSS, ROLLUP = "@esbuild/linux-x64", "lightningcss-linux-x64-gnu", "@rollup/rollup-linux-x64-gnu"


@dataclasses.dataclass(frozen=True)
class Pair:
    source: str   # npm or deb
    package: str  # several of Debian's: with spaces between them
    old: str
    new: str
    gap: int      # 1: successive; 3: two releases were left out

    @property
    def name(self):
        return f"{self.package.split('/')[-1].split(' ')[0]} {self.old} -> {self.new}"


PAIRS = [
    Pair("npm", ESBUILD, "0.28.1", "0.28.2", 1),
    Pair("npm", CSS, "1.32.0", "1.33.0", 1),
    Pair("npm", ROLLUP, "4.68.7", "4.68.8", 1),
    Pair("npm", "playwright-core", "1.54.0", "1.55.0", 1),
    Pair("npm", "typescript", "5.8.3", "5.9.2", 1),
    Pair("npm", "@swc/core-linux-x64-gnu", "1.16.21", "1.16.22", 1),
    Pair("deb", "openssl libssl3", "3.0.20-1~deb12u2", "3.0.22-1~deb12u2", 1),
    Pair("deb", "libpython3.11-stdlib", "3.11.2-6+deb12u8", "3.11.2-6+deb12u9", 1),
    Pair("npm", ESBUILD, "0.27.6", "0.28.2", 3),
    Pair("npm", CSS, "1.30.2", "1.33.0", 3),
    Pair("npm", ROLLUP, "4.68.5", "4.68.8", 3),
    Pair("npm", "playwright-core", "1.52.0", "1.55.0", 3),
    Pair("npm", "typescript", "5.5.4", "5.9.2", 3),
]
QUICK = [pair for pair in PAIRS if pair.package in (CSS, ROLLUP, "openssl libssl3", "playwright-core") and pair.gap == 1]


def run(command, cwd):
    subprocess.run(command, cwd=cwd, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def fetch_npm(package, version, into):
    run(["npm", "pack", "--silent", f"{package}@{version}"], into)
    archive = glob.glob(f"{into}/*.tgz")[0]
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
    place = f"{cache}/{pair.source}-{pair.package.replace('/', '_').replace(' ', '+')}-{version}"
    if not os.path.isdir(place):
        partial = place + ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        os.makedirs(partial)
        (fetch_npm if pair.source == "npm" else fetch_deb)(pair.package, version, partial)
        remove_what_no_release_holds(f"{partial}/tree")
        os.rename(partial, place)
    return f"{place}/tree"
