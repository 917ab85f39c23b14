"""Each call by which a program changes or opens files fails once, in each way it can: nothing acknowledged is lost, the
program says what is wrong and goes on or ends properly, and when the fault is gone all converge."""

import collections
import dataclasses
import errno
import os
import re
import shutil
import subprocess
import sys

import trees
from campaign import Campaign, spread
from checker import Checker
from faults import Fault, read_trace, said_before_end, settle
from fleet import BROKER, LULL, NODE
from kill_at_call import SHAPE, BrokerPublishes, NodeInstalls, PublisherBuilds
from waiting import wait_until

KINDS = "write,sync,create,open,rename,link,remove,directory,truncate,allocate,copy,mode"
WAYS = {
    "write": ("ENOSPC", "EIO", "short"),
    "sync": ("EIO", "ENOSPC"),
    "create": ("ENOSPC", "EMFILE", "EACCES"),
    "open": ("EMFILE", "EIO", "EACCES"),
    "rename": ("ENOSPC", "EIO", "EACCES"),
    "link": ("ENOSPC", "EACCES"),
    "remove": ("EIO", "EACCES"),
    "directory": ("ENOSPC", "EACCES"),
    "truncate": ("EIO",),
    "allocate": ("ENOSPC", "EIO"),
    "copy": ("ENOSPC", "EIO"),
    "mode": ("EIO",),
}
# How it goes on: the process is started anew, or the same one takes the next release, or tries again by itself after a
# minute.
THEN = ("anew", "next", "anew", "next", "anew", "next", "anew", "itself")
LOST_WRITE = 70  # ends a program whose fsync failed: it is not known any more what is on the disk
NO_ROOM = "is full|no room|make room"  # what a lack of space is called beside its own name


@dataclasses.dataclass
class Point:
    at: int
    way: str  # the name of an error, or short
    then: str = "anew"

    def __str__(self):
        return f"{self.at} {self.way} {self.then}"


class Places(Campaign):
    """Says at the end how many of the places that calls come from were struck."""

    known = collections.defaultdict(set)
    struck_at = collections.defaultdict(set)  # (place, way)
    tried = collections.Counter()

    def summary(self):
        for name, places in self.known.items():
            struck = {place for place, _ in self.struck_at[name]}
            pairs = sum(len(WAYS[kind]) for kind, _, _ in places)
            print(
                f"  {name}: {len(struck & places)} of {len(places)} places struck, {len(struck - places)} beside them; "
                f"{len(self.struck_at[name])} of about {pairs} pairs of place and error")
            for place in sorted(places - struck)[:10]:
                print(f"    never struck: {' '.join(place)}")
        super().summary()


