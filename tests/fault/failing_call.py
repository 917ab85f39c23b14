"""Each call by which a program changes or opens files fails once, in each way it can: nothing acknowledged is lost, the program says
what is wrong and goes on or ends properly, and when the fault is gone all converge."""

import dataclasses
import errno
import re
import sys

from campaign import Campaign, spread
from faults import Fault, read_trace, said_before_end
from kill_at_call import SHAPE, BrokerPublishes, NodeInstalls, PublisherBuilds

KINDS = "write,sync,create,open,rename,link,remove,directory,truncate,allocate,copy,mode"
WAYS = {
    "write": (errno.ENOSPC, errno.EIO, "short"),
    "sync": (errno.EIO, errno.ENOSPC),
    "create": (errno.ENOSPC, errno.EMFILE, errno.EACCES),
    "open": (errno.EMFILE, errno.EIO, errno.EACCES),
    "rename": (errno.ENOSPC, errno.EIO),
    "link": (errno.ENOSPC,),
    "remove": (errno.EIO,),
    "directory": (errno.ENOSPC,),
    "truncate": (errno.EIO,),
    "allocate": (errno.ENOSPC,),
    "copy": (errno.ENOSPC,),
    "mode": (errno.EIO,),
}
LOST_WRITE = 70  # ends a program whose fsync failed: it is not known any more what is on the disk


@dataclasses.dataclass
class Point:
    at: int
    way: str  # the name of an error, or short

    def __str__(self):
        return f"{self.at} {self.way}"


def parse(text):
    at, way = text.split()
    return Point(int(at), way)


def site_of(call):
    """The place in the program that a call comes from, as well as its function and path tell. Numbers and digests don't matter."""
    name = re.sub(r"[0-9a-f]{16,}|\d+(\.\d+)*", "#", call.path)
    return call.kind, call.name, "/".join(name.rsplit("/", 3)[1:])


class CallFails:
    """Turns a scenario of kills into one of failing calls."""

    parse = staticmethod(parse)
    planted = "errors"

    def ways(self):
        """Every call with each of its errors, by turns of the places that they come from: so a few points see many places."""
        places, seen = {}, []
        for call in self.calls:
            places.setdefault(site_of(call), []).append(call)
        for round_ in range(max(len(calls) for calls in places.values())):
            for calls in places.values():
                if round_ < len(calls):
                    call = calls[round_]
                    seen += [Point(call.number, way if way == "short" else errno.errorcode[way]) for way in WAYS[call.kind]]
        self.places = len(places)
        return seen

    def point(self, number):
        points = self.ways()
        return points[number] if number < self.places else points[spread(number, len(points))]

    def fault(self, at=None, do=None):
        self.traces += 1
        how = {} if do is None else {"do": "shorten"} if do == "short" else {"do": "fail", "errno": getattr(errno, do)}
        return Fault(at=at, kinds="write" if self.lie else KINDS, lie=self.lie, trace=f"{self.fleet.directory}/trace-{self.traces}", **how)

    def struck(self, fault):
        """Where the call was made that failed, if it was reached."""
        calls = read_trace(fault.trace)
        if len(calls) < (fault.at or 0):
            return []
        call = calls[fault.at - 1]
        return [f"{' '.join(site_of(call)[1:])}: {'short' if fault.do == 'shorten' else errno.errorcode[fault.errno]}"]

    @staticmethod
    def check_end(status, said):
        """A program that fails says why."""
        ended_well = status == 0 or (status in (1, 3, 4) and said.strip()) or (status == LOST_WRITE and "has to be started again" in said)
        assert ended_well, f"it ended with {status} and said:\n{said}"

    def killed(self, daemon, fault):
        """Not killed, but it may have ended by itself."""
        if daemon.running():
            return False
        self.check_end(daemon.wait(), daemon.tail(5))
        return True


class NodeFails(CallFails, NodeInstalls):
    name = "node"

    def strike(self, point):
        fault = self.fault(point.at, point.way)
        self.install_or_fail(fault)
        self.fleet.checker.check_running()
        if self.node.daemon.running():
            self.node.stop()
        self.node.start()
        self.fleet.checker.check_converged()
        self.node.stop()
        return self.struck(fault)

    def install_or_fail(self, fault):
        """Until the new release is active, or the node has said that it is not, or has ended."""
        node = self.node.start(through=fault.through(), wait=False)
        version = self.next_version()
        said_before_end(node.daemon, "announcements: connected")
        self.fleet.publish_new(version, **SHAPE)
        said_before_end(node.daemon, rf": app {version}: (active|failed)")
        self.killed(node.daemon, fault)


class BrokerFails(CallFails, BrokerPublishes):
    name = "broker"

    def strike(self, point):
        fault = self.fault(point.at, point.way)
        self.serve(fault)
        self.killed(self.fleet.broker, fault)
        self.restart()
        self.finish(patient=False)
        self.fleet.checker.check_broker()
        self.node.start()
        self.fleet.checker.check_converged()
        self.node.stop()
        return self.struck(fault)


class PublisherFails(CallFails, PublisherBuilds):
    name = "publisher"

    def strike(self, point):
        fault = self.fault(point.at, point.way)
        outcome = self.attempt(fault)
        self.check_end(outcome.status, outcome.err)
        self.fleet.publish(self.tree, f"1.{self.version}", "--start", "bin/app")
        self.fleet.checker.check_converged()
        return self.struck(fault)


if __name__ == "__main__":
    sys.exit(Campaign([NodeFails, BrokerFails, PublisherFails], __doc__).run())
