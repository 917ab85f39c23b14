"""Each method takes an old and a new tree and says what crosses the wire, and what that costs at both ends.

A method prepares the old version uncounted, then makes what the sender sends (the sender's cost), makes the new version
from it and from the old one (the receiver's cost), and compares the result with the new tree."""

import dataclasses
import functools
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable

from cost import Failed, RsyncDaemon, Work
from range_server import RangeServer

HERE = os.path.dirname(os.path.abspath(__file__))
BASE, NOT_BUILT = "whole", "lull: not built"


class NotBuilt(Exception):
    """lull's program is not there."""


def size(path):
    return os.path.getsize(path)


def whole(work):
    """No delta: the archive of the new version."""
    packed = f"{work.place}/whole"
    work.sender.run("zstd", "-19", "-q", work.new_tar, "-o", packed)
    work.receiver.run("zstd", "-d", "-q", packed, "-o", work.result)
    work.check_archive()
    return size(packed)


def zstd_prefix(work):
    patch, old = f"{work.place}/patch", f"--patch-from={work.old_tar}"
    work.sender.run("zstd", "-19", "-q", "--long=31", old, work.new_tar, "-o", patch)
    work.receiver.run("zstd", "-d", "-q", "--long=31", old, patch, "-o", work.result)
    work.check_archive()
    return size(patch)


def bsdiff(work):
    patch = f"{work.place}/patch"
    work.sender.run("bsdiff", work.old_tar, work.new_tar, patch)
    work.receiver.run("bspatch", work.old_tar, work.result, patch)
    work.check_archive()
    return size(patch)


def xdelta3(work):
    """Its window over the old archive is as large as that, so that nothing is out of reach."""
    patch, window = f"{work.place}/patch", 1 << max(26, size(work.old_tar).bit_length())
    work.sender.run("xdelta3", "-9", "-e", "-B", window, "-s", work.old_tar, work.new_tar, patch)
    work.receiver.run("xdelta3", "-d", "-B", window, "-s", work.old_tar, patch, work.result)
    work.check_archive()
    return size(patch)


def rsync(work, choice):
    """A client that fetches from a daemon. By checksum: times of files in packages say nothing."""
    copy, stats = work.old_copy(), f"{work.place}/stats"
    with RsyncDaemon(work.sender, work.new, work.place) as daemon:
        work.receiver.run("rsync", "-rlpc", "-z", f"--compress-choice={choice}", "--delete", "--no-whole-file",
                          "--stats", daemon.url, f"{copy}/", out=stats)
    work.check_tree(copy)
    with open(stats, encoding="utf-8") as file:
        counted = re.findall(r"Total bytes (?:sent|received): (\d+)", file.read().replace(",", ""))
    if len(counted) != 2:
        raise Failed("rsync does not say how many bytes it sent and received")
    return sum(map(int, counted))


def zsync(work):
    """The server gives a gzip of the archive, made by zsyncmake so that its blocks can be fetched one by one."""
    served = f"{work.place}/served"
    os.mkdir(served)
    with RangeServer(served) as server:
        archive = shutil.copy(work.new_tar, f"{served}/new.tar")
        work.sender.run("zsyncmake", "-z", "-u", f"{server.url}/new.tar.gz", "-o", f"{served}/new.zsync", archive,
                        cwd=served)
        os.remove(archive)
        work.receiver.run("zsync", "-q", "-i", work.old_tar, "-o", work.result, f"{server.url}/new.zsync",
                          cwd=work.place)
    work.check_archive()
    return server.bytes


CASYNC_FEATURES = ("--with=permissions", "--with=symlinks")


def casync(work):
    """The receiver has the old tree as seed, and of the store only the chunks that the old version does not have."""
    store, lacking, index = f"{work.place}/store", f"{work.place}/lacking", f"{work.place}/new.caidx"
    make = ("casync", "make", *CASYNC_FEATURES, "--compression=zstd", f"--store={store}")
    work.uncounted.run(*make, f"{work.place}/old.caidx", work.old)
    known = set(glob.glob("*/*.cacnk", root_dir=store))
    work.sender.run(*make, index, work.new)
    fresh = [chunk for chunk in glob.glob("*/*.cacnk", root_dir=store) if chunk not in known]
    os.mkdir(lacking)
    for chunk in fresh:
        os.makedirs(os.path.dirname(f"{lacking}/{chunk}"), exist_ok=True)
        shutil.copy(f"{store}/{chunk}", f"{lacking}/{chunk}")
    work.receiver.run("casync", "extract", f"--store={lacking}", f"--seed={work.old}", index, work.result)
    work.check_tree(work.result)
    return sum(size(f"{lacking}/{chunk}") for chunk in fresh) + size(index)


