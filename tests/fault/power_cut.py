"""The power fails: what is not durable is lost. Nothing acknowledged is, and all converge by themselves.
 The disk of one machine is an ext4 in a file. At the chosen call it stops in the state that it has (EXT4_IOC_SHUTDOWN),
the program is killed, and the file is copied and mounted again."""

import random
import signal
import sys

from campaign import Campaign, spread
from disks import Disk, move
from faults import Fault
from kill_at_call import BrokerPublishes, NodeInstalls, Point

WAYS = ("cut", "cut-late", "cut-byte")


class PowerFails:
    """Turns a scenario of kills into one of power cuts: at a call, or at a byte of what is written."""

    planted = "sync"
    ends = (-signal.SIGKILL, 70)  # another thread may see an error of the disk before the end

    def point(self, number):
        """All calls with and without a last write of the file system's journal; every third point is a byte instead of
        a call."""
        way = WAYS[number % 3]
        turns = sum(call.bytes for call in self.calls) if way == "cut-byte" else len(self.calls)
        return Point(1 + spread(number // 3, turns), way, random.Random(number).randrange(0, self.most_again))

    def fault(self, at=None, do=None):
        self.traces += 1
        trace = f"{self.fleet.directory}/trace-{self.traces}"
        where = {"at_byte": at} if do == "cut-byte" else {"at": at}
        deed = "cut" if do == "cut-byte" else do
        return Fault(do=deed, disk=self.disk.place, lie=self.lie, trace=trace, **where)

    def after_kill(self):
        self.disk.revive()


class NodeLosesPower(PowerFails, NodeInstalls):
    name = "node"

    def prepare(self):
        self.disk = Disk(self.fleet, "disk")
        return "disk/node"


class BrokerLosesPower(PowerFails, BrokerPublishes):
    name = "broker"

    def prepare(self):
        fleet = self.fleet
        self.disk = Disk(fleet, "disk")
        fleet.broker.stop()
        fleet.broker_directory = move(fleet.broker_directory, self.disk)
        fleet.start_broker()
        return "node"


if __name__ == "__main__":
    sys.exit(Campaign([NodeLosesPower, BrokerLosesPower], __doc__).run())
