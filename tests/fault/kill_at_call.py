"""SIGKILL before and after every call by which a program changes files: nothing acknowledged is lost, and all converge
by themselves."""

import dataclasses
import json
import random
import signal
import subprocess
import sys

import trees
from campaign import Campaign, spread
from faults import Fault, phase_of, read_trace, said_before_end, settle
from fleet import LULL, NODE

SHAPE = {"files": 4, "large": 64 << 10}
NODE_LANDMARKS = (("/.garbage-", "remove"), ("/.current-new", "activate"), ("/.staging-", "stage"), ("/incoming/",
                                                                                                     "fetch"))
BROKER_LANDMARKS = (("/packs/pack-", "publish"),)


@dataclasses.dataclass
class Point:
    """The call to kill at, and the one to kill the restarted program at (0: none)."""

    at: int
    do: str
    again: int = 0

    def __str__(self):
        return f"{self.at} {self.do} {self.again}"


def parse(text):
    at, do, again = text.split()
    return Point(int(at), do, int(again))


class Scenario:
    """Makes `strike` easy to write: releases, traces, and that a program was killed where it should be."""

    landmarks = ()
    parse = staticmethod(parse)
    planted = "rename"  # the bug of the control
    ends = (-signal.SIGKILL,)

    def __init__(self, fleet, options):
        self.fleet = fleet
        self.version = 0
        self.traces = 0
        self.lie = self.planted if options.control else None
        self.node = fleet.add_node(self.prepare()).start()
        self.calls = read_trace(self.measure().trace)

    def prepare(self):
        """Makes what the fleet lies on; returns where the node belongs."""
        return "node"

    def after_kill(self):
        """What else a fault does to the machine of the program that was killed."""

    def point(self, number):
        """Each call before and after, none twice before all were there, and any few of them from all over the work."""
        if self.lie:
            return Point(number % 4 + 1, "kill-after")
        turn, at = divmod(spread(number, 2 * len(self.calls)), len(self.calls))
        return Point(at + 1, "kill-after" if turn else "kill-before",
                     random.Random(number).randrange(0, self.most_again))

    def fault(self, at=None, do=None):
        self.traces += 1
        # The planted bug is in the switch: only its calls count, or how long an install is decides whether one of them
        # is struck.
        under = "/current" if self.lie and do else None
        return Fault(do=do, at=at, under=under, lie=self.lie, trace=f"{self.fleet.directory}/trace-{self.traces}")

    def next_version(self):
        self.version += 1
        return f"1.{self.version}"

    def killed(self, daemon, fault):
        """Whether it was killed at the call; anything else than that or going on is wrong."""
        if fault.do is None:
            return False
        settle(daemon, fault.trace, fault.at)
        if daemon.running():
            return False
        status = daemon.wait()
        assert status in self.ends, f"{daemon.name} ended with {status}:\n{daemon.tail()}"
        self.after_kill()
        return True

    def phase(self, fault):
        calls = read_trace(fault.trace)
        return f"{phase_of(calls, self.landmarks)}, {fault.do}"


class NodeInstalls(Scenario):
    """A node takes a new release, and removes an old one: start, fetch, stage, activate, remove."""

    name = "node"
    landmarks = NODE_LANDMARKS
    most_again = 60

    def measure(self):
        for _ in range(3):
            self.fleet.publish_new(self.next_version(), **SHAPE)
            self.fleet.checker.check_converged()
        self.node.stop()
        fault = self.fault()
        self.install(fault)
        self.node.stop()
        return fault

    def install(self, fault):
        """Starts the node and publishes; True if it was killed."""
        node = self.node.start(through=fault.through(), wait=False)
        said_before_end(node.daemon, "announcements: connected")
        version = self.next_version()
        self.fleet.publish_new(version, **SHAPE)
        said_before_end(node.daemon, f": app {version}: active")
        settle(node.daemon, fault.trace, fault.at)
        return self.killed(node.daemon, fault)

    def recover(self, fault):
        self.node.start(through=fault.through(), wait=False)
        said_before_end(self.node.daemon, f": app 1.{self.version}: active|announcements: connected")
        return self.killed(self.node.daemon, fault)

    def strike(self, point):
        phases = []
        fault = self.fault(point.at, point.do)
        if self.install(fault):
            phases.append(self.phase(fault))
            self.fleet.checker.check_running()
        else:
            self.node.stop()
        if phases and point.again:
            fault = self.fault(point.again, point.do)
            if self.recover(fault):
                phases.append("recovery, " + self.phase(fault))
                self.fleet.checker.check_running()
            else:
                self.node.stop()
        self.node.start()
        self.let_go()
        self.fleet.checker.check_converged()
        self.node.stop()
        return phases

    def let_go(self):
        """Nobody uses the release."""


class NodeWaits(NodeInstalls):
    """As before, but the release that is replaced is in use: whoever uses it keeps its files, and the node waits for
    him."""

    name = "node-in-use"

    def install(self, fault):
        node = self.node.start(through=fault.through(), wait=False)
        said_before_end(node.daemon, "announcements: connected")
        user = subprocess.Popen([NODE, "run", "app", "--root", node.root],
                                stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL,
                                env=self.fleet.environment)
        self.user = user
        self.fleet.at_end.append(lambda: (user.stdin.close(), user.wait()))
        version = self.next_version()
        self.fleet.publish_new(version, **SHAPE)
        self.fleet.checker.holding(user.pid)
        if said_before_end(node.daemon, f": app {version}: active|waits for pid"):
            settle(node.daemon, fault.trace, fault.at)
        self.fleet.checker.check_holders()
        if not node.daemon.running():
            return self.killed(node.daemon, fault)
        self.let_go()
        said_before_end(node.daemon, f": app {version}: active")
        settle(node.daemon, fault.trace, fault.at)
        return self.killed(node.daemon, fault)

    def let_go(self):
        self.fleet.checker.ended(self.user.pid)
        if self.user.poll() is None:
            self.user.stdin.close()
            self.user.wait(30)
            self.fleet.at_end.pop()

    def recover(self, fault):
        killed = super().recover(fault)
        self.fleet.checker.check_holders()
        return killed


