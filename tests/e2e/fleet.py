"""A broker, its operator and its nodes on loopback, in a directory of their own.
 A test derives from FleetTest: `self.fleet` is there in each method, everything that was started ends with it, and the
directory stays if the method failed. LULL_BUILD names the build whose programs are used (default: build/release)."""

import json
import os
import random
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

import trees
from checker import Checker
from daemon import Daemon
from waiting import wait_until

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LULL_BUILD", os.path.join(REPOSITORY, "build", "release"))
BROKER = os.path.join(BUILD, "broker", "lull-broker")
LULL = os.path.join(BUILD, "publisher", "lull")
NODE = os.path.join(BUILD, "subscriber", "lull-node")
NOBODY = 65534


def free_ports():
    """The first of three neighbours that nobody listens on, below the ports that the kernel hands out."""
    for _ in range(1000):
        base = random.randrange(20_000, 32_000)
        try:
            for port in range(base, base + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
    raise AssertionError("no three free ports in a row were found")


def rows_of(status):
    """The rows of `lull status --json` by the node's name."""
    return {row["node"]: row for row in json.loads(status)["status"]}


class Outcome:
    """How a command ended."""

    def __init__(self, command, done):
        self.command = " ".join(map(str, command))
        self.status = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __str__(self):
        return f"{self.command}\nexit status {self.status}\n--- out\n{self.out}--- err\n{self.err}"


class Node:
    def __init__(self, fleet, place, address):
        self.fleet = fleet
        self.name = place.replace("/", "-")
        self.root = f"{fleet.directory}/{place}"
        self.bundle = f"{fleet.directory}/{self.name}.join"
        self.daemon = None
        fleet.lull("nodes", "new", self.name, "--out", self.bundle, "--broker", address)
        fleet.run(NODE, "join", self.bundle, "--root", self.root)

    def start(self, *options, wait=True, through=()):
        """Starts the daemon; `through` is a command that it runs under."""
        command = [*through, NODE, "daemon", "--root", self.root, *options]
        self.daemon = self.fleet.start(self.name, command)
        if wait:
            self.daemon.wait_for("announcements: connected")
        return self

    def stop(self):
        status = self.daemon.stop()
        assert status == 0, f"{self.name} ended with {status}:\n{self.daemon.tail()}"

    def status(self):
        return json.loads(self.fleet.run(NODE, "status", "--json", "--root", self.root).out)

    def row(self, software="app"):
        return next((row for row in self.status()["software"] if row["software"] == software), None)

    def current(self, software="app"):
        """The directory that is current, as (seq, version); None before the first installation."""
        try:
            target = os.readlink(f"{self.root}/{software}/current")
        except FileNotFoundError:
            return None
        seq, version = re.fullmatch(r"versions/(\d+)-(.+)", target).groups()
        return int(seq), version

    def versions(self, software="app"):
        """The versions that lie here complete, in their order."""
        try:
            names = os.listdir(f"{self.root}/{software}/versions")
        except FileNotFoundError:
            return []
        return [
            name for _, name in sorted((int(name.split("-")[0]), name) for name in names if not name.startswith("."))
        ]

    def wait_active(self, version, software="app", timeout=60, after=0):
        return self.daemon.wait_for(rf": {re.escape(software)} {re.escape(version)}: active", timeout, after)


class Fleet:
    def __init__(self, nodes=0, broker_options=(), listen="127.0.0.1", advertise=None):
        self.directory = tempfile.mkdtemp(prefix="lull-e2e-")
        os.chmod(self.directory, 0o755)
        self.started = []
        self.nodes = []
        self.at_end = []
        self.broker = None
        self.broker_options = list(broker_options)
        self.operator_through = []  # a command that the operator's commands run under
        self.broker_directory = f"{self.directory}/broker"
        self.keys = f"{self.directory}/keys"
        self.port = free_ports()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": f"{self.directory}/home",
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "LULL_KEYS": self.keys,
        }
        os.mkdir(self.environment["HOME"])
        self.checker = Checker(self)
        self.run(LULL, "keygen", "--name", "operator")
        self.run(BROKER, "init", "--data", self.broker_directory, "--operator", f"{self.keys}/public.key", "--listen",
                 f"{listen}:{self.port}", *(("--advertise", advertise) if advertise else ()))
        with open(f"{self.broker_directory}/address", encoding="utf-8") as file:
            self.address = file.read().strip()
        self.environment["LULL_BROKER"] = self.address
        self.start_broker()
        for i in range(nodes):
            self.add_node(f"node-{i + 1}").start()

    def run(self, *command, status=0, timeout=120, environment=None, cwd=None):
        """Runs a command to its end; fails unless it ends with the status (None: any)."""
        outcome = Outcome(
            command,
            subprocess.run(list(map(str, command)),
                           env=environment or self.environment,
                           timeout=timeout,
                           stdin=subprocess.DEVNULL,
                           capture_output=True,
                           text=True,
                           errors="replace",
                           check=False,
                           cwd=cwd or self.directory))
        if status is not None and outcome.status != status:
            raise AssertionError(f"exit status {status} was expected of:\n{outcome}")
        return outcome

    def as_nobody(self, program, *arguments):
        """The command of somebody without rights; our own programs are copied to where he can reach them."""
        if not program.startswith(self.directory):
            program = shutil.copy(program, self.directory)
        return [
            "/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--", program, *arguments
        ]

    def start(self, name, command, environment=None):
        daemon = Daemon(name, command, environment or self.environment, f"{self.directory}/{name}.log")
        self.started.append(daemon)
        return daemon

    def start_broker(self, *options, wait=True, through=()):
        """Starts the broker; `through` is a command that it runs under."""
        command = [
            *through, BROKER, "run", "--data", self.broker_directory, "--beacon", "1", *self.broker_options, *options
        ]
        self.broker = self.start("broker", command)
        if wait:
            self.broker.wait_for("listening on")
        return self.broker

    def add_node(self, place, address=None):
        """A node in this directory of the fleet's, reached at the broker's address or through another."""
        self.nodes.append(Node(self, place, address or self.address))
        return self.nodes[-1]

    def lull(self, *arguments, **how):
        return self.run(*self.operator_through, LULL, *arguments, **how)

    def node(self, *arguments, **how):
        return self.run(NODE, *arguments, **how)

    def publish(self, tree, version, *options, software="app", through=()):
        """Publishes a tree, and returns its number in the log; `through` is a command that the publisher runs under."""
        contents = trees.snapshot(tree)
        out = self.run(*self.operator_through, *through, LULL, "publish", tree, "--name", software, "--version",
                       version, "--json", *options).out
        release = json.loads(out)
        # What was published before keeps its manifest, which has the times of then.
        if release["before"] and release["seq"] in self.checker.releases.get(software, {}):
            return release["seq"]
        self.checker.published(software, version, release["seq"], release["manifest"], contents)
        return release["seq"]

    def publish_new(self, version, software="app", through=(), options=(), **shape):
        """Makes a tree for the version, and publishes it."""
        return self.publish(trees.make(f"{self.directory}/source-{software}", version, **shape),
                            version,
                            "--start",
                            "bin/app",
                            *options,
                            software=software,
                            through=through)

    def ask(self, *question):
        """What the operator's command answers, as soon as it is reached: on a machine that is very busy nobody answers
        in time."""

        def answer():
            outcome = self.lull(*question, "--json", status=None)
            assert outcome.status in (0, 3), str(outcome)
            return outcome.out if outcome.status == 0 else None

        return wait_until(answer, 60, f"an answer to lull {' '.join(question)}")

    def ledger(self, software="app"):
        """The rows of `lull status` by the node's name."""
        return rows_of(self.ask("status", software))

    def releases(self):
        return json.loads(self.ask("list"))["releases"]

    def wait_ledger(self, condition, what, timeout=30, software="app"):
        """Waits until the condition holds for the rows of all nodes, and returns the rows."""

        def rows():
            found = self.ledger(software)
            return found if len(found) == len(self.nodes) and all(map(condition, found.values())) else None

        return wait_until(rows, timeout, what)

    def close(self):
        """Ends everything that was started here."""
        for daemon in reversed(self.started):
            daemon.kill()
        while self.at_end:
            self.at_end.pop()()

    def report(self):
        return "\n".join(f"{daemon.name} (pid {daemon.pid}):\n{daemon.tail(15)}" for daemon in self.started)

    def remove(self):
        shutil.rmtree(self.directory)