class CallFails:
    """Turns a scenario of kills into one of failing calls."""

    planted = "errors"

    @staticmethod
    def parse(text):
        at, way, then = text.split()
        return Point(int(at), way, then)

    def place_of(self, call):
        """Where in the program a call comes from, as well as its function and path tell. Names of files of a tree don't
        matter."""
        path = os.path.relpath(call.path, self.fleet.directory) if call.path else ""
        path = re.sub(r"(versions/[^/]*|source-app)/.+", r"\1/*", path)
        path = re.sub(r"[0-9a-f]{16,}|(?<=\.lull-)\w+|\d+(\.\d+)*", "#", path)
        return call.kind, call.name, path

    def choices(self):
        """Every call with each of its errors, by turns of the places that they come from: so a few points see many
        places."""
        choices = collections.defaultdict(list)
        for call in self.calls:
            choices[self.place_of(call)] += [(call.number, way) for way in WAYS[call.kind]]
        return choices

    def point(self, number):
        """First each place with each error, none twice before all were there, and then any call."""
        then = THEN[number % len(THEN)]
        choices = self.choices()
        if self.lie:
            return Point(*self.choices_to_lie(choices)[number % 20], "anew")
        Places.known[self.name] |= set(choices)
        for turn in range(2 * max(map(len, WAYS.values()))):
            for place, calls in choices.items():
                way = WAYS[place[0]][turn % len(WAYS[place[0]])]
                if (place, way) in Places.struck_at[self.name] or Places.tried[(self.name, place, way)] >= 3:
                    continue
                Places.tried[(self.name, place, way)] += 1
                at = [at for at, of in calls if of == way]
                return Point(at[number % len(at)], way, then)
        every = [choice for calls in choices.values() for choice in calls]
        return Point(*every[spread(number, len(every))], then)

    def choices_to_lie(self, choices):
        """Where a write that is forgotten has to be found: the tree and what is fetched for it."""
        return [
            choice for place, calls in choices.items() if ".staging-" in place[2] or "/incoming/" in place[2]
            for choice in calls
        ] * 20

    def fault(self, at=None, do=None):
        self.traces += 1
        how = {} if do is None else {"do": "shorten"} if do == "short" else {"do": "fail", "errno": getattr(errno, do)}
        return Fault(at=at,
                     kinds="write" if self.lie else KINDS,
                     lie=self.lie,
                     trace=f"{self.fleet.directory}/trace-{self.traces}",
                     **how)

    def phases(self, fault, way, outcome):
        """What was struck, and what came of it; nothing if the call was not reached."""
        call = next((call for call in read_trace(fault.trace) if call.number == fault.at), None)
        if call is None:
            return []
        self.last = call
        Places.struck_at[self.name].add((self.place_of(call), way))
        return [f"{call.kind} {way}: {outcome}"]

    @staticmethod
    def names_reason(way, said):
        reason = "" if way == "short" else os.strerror(getattr(errno, way))
        pattern = re.escape(reason) + (f"|{NO_ROOM}" if way == "ENOSPC" else "")
        assert re.search(pattern, said), f"nothing of '{reason}' in:\n{said}"
        assert "/" in said, f"it does not say on what:\n{said}"

    def check_end(self, status, said, way, usual=(1,)):
        """A program that fails says why, and ends in order."""
        ended_well = status in usual or (status == 4 and way == "EACCES") or (status == LOST_WRITE
                                                                              and "has to be started again" in said)
        assert ended_well, f"it ended with {status} and said:\n{said}"
        self.names_reason(way, said)

    def check_ended(self, daemon, way):
        """True if it has ended by itself, properly."""
        if daemon.running():
            return False
        self.check_end(daemon.wait(), daemon.tail(5), way)
        return True


class NodeFails(CallFails, NodeInstalls):
    name = "node"

    def fault(self, at=None, do=None):
        """The call is counted among those on its path: how many others there are before it differs from run to run."""
        fault = super().fault(at, do)
        place = self.place_of(self.calls[at - 1])[2] if at else ""
        mark = re.match(r"[^#*]*", place.removeprefix("../..")).group()
        if mark:
            fault.under = mark
            fault.at = sum(mark in call.path for call in self.calls[:at])
        return fault

    def strike(self, point):
        fault = self.fault(point.at, point.way)
        outcome = self.install_or_fail(fault, point.way)
        self.fleet.checker.check_running()
        stays = any("old versions stay" in line
                    for line in self.node.daemon.lines)  # until the next start, release or look at the trees
        if point.then == "anew" or outcome.startswith("ended") or stays:
            if self.node.daemon.running():
                self.node.stop()
            self.node.start()
        elif point.then == "next":
            version = self.next_version()
            self.fleet.publish_new(version, **SHAPE)
            # The call may come only now: how many there are until then differs a little from run to run.
            if not said_before_end(self.node.daemon, rf": app {version}: (active|failed)"):
                self.check_end(self.node.daemon.wait(), self.node.daemon.tail(5), point.way)
                self.node.start()
        self.fleet.checker.check_converged(timeout=150)
        self.node.stop()
        return self.phases(fault, point.way, outcome)

    def install_or_fail(self, fault, way):
        """Until the new release is active, or the node has said that it is not, or has ended."""
        daemon = self.node.start(through=fault.through(), wait=False).daemon
        version = self.next_version()
        said_before_end(daemon, "announcements: connected")
        self.fleet.publish_new(version, **SHAPE)
        said_before_end(daemon, rf": app {version}: (active|failed)")
        settle(daemon, fault.trace, fault.at)
        if self.check_ended(daemon, way):
            return f"ended {daemon.process.returncode}"
        failed = daemon.find(rf": app {version}: failed")
        if failed:
            self.names_reason(way, failed)
            return "refused"
        return "went on, said so" if daemon.find(" (warning|error) ") else "went on"