class BrokerPublishes(Scenario):
    """The broker removes a release that is superseded, and takes a new one and the reports of a node."""

    name = "broker"
    fleet_options = {"broker_options": ["--keep", "3"]}
    landmarks = BROKER_LANDMARKS
    most_again = 20

    def measure(self):
        self.fleet.checker.keep = 3
        for _ in range(5):
            self.fleet.publish_new(self.next_version(), **SHAPE)
        self.fleet.checker.check_converged()
        fault = self.fault()
        self.node.stop()
        self.serve(fault)
        self.restart()
        self.finish(patient=True)
        self.node.start()
        self.fleet.checker.check_converged()
        self.node.stop()
        return fault

    def serve(self, fault):
        """Starts the broker, publishes and installs; True if the broker was killed."""
        self.fleet.broker.kill()
        broker = self.fleet.start_broker(through=fault.through(), wait=False)
        said_before_end(broker, "listening on")
        self.node.start(wait=False)
        version = self.next_version()
        self.tree = trees.make(f"{self.fleet.directory}/source-app", version, **SHAPE)
        command = [LULL, "publish", self.tree, "--name", "app", "--version", version, "--start", "bin/app", "--json"]
        self.publisher = subprocess.Popen(command,
                                          env=self.fleet.environment,
                                          stdin=subprocess.DEVNULL,
                                          stdout=subprocess.PIPE,
                                          stderr=subprocess.PIPE,
                                          text=True)
        self.fleet.at_end.append(self.publisher.kill)
        if broker.running():
            self.until_active(broker, version)
        settle(broker, fault.trace, fault.at)
        return self.killed(broker, fault)

    def until_active(self, broker, version):
        """Until the broker has ended or the node is done."""
        node = self.node.daemon
        while broker.running() and not node.find(f": app {version}: active"):
            try:
                broker.process.wait(0.02)
            except subprocess.TimeoutExpired:
                pass

    def restart(self, fault=None):
        """The node starts anew as well: it would connect again only after 1 to 10 s."""
        self.node.daemon.kill()
        self.fleet.broker.kill()
        broker = self.fleet.start_broker(through=fault.through() if fault else (), wait=fault is None)
        if fault:
            said_before_end(broker, "listening on")

    def finish(self, patient):
        """The publisher ends by itself, or is killed and called again: both have to succeed."""
        if not patient:
            self.publisher.kill()
        out, err = self.publisher.communicate(timeout=90)
        self.fleet.at_end.pop()
        if patient:
            assert self.publisher.returncode == 0, f"lull publish ended with {self.publisher.returncode}:\n{err}"
            release = json.loads(out)
            self.fleet.checker.published("app", f"1.{self.version}", release["seq"], release["manifest"],
                                         trees.snapshot(self.tree))
        else:
            self.fleet.publish(self.tree, f"1.{self.version}", "--start", "bin/app")

    def strike(self, point):
        phases = []
        fault = self.fault(point.at, point.do)
        if self.serve(fault):
            phases.append(self.phase(fault))
            if point.again:
                fault = self.fault(point.again, point.do)
                self.restart(fault)
                if self.killed(self.fleet.broker, fault):
                    phases.append("recovery, " + self.phase(fault))
        self.restart()
        self.finish(patient=point.at % 4 == 0)
        self.fleet.checker.check_broker()
        self.node.start()
        self.fleet.checker.check_converged()
        self.node.stop()
        return phases


class PublisherBuilds(Scenario):
    """`lull publish` is killed; called again, it publishes."""

    name = "publisher"
    landmarks = ()
    most_again = 1

    def measure(self):
        fault = self.fault()
        self.publish(fault)
        self.fleet.publish(self.tree, f"1.{self.version}", "--start", "bin/app")
        return fault

    def attempt(self, fault):
        version = self.next_version()
        self.tree = trees.make(f"{self.fleet.directory}/source-app", version, **SHAPE)
        return self.fleet.run(*fault.through(),
                              LULL,
                              "publish",
                              self.tree,
                              "--name",
                              "app",
                              "--version",
                              version,
                              "--start",
                              "bin/app",
                              status=None)

    def publish(self, fault):
        status = self.attempt(fault).status
        assert status in (0, -signal.SIGKILL), f"lull publish ended with {status}"
        return status != 0

    def strike(self, point):
        fault = self.fault(point.at, point.do)
        killed = self.publish(fault)
        self.fleet.publish(self.tree, f"1.{self.version}", "--start", "bin/app")
        self.fleet.checker.check_converged()
        return [self.phase(fault)] if killed else []


SCENARIOS = [NodeInstalls, NodeWaits, BrokerPublishes, PublisherBuilds]

if __name__ == "__main__":
    sys.exit(Campaign(SCENARIOS, __doc__).run())