class FleetTest(unittest.TestCase):
    nodes = 0
    broker_options = ()
    listen = "127.0.0.1"
    advertise = None
    shared = False  # one fleet for all methods of the class: for those that leave it as it was
    fleet = None

    @classmethod
    def setUpClass(cls):
        if cls.shared:
            cls.failed = False
            cls.fleet = Fleet(cls.nodes, cls.broker_options, cls.listen, cls.advertise)
            cls.addClassCleanup(lambda: cls.put_away(cls.fleet, cls.failed, cls.__name__))

    def setUp(self):
        if not self.shared:
            self.fleet = Fleet(self.nodes, self.broker_options, self.listen, self.advertise)
            self.addCleanup(self.fleet.close)

    @staticmethod
    def put_away(fleet, failed, name):
        fleet.close()
        if failed:
            print(f"\n{name} failed; everything stays in {fleet.directory}\n{fleet.report()}", flush=True)
        else:
            fleet.remove()

    def run(self, result=None):
        result = result if result is not None else self.defaultTestResult()
        before = len(result.failures) + len(result.errors)
        super().run(result)
        failed = len(result.failures) + len(result.errors) > before
        if self.shared:
            type(self).failed |= failed
        elif self.fleet is not None:
            self.put_away(self.fleet, failed, self.id())
        return result

    def expect(self, outcome, *fragments):
        """A message has to say all of this, on standard error."""
        for fragment in fragments:
            self.assertIn(fragment, outcome.err, str(outcome))
        self.assertTrue(outcome.err.endswith("\n"), str(outcome))
        return outcome


def main():
    unittest.main(verbosity=2)
