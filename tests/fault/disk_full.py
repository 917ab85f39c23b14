"""A disk has room for so many blocks, or so many bytes, and no more when a release is installed or published: the error
is clear, nothing acknowledged is lost, and when there is room again it goes on."""

import errno
import re
import sys

import trees
from campaign import Campaign, Skip, spread
from disks import BLOCK, Disk, move
from faults import Fault, read_trace, said_before_end, settle
from fleet import LULL
from fullness import SAYS_FULL, SAYS_WAIT, THEN, Point, check_end, check_refused, parse
from kill_at_call import SHAPE, BrokerPublishes, NodeInstalls
from waiting import wait_until

LARGER = {"files": 12, "large": 96 << 10}
NODES = 8                     # fill their disks at the same time, each to another block
RESERVES = ("0 B", "16 KiB")  # of the nodes in turn: smaller than the usual one, so that the disk is what fails
BROKER_RESERVE = (16 << 20) // BLOCK  # with less than that free the broker takes nothing
TAKES_ROOM = "write,allocate,copy,directory,link"


class NodesFill:
    """Some nodes on disks of their own take a release, each with another number of blocks free."""

    name = "node"
    parse = staticmethod(parse)

    def __init__(self, fleet, options):
        if options.control:
            raise Skip("the planted bug is the broker's")
        self.fleet = fleet
        self.version = 0
        self.disks = {}
        for i in range(NODES):
            disk = Disk(fleet, f"disk-{i}", 16 << 20)
            node = fleet.add_node(f"disk-{i}/node")
            self.disks[node] = disk
            self.start(node)
        self.publish()
        fleet.checker.check_converged()
        before = min(disk.free() for disk in self.disks.values())
        self.publish()
        fleet.checker.check_converged()
        # What a release takes, the old one being there still, and a few blocks more than anybody needs.
        self.needed = (before - min(disk.free() for disk in self.disks.values())) // BLOCK * 4

    def start(self, node, wait=True):
        return node.start("--reserve", RESERVES[self.fleet.nodes.index(node) % len(RESERVES)], wait=wait)

    def publish(self):
        self.version += 1
        self.fleet.publish_new(f"1.{self.version}", **LARGER)
        return f"1.{self.version}"

    def point(self, number):
        """From no block at all to a few more than are needed; the nodes share them."""
        share = -(-self.needed // NODES)
        return Point(spread(number, share), THEN[number % len(THEN)])

    def strike(self, point):
        share = -(-self.needed // NODES)
        for i, (node, disk) in enumerate(self.disks.items()):
            if not node.daemon.running():
                self.start(node)
            disk.fill(point.room + i * share)
        marks = {node: node.daemon.mark() for node in self.disks}
        version = self.publish()
        outcomes = [self.outcome(node, version, marks[node]) for node in self.disks]
        self.fleet.checker.check_running()
        if point.then == "crash":
            self.start_on_full_disks(version)
        for disk in self.disks.values():
            disk.empty()
        for node in self.disks:
            if point.then in ("anew", "crash") and node.daemon.running():
                node.stop()
            if not node.daemon.running():
                self.start(node)
        if point.then == "next":
            self.publish()
        self.fleet.checker.check_converged(timeout=150)
        return outcomes

    def outcome(self, node, version, mark):
        """Installed, refused or ended; refused and ended as they should."""
        daemon = node.daemon
        said_before_end(daemon, rf": app {version}: (active|failed)|{SAYS_WAIT}", after=mark)
        refused = daemon.find(rf": app {version}: failed", mark)
        waits = daemon.find(SAYS_WAIT, mark)
        if waits:
            assert re.search(SAYS_FULL, waits), waits
            return "waits"
        if refused:
            assert re.search(SAYS_FULL, refused), refused
            self.check_told(node, version)
        if not daemon.running():
            check_end(daemon, mark)
            return "ended"
        return "refused" if refused else "installed"

    def check_told(self, node, version):
        """The operator reads the same in the ledger, unless the node has ended since."""

        def told():
            row = self.fleet.ledger().get(node.name, {})
            return not node.daemon.running() or (row.get("release") == version
                                                 and re.search(SAYS_FULL, row.get("why", "")))

        wait_until(told, 30, f"{node.name}: that there is no room for {version} is in the ledger")

    def start_on_full_disks(self, version):
        """Whoever is started while the disk is full serves what it has, or ends and says why."""
        for node in self.disks:
            if node.daemon.running():
                node.stop()
            daemon = self.start(node, wait=False).daemon
            if said_before_end(daemon, rf": app {version}: (active|failed)|announcements: connected|{SAYS_WAIT}"):
                settle(daemon, daemon.log, 0)
            if not daemon.running():
                check_end(daemon)
        self.fleet.checker.check_running()


class BrokerFills:
    """The broker takes a release with so many blocks free. Half of the points lie above its reserve; below it, its
    database may fail."""

    name = "broker"
    parse = staticmethod(parse)

    def __init__(self, fleet, options):
        self.fleet = fleet
        self.version = 0
        self.disk = Disk(fleet, "disk", 160 << 20)
        fleet.broker.stop()
        fleet.broker_directory = move(fleet.broker_directory, self.disk)
        fleet.start_broker()
        self.node = fleet.add_node("node").start()
        before = self.disk.free()
        for _ in range(2):
            self.publish()
        self.needed = (before - self.disk.free()) // BLOCK * 2
        self.through = ()
        if options.control:  # the planted bug: what is not written is said to be
            lie = Fault(do="fail", at=1, times=0, kinds="write", under="/packs/", lie="errors")
            self.through = lie.through()
            fleet.broker.stop()
            fleet.start_broker(through=self.through)

    def point(self, number):
        room = spread(number // 2, self.needed)
        return Point(room + BROKER_RESERVE if number % 2 else room, "crash" if number % 8 == 0 else "next")

    def next_tree(self):
        self.version += 1
        self.tree = trees.make(f"{self.fleet.directory}/source-app", f"1.{self.version}", **LARGER)

    def publish(self):
        self.next_tree()
        self.again()

    def again(self):
        self.fleet.publish(self.tree, f"1.{self.version}", "--start", "bin/app")

    def attempt(self):
        self.next_tree()
        command = [LULL, "publish", self.tree, "--name", "app", "--version", f"1.{self.version}", "--start", "bin/app"]
        return self.fleet.run(*command, status=None)

    def strike(self, point):
        self.disk.fill(point.room)
        broker, mark = self.fleet.broker, self.fleet.broker.mark()
        outcome = self.attempt()
        running = broker.running()
        if outcome.status:
            check_refused((outcome.status, outcome.err), broker)
        if running:
            if outcome.status == 0:
                self.again()  # so that the checker knows of it
            self.fleet.checker.check_broker()
        else:
            check_end(broker, mark)
        if point.then == "crash":
            broker.kill()
            broker = self.fleet.start_broker(wait=False, through=self.through)
            if not said_before_end(broker, "listening on"):
                check_end(broker)
        self.disk.empty()
        if not broker.running():
            self.fleet.start_broker(through=self.through)
        self.again()
        taken = self.node.daemon.wait_for(f": app 1.{self.version}: (active|failed)")
        assert "active" in taken, f"what the broker has acknowledged cannot be installed: {taken}"
        self.fleet.checker.check_converged(timeout=60)
        return ["taken" if outcome.status == 0 else "refused" if running else "ended"]


class FullFromByte:
    """Turns a scenario of kills into one where others fill the disk in the middle: from some byte on nothing can be
    written."""

    parse = staticmethod(parse)
    planted = "errors"

    def point(self, number):
        total = sum(call.bytes for call in self.calls if call.kind == "write")
        return Point(spread(number, total), "itself" if number % 40 == 39 else ("next", "anew")[number % 2])

    def fault(self, at=None, do=None):
        self.traces += 1
        trace = f"{self.fleet.directory}/trace-{self.traces}"
        if do is None:
            return Fault(kinds=TAKES_ROOM, trace=trace)
        self.room = f"{self.fleet.directory}/room-{self.traces}"
        where = {"at_byte": at} if at else {"at": 1}
        return Fault(do="fail",
                     kinds=TAKES_ROOM,
                     trace=trace,
                     errno=errno.ENOSPC,
                     times=0,
                     until=self.room,
                     lie=self.lie,
                     **where)

    def make_room(self):
        trees.write(self.room, b"")

    def killed(self, daemon, fault):
        return False

    @staticmethod
    def reached(fault):
        return sum(call.bytes for call in read_trace(fault.trace) if call.kind == "write") > (fault.at_byte or 0)


class NodeFillsUp(FullFromByte, NodeInstalls):
    name = "node-bytes"

    def strike(self, point):
        fault = self.fault(point.room, "fail")
        daemon = self.node.start(through=fault.through(), wait=False).daemon
        said_before_end(daemon, f"announcements: connected|{SAYS_WAIT}")
        version = self.next_version()
        self.fleet.publish_new(version, **SHAPE)
        said_before_end(daemon, rf": app {version}: (active|failed)|{SAYS_WAIT}")
        settle(daemon, fault.trace, 0)
        refused = daemon.find(rf": app {version}: failed")
        assert not refused or re.search(SAYS_FULL, refused), refused
        ended = not daemon.running()
        if ended:
            check_end(daemon)
        waits = daemon.find(SAYS_WAIT)  # and its calls go on to fail
        assert not waits or re.search(SAYS_FULL, waits), waits
        self.fleet.checker.check_running()
        self.make_room()
        if ended or waits or point.then == "anew":
            if daemon.running():
                self.node.stop()
            self.node.start()
        elif point.then == "next":
            self.fleet.publish_new(self.next_version(), **SHAPE)
        self.fleet.checker.check_converged(timeout=150)
        self.node.stop()
        outcome = "ended" if ended else "waits" if waits else "refused" if refused else "installed"
        return [outcome] if self.reached(fault) else []


class BrokerFillsUp(FullFromByte, BrokerPublishes):
    name = "broker-bytes"

    def until_active(self, broker, version):
        node = self.node.daemon
        wait_until(
            lambda: not broker.running() or self.publisher.poll() or node.find(f": app {version}: (active|failed)"), 60,
            f"{version} was published and taken, or refused")

    def strike(self, point):
        fault = self.fault(point.room, "fail")
        self.serve(fault)
        broker = self.fleet.broker
        ended = not broker.running()
        if ended:
            check_end(broker)
        self.make_room()
        if ended or point.then == "anew":
            self.restart()
            self.node.start()
        _, said = self.publisher.communicate(timeout=90)
        self.fleet.at_end.pop()
        refused = self.publisher.returncode
        if refused:
            check_refused((refused, said), broker)
        self.fleet.publish(self.tree, f"1.{self.version}", "--start", "bin/app")
        self.fleet.checker.check_broker()
        self.fleet.checker.check_converged()
        self.node.stop()
        return ["ended" if ended else "refused" if refused else "taken"] if self.reached(fault) else []


if __name__ == "__main__":
    sys.exit(Campaign([NodesFill, BrokerFills, NodeFillsUp, BrokerFillsUp], __doc__).run())