def ostree(work):
    """One delta with its superblock in one file; the receiver has the old commit and checks the new one out."""
    at_sender, at_receiver = f"--repo={work.place}/sender", f"--repo={work.place}/receiver"
    delta = f"{work.place}/delta"

    def commit(cost, tree, second):
        out = f"{work.place}/commit"
        cost.run("ostree", at_sender, "commit", "--branch=app", f"--tree=dir={tree}", "--canonical-permissions",
                 f"--timestamp=@{second}", out=out)
        with open(out, encoding="utf-8") as file:
            return file.read().strip()

    work.uncounted.run("ostree", at_sender, "init", "--mode=archive")
    work.uncounted.run("ostree", at_receiver, "init", "--mode=bare-user-only")
    old = commit(work.uncounted, work.old, 1)
    work.uncounted.run("ostree", at_receiver, "pull-local", f"{work.place}/sender", "app")
    new = commit(work.sender, work.new, 2)
    work.sender.run("ostree", at_sender, "static-delta", "generate", f"--from={old}", f"--to={new}",
                    "--min-fallback-size=0", "--inline", f"--filename={delta}")
    work.receiver.run("ostree", at_receiver, "static-delta", "apply-offline", delta)
    work.receiver.run("ostree", at_receiver, "checkout", "-U", new, work.result)
    work.check_tree(work.result)
    return size(delta)


def lull_program(build):
    """The program that measures lull: `build` itself, or what a build directory holds."""
    names = ("bench/lull-bench-delta", "lull-bench-delta", "bench/bench_delta")
    places = [build, *(f"{build}/{name}" for name in names)]
    program = next((place for place in places if os.path.isfile(place) and os.access(place, os.X_OK)), None)
    if program is None:
        raise NotBuilt(NOT_BUILT)
    return program


def lull(work, build):
    """The program compares its result itself, and says what both ends cost: seconds of CPU, and bytes of memory."""
    out = f"{work.place}/figures"
    work.uncounted.run(lull_program(build), work.old, work.new, out=out)
    with open(out, encoding="utf-8") as file:
        figures = json.loads(file.read().strip().splitlines()[-1])
    work.sender.seconds, work.sender.peak = figures["make_seconds"], figures.get("make_rss", 0)
    work.receiver.seconds, work.receiver.peak = figures["apply_seconds"], figures.get("apply_rss", 0)
    return figures["bytes"]


def version_of_package(package):
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def version_of_program(build):
    with open(lull_program(build), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


@dataclasses.dataclass(frozen=True)
class Method:
    key: str
    title: str
    run: Callable[[Work], int]
    version: Callable[[], str]
    revision: int = 1  # of how the method is run here: results of another one are not used


def peer(key, title, run, package):
    return Method(key, title, run, lambda: f"{package} {version_of_package(package)}")


def all_methods(build):
    """In the order of the tables. `build` is lull's build directory or program."""
    return [peer(BASE, "whole, zstd -19", whole, "zstd"),
            peer("casync", "casync", casync, "casync"),
            peer("zsync", "zsync (gz)", zsync, "zsync"),
            peer("rsync-zlib", "rsync -z, zlib", functools.partial(rsync, choice="zlib"), "rsync"),
            peer("rsync-zstd", "rsync -z, zstd", functools.partial(rsync, choice="zstd"), "rsync"),
            peer("ostree", "ostree static delta", ostree, "ostree"),
            peer("xdelta3", "xdelta3 -9", xdelta3, "xdelta3"),
            peer("zstd-prefix", "zstd -19 --patch-from", zstd_prefix, "zstd"),
            peer("bsdiff", "bsdiff", bsdiff, "bsdiff"),
            Method("lull", "lull", functools.partial(lull, build=build), lambda: f"lull {version_of_program(build)}")]


def missing_packages():
    """Those of packages.txt whose program is not there; each has one of its own name."""
    with open(f"{HERE}/packages.txt", encoding="utf-8") as file:
        return [package for package in file.read().split() if shutil.which(package) is None]


def measure(method, old, new):
    with tempfile.TemporaryDirectory(prefix="lull-delta-") as place:
        begun = time.monotonic()
        work = Work(old, new, place)
        crossed = method.run(work)
        return {"bytes": crossed, "size": work.size, "wall_s": round(time.monotonic() - begun, 2),
                "sender_s": round(work.sender.seconds, 4), "sender_peak": work.sender.peak,
                "receiver_s": round(work.receiver.seconds, 4), "receiver_peak": work.receiver.peak}
