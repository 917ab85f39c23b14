"""The wall clock of a node, the broker or a publisher jumps, by seconds up to ten years, forwards and back, while a
release goes its way and between starts: numbers never fall, nothing acknowledged is lost, nobody runs in circles, and
all converge."""

import dataclasses
import mmap
import os
import random
import struct
import sys

from campaign import Campaign
from faults import Fault, said_before_end
from fleet import LULL, rows_of

YEAR = 365 * 86400
MOMENTS = ("connected", "recorded", "fetching", "active", "restart")
BUSY = 1.5  # CPU seconds that a daemon may need for a release


@dataclasses.dataclass
class Point:
    who: str
    when: str
    seconds: int

    def __str__(self):
        return f"{self.who} {self.when} {self.seconds}"


class Clock:
    """The file that says by how many seconds a program's clock is wrong."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(bytes(8))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8)

    def set(self, seconds):
        self.map[:] = struct.pack("=q", seconds)

    def through(self):
        return Fault(clock=self.path).through()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        user, system = file.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


class Jumps:
    name = "jumps"

    def __init__(self, fleet, _options):
        self.fleet = fleet
        self.version = 0
        self.clocks = {who: Clock(f"{fleet.directory}/clock-{who}") for who in ("node", "broker", "publisher")}
        self.node = fleet.add_node("node")
        self.restart_broker()
        self.start_node()
        self.publish()
        fleet.checker.check_converged()

    @staticmethod
    def parse(text):
        who, when, seconds = text.split()
        return Point(who, when, int(seconds))

    def point(self, number):
        chance = random.Random(number)
        widest = (10, 4000, 90_000, 10 * YEAR)[number % 4]
        return Point(chance.choice(list(self.clocks)), chance.choice(MOMENTS), chance.randint(-widest, widest))

    def start_node(self):
        self.node.start(through=self.clocks["node"].through(), wait=False)
        assert said_before_end(self.node.daemon, "announcements: connected"), self.node.daemon.tail()

    def restart_broker(self):
        if self.fleet.broker.running():
            assert self.fleet.broker.stop() == 0
        self.fleet.start_broker(through=self.clocks["broker"].through())

    def publish(self):
        self.version += 1
        version = f"1.{self.version}"
        through = self.clocks["publisher"].through()
        self.fleet.publish_new(version, through=through, files=4, large=64 << 10)
        return version

    def strike(self, point):
        clock = self.clocks[point.who]
        node = self.node.daemon
        before = {daemon.pid: cpu_seconds(daemon.pid) for daemon in (node, self.fleet.broker)}
        mark = node.mark()
        if point.when == "connected":
            clock.set(point.seconds)
        if point.when == "restart":
            self.node.stop()
            self.restart_broker()
            clock.set(point.seconds)
            self.start_node()
            node, mark = self.node.daemon, 0
        version = self.publish()
        if point.when in ("recorded", "fetching", "active"):
            node.wait_for(rf"app {version}|recorded release .* {version}", after=mark)
            clock.set(point.seconds)
        self.fleet.checker.check_converged()
        for daemon in (node, self.fleet.broker):
            used = cpu_seconds(daemon.pid) - before.get(daemon.pid, 0)
            assert used < BUSY, f"{daemon.name} used {used:.1f} CPU seconds for a release of 64 KiB"
        rows = rows_of(self.fleet.run(LULL, "status", "--json").out)
        assert rows["node"]["active"] == version, rows
        return [f"{point.who}, {'forwards' if point.seconds >= 0 else 'back'}, {point.when}"]


if __name__ == "__main__":
    sys.exit(Campaign([Jumps], __doc__).run())
