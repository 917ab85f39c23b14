"""The library that makes calls go wrong: it sees every call by which the programs change files, and does what it is
told."""

import collections
import os
import re
import shutil
import unittest

import trees
from faults import Fault, read_trace
from fleet import BROKER, LULL, FleetTest, main
from waiting import wait_until

KINDS = {
    "write": "write",
    "pwrite64": "write",
    "writev": "write",
    "pwritev": "write",
    "pwritev2": "write",
    "fsync": "sync",
    "fdatasync": "sync",
    "msync": "sync",
    "sync_file_range": "sync",
    "syncfs": "sync",
    "open": "create",
    "openat": "create",
    "openat2": "create",
    "creat": "create",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "link": "link",
    "linkat": "link",
    "symlink": "link",
    "symlinkat": "link",
    "unlink": "remove",
    "unlinkat": "remove",
    "rmdir": "remove",
    "mkdir": "directory",
    "mkdirat": "directory",
    "ftruncate": "truncate",
    "truncate": "truncate",
    "fallocate": "allocate",
    "copy_file_range": "copy",
    "ioctl": "copy",
    "fchmod": "mode",
    "chmod": "mode",
    "fchmodat": "mode",
}
# The library does not know these: the programs must not use them either.
STRANGE = ("mknod", "mknodat", "sendfile", "splice", "sync", "setxattr", "fsetxattr", "io_uring_setup",
           "io_uring_enter")


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class SeesEverything(FleetTest):
    def traced(self, name):
        """A command that runs a program with the library, and strace beside it."""
        self.fault = Fault(trace=f"{self.fleet.directory}/{name}.trace")
        self.seen = f"{self.fleet.directory}/{name}.strace"
        calls = ",".join([*KINDS, *STRANGE])
        variables = [word for pair in self.fault.through()[1:] for word in ("-E", pair)]
        return [
            "strace", "-D", "-f", "-y", "-qq", "-o", self.seen, "-e", f"trace={calls}", "-e", "signal=none", *variables
        ]

    def changes_seen(self):
        """What strace has seen of calls that change files of the fleet, by kind."""
        found = collections.Counter()
        with open(self.seen, encoding="utf-8", errors="replace") as file:
            for line in file:
                match = re.match(r"\d+ +(\w+)\((.*)", line)
                if not match or self.fault.trace in line:
                    continue
                name, arguments = match.groups()
                self.assertNotIn(name, STRANGE, line)
                if KINDS[name] == "write" and not re.match(rf"\d+<{re.escape(self.fleet.directory)}", arguments):
                    continue
                if KINDS[name] == "create" and not re.search("O_CREAT|O_TRUNC|O_TMPFILE", arguments):
                    continue
                if name == "ioctl" and "FICLONE" not in arguments:
                    continue
                found[KINDS[name]] += 1
        return found

    def check(self, least):
        wait_until(lambda: not self.tracer_lives(), 30, "strace has written everything")
        counted = collections.Counter(call.kind for call in read_trace(self.fault.trace))
        self.assertEqual(self.changes_seen(), counted)
        self.assertGreater(sum(counted.values()), least)
        print(dict(counted), flush=True)

    def tracer_lives(self):
        """Whether a process still has strace's output open."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            except OSError:
                continue
            if self.seen in files:
                return True
        return False

    def test_of_a_node(self):
        fleet = self.fleet
        node = fleet.add_node("node").start(through=self.traced("node"))
        for version in ("1.0", "1.1", "1.2", "1.3"):
            fleet.publish_new(version, files=4)
            fleet.checker.check_converged()
        node.stop()
        self.check(least=300)

    def test_of_a_broker(self):
        fleet = self.fleet
        fleet.broker.stop()
        fleet.start_broker("--keep", "2", through=self.traced("broker"))
        fleet.checker.keep = 2
        fleet.add_node("node").start()
        for version in ("1.0", "1.1", "1.2", "1.3"):
            fleet.publish_new(version, files=4)
            fleet.checker.check_converged()
        self.assertEqual(fleet.broker.stop(), 0)
        self.check(least=50)

    def test_of_a_publisher(self):
        fleet = self.fleet
        tree = f"{fleet.directory}/tree"
        trees.make(tree, "1")
        fleet.run(*self.traced("publisher"), LULL, "publish", tree, "--name", "app", "--version", "1")
        self.check(least=3)


class DoesWhatItIsTold(FleetTest):
    """`lull-broker init` is a small program that changes files."""

    def init(self, fault, status):
        data = f"{self.fleet.directory}/new"
        shutil.rmtree(data, ignore_errors=True)
        return self.fleet.run(*fault.through(),
                              BROKER,
                              "init",
                              "--data",
                              data,
                              "--operator",
                              f"{self.fleet.keys}/public.key",
                              status=status)

    def test_the_call_is_not_made_or_is_the_last_one(self):
        trace = f"{self.fleet.directory}/trace"
        self.init(Fault(trace=trace), 0)
        first = next(call for call in read_trace(trace) if call.kind == "rename")
        for do, there in (("kill-before", False), ("kill-after", True)):
            self.init(Fault(do=do, at=first.number), -9)
            self.assertEqual(os.path.lexists(first.path), there, do)

    def test_an_error_of_a_kind_of_call(self):
        outcome = self.init(Fault(do="fail", kinds="sync", at=1, errno=5), 70)
        self.expect(outcome, "Input/output error", "has to be started again")

    def test_a_write_is_cut_short(self):
        trace = f"{self.fleet.directory}/trace"
        self.init(Fault(trace=trace), 0)
        first = next(call.number for call in read_trace(trace)
                     if call.path.endswith("/curve.secret") or "/.lull-" in call.path and call.kind == "write")
        short = f"{self.fleet.directory}/short-trace"
        self.init(Fault(do="shorten", at=first, trace=short), 0)
        self.assertEqual(len(read_trace(short)), len(read_trace(trace)) + 1, "one more write takes the rest")


if __name__ == "__main__":
    main()
