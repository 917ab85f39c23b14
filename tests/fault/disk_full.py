"""A disk has room for so many blocks of 4 KiB and no more when a release is installed or published: the error is clear, nothing
acknowledged is lost, and when there is room again it goes on."""

import dataclasses
import os
import sys

import trees
from campaign import Campaign, Skip, spread
from disks import Disk, move
from faults import Fault, said_before_end
from fleet import LULL

BLOCK = 4096
SHAPE = {"files": 12, "large": 96 << 10}
RESERVE = "16 KiB"  # smaller than a node's usual one, so that the disk is what fails
OWN_RETRY = 16      # every so many points the node finds out by itself that there is room again, after a minute


@dataclasses.dataclass
class Point:
    blocks: int  # free when it begins

    def __str__(self):
        return str(self.blocks)


class Fills:
    """A disk that another one's file fills."""

    @staticmethod
    def parse(text):
        return Point(int(text))

    def fill(self, blocks):
        """Leaves so many blocks free."""
        self.filling = f"{self.disk.place}/filling"
        with open(self.filling, "wb") as file:
            size = max(0, self.disk.free() // BLOCK - blocks)
            while size > 0:  # what the file system needs for the file itself is not known beforehand
                try:
                    os.posix_fallocate(file.fileno(), 0, size * BLOCK)
                    break
                except OSError:
                    size -= 1
            while self.disk.free() < blocks * BLOCK and size > 0:
                size -= 1
                os.ftruncate(file.fileno(), size * BLOCK)

    def empty(self):
        os.remove(self.filling)

    def point(self, number):
        """From no block at all to a few more than are needed, each once before any twice."""
        return Point(spread(number, self.needed))


class NodeFills(Fills):
    name = "node"

    def __init__(self, fleet, options):
        self.fleet = fleet
        self.version = 0
        if options.control:
            raise Skip("the planted bug is the broker's")
        self.disk = Disk(fleet, "disk", 16 << 20)
        self.node = fleet.add_node("disk/node")
        self.start()
        before = self.disk.free()
        for _ in range(2):
            self.publish()
            fleet.checker.check_converged()
        self.needed = (before - self.disk.free()) // BLOCK * 2

    def start(self, wait=True):
        return self.node.start("--reserve", RESERVE, wait=wait)

    def publish(self):
        self.version += 1
        self.fleet.publish_new(f"1.{self.version}", **SHAPE)
        return f"1.{self.version}"

    def strike(self, point):
        if not self.node.daemon.running():
            self.start()
        self.fill(point.blocks)
        daemon, mark = self.node.daemon, self.node.daemon.mark()
        version = self.publish()
        said_before_end(daemon, rf": app {version}: (active|failed)", after=mark)
        self.fleet.checker.check_running()
        refused = daemon.find(rf": app {version}: failed", mark)
        outcome = "installed"
        if not daemon.running():
            status = daemon.wait()
            said = daemon.find("No space left|is full|no room", mark)
            assert status in (1, 70) and said, f"it ended with {status}:\n{daemon.tail()}"
            outcome = "ended"
        elif refused:
            assert any(word in refused for word in ("No space left", "is full", "no room", "make room")), refused
            outcome = "refused"
        self.empty()
        if outcome != "refused" or point.blocks % OWN_RETRY:
            if daemon.running():
                self.node.stop()
            self.start()
        self.fleet.checker.check_converged(timeout=120)
        return [outcome]


class BrokerFills(Fills):
    name = "broker"

    def __init__(self, fleet, options):
        self.fleet = fleet
        self.version = 0
        self.disk = Disk(fleet, "disk", 48 << 20)
        fleet.broker.stop()
        fleet.broker_directory = move(fleet.broker_directory, self.disk)
        fleet.start_broker()
        self.node = fleet.add_node("node").start()
        before = self.disk.free()
        for _ in range(2):
            self.attempt()
        # Beyond its reserve of 16 MiB the broker takes nothing: all of that is tried, and the first blocks of it more often.
        self.needed = (before - self.disk.free()) // BLOCK * 2
        self.patience = 60
        if options.control:  # the planted bug: what does not fit is said to be written
            fleet.broker.stop()
            lie = Fault(do="fail", at=1, times=0, kinds="write", under="/packs/", errno=28, lie="errors")
            fleet.start_broker(through=lie.through())
            self.patience = 5

    def attempt(self, status=0):
        self.version += 1
        self.tree = trees.make(f"{self.fleet.directory}/source-app", f"1.{self.version}", **SHAPE)
        return self.again(status)

    def again(self, status=0):
        version = f"1.{self.version}"
        if status == 0:
            return self.fleet.publish(self.tree, version, "--start", "bin/app")
        command = ["publish", self.tree, "--name", "app", "--version", version, "--start", "bin/app"]
        return self.fleet.run(LULL, *command, status=None)

    def strike(self, point):
        # Half of the points lie above the reserve, where the broker still takes something; the others below, where its database
        # may fail.
        over = (16 << 20) // BLOCK if point.blocks % 2 else 0
        self.fill(over + point.blocks)
        outcome = self.attempt(status=None)
        assert outcome.status in (0, 1, 3), outcome
        if outcome.status:
            assert outcome.err.strip(), outcome
        running = self.fleet.broker.running()
        if running:
            self.fleet.checker.check_broker()
        else:
            assert self.fleet.broker.wait() in (1, 70), self.fleet.broker.tail()
        self.empty()
        if not running:
            self.fleet.start_broker()
        self.again()
        self.fleet.checker.check_converged(timeout=self.patience)
        return ["taken" if outcome.status == 0 else "refused" if running else "ended"]


if __name__ == "__main__":
    sys.exit(Campaign([NodeFills, BrokerFills], __doc__).run())
