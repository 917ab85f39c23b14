"""Nodes that stop in the middle of a transfer, and readers that take nothing at all: the broker's memory stays within
its bound, the others are served at their usual speed, and whoever goes on afterwards converges.
 COUNT is the number of readers. A reader is a node that is stopped (SIGSTOP) as soon as it has been told of a release;
its kernel takes what its sockets hold, and that is all."""

import os
import signal
import statistics
import sys
import time

import trees
from campaign import Campaign, Skip
from faults import said_before_end

MIB = 1 << 20
CAP = 64 * MIB     # SenderLimits::cap
HEALTHY = 3
LARGE = 96 * MIB
ROUNDS = 3
SLOWER = 1.6       # how much longer the others may take: what the kernel does for stopped sockets counts as well


def memory(pid, figure):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(figure))


class SlowReaders:
    name = "slow-readers"

    def __init__(self, fleet, options):
        if os.cpu_count() < 2:
            raise Skip("one core cannot serve and be served at the same time")
        self.fleet = fleet
        self.readers = options.count
        self.version = 0
        fleet.broker.stop()
        fleet.start_broker("--patch-space", "0")  # nothing but frames is looked at here

    @staticmethod
    def parse(text):
        return text

    def point(self, _number):
        return "all"

    def publish(self, software, size):
        self.version += 1
        version = f"1.{self.version}"
        tree = trees.make(f"{self.fleet.directory}/source-{software}", version, files=1, large=size)
        self.fleet.publish(tree, version, "--start", "bin/app", software=software)
        return version

    def transfer(self, nodes, software):
        """Seconds from the publication to the last node that has all of it staged."""
        marks = [node.daemon.mark() for node in nodes]
        version = self.publish(software, LARGE)
        begun = time.monotonic()
        for node, mark in zip(nodes, marks):
            node.daemon.wait_for(f": {software} {version}: staged", 300, mark)
        return time.monotonic() - begun

    def strike(self, _point):
        fleet = self.fleet
        healthy = [fleet.add_node(f"healthy-{i}").start() for i in range(HEALTHY)]
        self.publish("app", MIB)
        usual = statistics.median(self.transfer(healthy, "app") for _ in range(ROUNDS))
        readers = [fleet.add_node(f"reader-{i}").start() for i in range(self.readers)]
        fleet.checker.check_converged(timeout=300)
        quiet = memory(fleet.broker.pid, "VmRSS")
        self.stop_in_the_middle(readers)
        crowded = statistics.median(self.transfer(healthy, "app") for _ in range(ROUNDS))
        peak = memory(fleet.broker.pid, "VmHWM")
        most = quiet + 2 * CAP + 16 * MIB
        print(
            f"{self.readers} readers that stopped: the broker had {quiet / MIB:.0f} MiB before and {peak / MIB:.0f} "
            "MiB at most "
            f"(bound {most / MIB:.0f}); {HEALTHY} others took {LARGE // MIB} MiB in {usual:.2f} s before and "
            f"{crowded:.2f} s then "
            f"({crowded / usual:.2f} times)",
            flush=True)
        assert peak <= most, "the broker took more memory than its bound"
        assert crowded <= SLOWER * usual + 1, "the others were not served at their usual speed"
        self.publish("app", MIB)
        for reader in readers:
            reader.daemon.process.send_signal(signal.SIGCONT)
        fleet.checker.check_converged(timeout=600)
        return ["stopped and continued"] * self.readers

    def stop_in_the_middle(self, readers):
        """All readers ask for the next release, and stop."""
        marks = [reader.daemon.mark() for reader in readers]
        version = self.publish("app", 24 * MIB)
        for reader, mark in zip(readers, marks):
            said_before_end(reader.daemon, f"app {version}: fetching", 120, mark)
            reader.daemon.process.send_signal(signal.SIGSTOP)


if __name__ == "__main__":
    sys.exit(Campaign([SlowReaders], __doc__).run())
