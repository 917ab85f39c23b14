"""What commands cost: CPU seconds and peak memory, and the two trees that they work on."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import time


class Failed(Exception):
    """A command that ended with an error, or a result that is not the new version."""


def clean_environment():
    """No proxies: everything is on this machine. No translations: output is read."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return {**kept, "LC_ALL": "C.UTF-8"}


class Cost:
    """CPU seconds of all commands that are run through it, with their children, and the memory of the largest process.

    `time` stands between, because a process inherits the peak memory of the one that starts it, Python's otherwise."""

    def __init__(self, place, name):
        self.peak_file, self.said_file = f"{place}/{name}.peak", f"{place}/{name}.said"
        self.environment = clean_environment()
        self.seconds = 0.0
        self.peak = 0

    def start(self, *command, cwd=None, out=None):
        timed = ["time", "-q", "-f", "%M", "-o", self.peak_file, "--", *map(str, command)]
        with open(out or os.devnull, "wb") as sink, open(self.said_file, "wb") as said:
            return subprocess.Popen(timed, cwd=cwd, env=self.environment, stdin=subprocess.DEVNULL,
                                    stdout=sink, stderr=said)

    def wait(self, process, what):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            with open(self.said_file, encoding="utf-8", errors="replace") as said:
                raise Failed(f"{what} ended with {process.returncode}: {said.read().strip()[-300:]}")
        self.seconds += usage.ru_utime + usage.ru_stime
        with open(self.peak_file, encoding="utf-8") as peak:
            self.peak = max(self.peak, int(peak.read()) * 1024)

    def run(self, *command, cwd=None, out=None):
        self.wait(self.start(*command, cwd=cwd, out=out), command[0])


class RsyncDaemon:
    """An rsync daemon on loopback that gives one directory, ended by its pid; its cost is known afterwards."""

    def __init__(self, cost, tree, place):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.cost, self.pid_file, self.settings = cost, f"{place}/rsyncd.pid", f"{place}/rsyncd.conf"
        lines = ["address = 127.0.0.1", f"port = {self.port}", "use chroot = no", f"pid file = {self.pid_file}",
                 f"log file = {place}/rsyncd.log", "[new]", f"path = {tree}", "read only = yes"]
        if os.getuid() == 0:
            lines += ["uid = 0", "gid = 0"]
        with open(self.settings, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    @property
    def url(self):
        return f"rsync://127.0.0.1:{self.port}/new/"

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def __enter__(self):
        self.process = self.cost.start("setpriv", "--pdeathsig", "KILL", "--", "rsync", "--daemon", "--no-detach",
                                       f"--config={self.settings}")
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline:
                self.process.kill()
                raise Failed("the rsync daemon does not answer")
            time.sleep(0.05)
        return self

    def __exit__(self, kind, *_):
        with open(self.pid_file, encoding="utf-8") as file:
            os.kill(int(file.read()), signal.SIGTERM)
        try:
            self.cost.wait(self.process, "the rsync daemon")
        except Failed:
            if kind is None and self.process.returncode != 20:  # 20: it got a signal
                raise


def entries_of(tree):
    """What a release consists of: directories, files with their right to be run, targets of links. By relative path."""
    entries = {}
    for directory, names, files in os.walk(tree):
        for name in names + files:
            path = os.path.join(directory, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                about = ("link", os.readlink(path))
            elif stat.S_ISDIR(mode):
                about = ("directory",)
            else:
                about = ("file", bool(mode & 0o100), os.path.getsize(path))
            entries[os.path.relpath(path, tree)] = about
    return entries


def same_bytes(one, other):
    return subprocess.run(["cmp", "--quiet", one, other], check=False).returncode == 0


class Work:
    """The two trees, as directories and as archives, a place for the method's own files, and the cost of both ends."""

    def __init__(self, old, new, place):
        self.old, self.new, self.place = old, new, place
        self.old_tar, self.new_tar, self.result = f"{place}/old.tar", f"{place}/new.tar", f"{place}/result"
        for tree, archive in ((old, self.old_tar), (new, self.new_tar)):
            subprocess.run(["tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner",
                            "-cf", archive, "-C", tree, "."], check=True)
        self.sender, self.receiver, self.uncounted = (Cost(place, name) for name in ("sender", "receiver", "uncounted"))

    @property
    def size(self):
        return os.path.getsize(self.new_tar)

    def old_copy(self):
        """The receiver's copy of the old tree, which the method may change."""
        return shutil.copytree(self.old, f"{self.place}/copy", symlinks=True)

    def check_archive(self):
        if not same_bytes(self.result, self.new_tar):
            raise Failed("the result is not the new version")

    def check_tree(self, tree):
        entries = entries_of(self.new)
        if entries != entries_of(tree):
            raise Failed("the result has other entries than the new version")
        for path, about in entries.items():
            if about[0] == "file" and not same_bytes(f"{self.new}/{path}", f"{tree}/{path}"):
                raise Failed(f"{path} is not what the new version has")