class BrokerFails(CallFails, BrokerPublishes):
    name = "broker"

    def strike(self, point):
        fault = self.fault(point.at, point.way)
        self.serve(fault)
        if self.check_ended(self.fleet.broker, point.way):
            outcome = f"ended {self.fleet.broker.process.returncode}"
        else:
            outcome = "went on"
        if point.then == "anew" or outcome != "went on":
            self.restart()
        outcome += self.publisher_ends(point.way)
        self.fleet.checker.check_broker()
        if point.then == "anew" or outcome != "went on":
            self.node.daemon.kill()
            self.node.start()
        self.fleet.checker.check_converged()
        self.node.stop()
        return self.phases(fault, point.way, outcome)

    def killed(self, daemon, fault):
        return False  # looked at above

    def until_active(self, broker, version):
        """Until the broker or the publisher has ended, or the node has taken the release or said why not."""
        node = self.node.daemon
        wait_until(
            lambda: not broker.running() or self.publisher.poll() or node.find(f": app {version}: (active|failed)"), 60,
            f"{version} was published and taken, or refused")

    def publisher_ends(self, way):
        """It succeeds, or says why not; then it does when it is called again."""
        out, err = self.publisher.communicate(timeout=90)
        self.fleet.at_end.pop()
        if self.publisher.returncode != 0:
            usual = (1, 3, 4) if "the broker refuses" in err else (1, 3)
            self.check_end(self.publisher.returncode, err, way, usual)
        self.fleet.publish(self.tree, f"1.{self.version}", "--start", "bin/app")
        return ", refused" if self.publisher.returncode else ""


class PublisherFails(CallFails, PublisherBuilds):
    name = "publisher"

    def strike(self, point):
        fault = self.fault(point.at, point.way)
        outcome = self.attempt(fault)
        if outcome.status:
            self.check_end(outcome.status, outcome.err, point.way)
        self.fleet.publish(self.tree, f"1.{self.version}", "--start", "bin/app")
        self.fleet.checker.check_converged()
        return self.phases(fault, point.way, f"ended {outcome.status}" if outcome.status else "went on")


class CommandFails(CallFails):
    """What is called once by hand: it succeeds, or says why not and does when it is called again."""

    name = "commands"

    def __init__(self, fleet, options):
        self.fleet = fleet
        self.traces = 0
        self.lie = self.planted if options.control else None
        self.work = f"{fleet.directory}/work"
        fleet.publish_new("1.1", **SHAPE)
        fleet.lull("nodes", "new", "till", "--out", f"{fleet.directory}/till.join", "--broker", fleet.address)
        self.commands = [
            (LULL, "keygen", "--name", "alice"),
            (BROKER, "init", "--data", f"{self.work}/broker", "--operator", f"{fleet.keys}/public.key", "--listen",
             "127.0.0.1:7700"),
            (BROKER, "backup", "--data", fleet.broker_directory, f"{self.work}/backup"),
            (NODE, "join", f"{fleet.directory}/till.join", "--root", f"{self.work}/node"),
        ]
        self.calls = []
        self.begins = []
        for command in self.commands:
            self.begins.append(len(self.calls))
            fault = self.fault()
            self.call(command, fault, 0)
            self.calls += read_trace(fault.trace)
        self.calls = [dataclasses.replace(call, number=i + 1) for i, call in enumerate(self.calls)]

    def call(self, command, fault, status):
        shutil.rmtree(self.work, ignore_errors=True)
        os.mkdir(self.work)
        return self.again(command, fault, status)

    def again(self, command, fault, status):
        through = fault.through() if fault else []
        return self.fleet.run(*through,
                              *command,
                              status=status,
                              environment={**self.fleet.environment, "LULL_KEYS": f"{self.work}/keys"})

    def strike(self, point):
        which = max(i for i, begin in enumerate(self.begins) if begin < point.at)
        command = self.commands[which]
        fault = self.fault(point.at - self.begins[which], point.way)
        outcome = self.call(command, fault, None)
        if outcome.status:
            self.check_end(outcome.status, outcome.err, point.way)
            again = self.again(command, None, None)
            if outcome.status == LOST_WRITE and again.status == 4:  # what is there may be whole: people decide about it
                assert "choose another" in again.err or "choose a new" in again.err, again
                again = self.call(command, None, 0)
            assert again.status == 0, again
        return self.phases(fault, point.way,
                           f"{command[1]} " + (f"ended {outcome.status}" if outcome.status else "succeeded"))


if __name__ == "__main__":
    sys.exit(Places([NodeFails, BrokerFails, PublisherFails, CommandFails], __doc__).run())
