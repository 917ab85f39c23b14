"""Each method takes an old and a new tree and says what crosses the wire for the update, and what it costs at both ends."""

import functools
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile


class Cost:
    """CPU seconds and peak memory of the commands that are run through it."""

    def __init__(self):
        self.seconds = 0.0
        self.peak = 0

    def run(self, *command, cwd=None, out=None):
        with open(out, "wb") if out else open(os.devnull, "wb") as sink:
            process = subprocess.Popen(list(map(str, command)), cwd=cwd, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.PIPE)
            said = process.stderr.read().decode(errors="replace")
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.stderr.close()
        if process.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said[-300:]}")
        self.seconds += usage.ru_utime + usage.ru_stime
        self.peak = max(self.peak, usage.ru_maxrss * 1024)
        return said


def tar(tree, into):
    subprocess.run(["tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-cf", into, "-C", tree, "."], check=True)
    return into


def size(path):
    return os.path.getsize(path)


class Work:
    """The two trees, as directories and as archives, and a place for the method's own files."""

    def __init__(self, old, new, place):
        self.old, self.new, self.place = old, new, place
        self.old_tar = tar(old, f"{place}/old.tar")
        self.new_tar = tar(new, f"{place}/new.tar")
        self.sender, self.receiver = Cost(), Cost()

    def same_as_new(self, path):
        subprocess.run(["cmp", "--quiet", path, self.new_tar], check=True)


def whole(work):
    work.sender.run("zstd", "-19", "-q", "-f", work.new_tar, "-o", f"{work.place}/whole")
    work.receiver.run("zstd", "-d", "-q", "-f", f"{work.place}/whole", "-o", f"{work.place}/result")
    work.same_as_new(f"{work.place}/result")
    return size(f"{work.place}/whole")


def zstd_patch(work):
    long = f"--long={max(27, size(work.old_tar).bit_length() + 1)}"
    work.sender.run("zstd", "-19", "-q", "-f", long, f"--patch-from={work.old_tar}", work.new_tar, "-o", f"{work.place}/patch")
    work.receiver.run("zstd", "-d", "-q", "-f", long, f"--patch-from={work.old_tar}", f"{work.place}/patch", "-o",
                      f"{work.place}/result")
    work.same_as_new(f"{work.place}/result")
    return size(f"{work.place}/patch")


def bsdiff(work):
    work.sender.run("bsdiff", work.old_tar, work.new_tar, f"{work.place}/patch")
    work.receiver.run("bspatch", work.old_tar, f"{work.place}/result", f"{work.place}/patch")
    work.same_as_new(f"{work.place}/result")
    return size(f"{work.place}/patch")


def xdelta3(work):
    work.sender.run("xdelta3", "-9", "-f", "-e", "-B", 1 << 30, "-s", work.old_tar, work.new_tar, f"{work.place}/patch")
    work.receiver.run("xdelta3", "-f", "-d", "-B", 1 << 30, "-s", work.old_tar, f"{work.place}/patch", f"{work.place}/result")
    work.same_as_new(f"{work.place}/result")
    return size(f"{work.place}/patch")


def rsync(work):
    """Over a pipe, as over ssh: sender and receiver are one command's children, so their costs are counted together."""
    copy = f"{work.place}/copy"
    shutil.copytree(work.old, copy, symlinks=True)
    shell = f"{work.place}/shell"
    with open(shell, "w", encoding="utf-8") as file:
        file.write('#!/bin/sh\nshift\nexec "$@"\n')
    os.chmod(shell, 0o755)
    out = f"{work.place}/stats"
    work.sender.run("rsync", "-rlc", "-z", "--delete", "--no-whole-file", "--stats", "-e", shell, f"{work.new}/", f"host:{copy}/", out=out)
    with open(out, encoding="utf-8") as file:
        text = file.read().replace(",", "")
    subprocess.run(["diff", "-r", "--no-dereference", work.new, copy], check=True, stdout=subprocess.DEVNULL)
    return sum(int(n) for n in re.findall(r"Total bytes (?:sent|received): (\d+)", text))


def casync(work):
    for name, tree in (("old", work.old), ("new", work.new)):
        cost = work.sender if name == "new" else Cost()
        cost.run("casync", "make", "--without=all", f"--store={work.place}/{name}.castr", f"{work.place}/{name}.caidx", tree)
    chunks = {}
    for name in ("old", "new"):
        chunks[name] = {os.path.basename(path): size(path) for path in glob.glob(f"{work.place}/{name}.castr/*/*.cacnk")}
    work.receiver.run("casync", "extract", f"--store={work.place}/new.castr", f"{work.place}/new.caidx", f"{work.place}/result")
    subprocess.run(["diff", "-r", "--no-dereference", work.new, f"{work.place}/result"], check=True, stdout=subprocess.DEVNULL)
    return sum(bytes_ for name, bytes_ in chunks["new"].items() if name not in chunks["old"]) + size(f"{work.place}/new.caidx")


def ostree(work):
    repo = f"--repo={work.place}/repo"
    quiet = Cost()
    quiet.run("ostree", "init", repo, "--mode=bare-user-only")
    for tree in (work.old, work.new):
        quiet.run("ostree", "commit", repo, "--branch=app", f"--tree=dir={tree}", "--canonical-permissions", "--timestamp=2026-01-01")
    work.sender.run("ostree", "static-delta", "generate", repo, "--min-fallback-size=0", "app")
    return sum(size(path) for path in glob.glob(f"{work.place}/repo/deltas/*/*/*"))


def lull(work, build):
    out = f"{work.place}/lull.json"
    Cost().run(f"{build}/bench/bench_delta", work.old, work.new, out=out)
    with open(out, encoding="utf-8") as file:
        figures = json.load(file)
    work.sender.seconds, work.sender.peak = figures["make_seconds"], figures["make_rss"]
    work.receiver.seconds = figures["apply_seconds"]
    return figures["bytes"]


def methods(build):
    return {"whole (zstd -19)": whole, "casync": casync, "rsync -z": rsync, "ostree": ostree, "xdelta3 -9": xdelta3,
            "zstd -19 patch": zstd_patch, "bsdiff": bsdiff, "lull": functools.partial(lull, build=build)}


def measure(method, old, new):
    with tempfile.TemporaryDirectory(prefix="lull-delta-") as place:
        work = Work(old, new, place)
        bytes_ = method(work)
        return {"bytes": bytes_, "size": size(work.new_tar), "sender_s": work.sender.seconds, "sender_peak": work.sender.peak,
                "receiver_s": work.receiver.seconds, "receiver_peak": work.receiver.peak}
