"""A node's network breaks while a release comes: cut in silence, in one direction or both, reset, forgotten by a router on the
way, or so slow that everything takes seconds. Nothing acknowledged is lost, and all converge without anybody's help.

Broker and node live in network namespaces of their own, with a router between them."""

import dataclasses
import os
import random
import subprocess
import sys

import trees
from campaign import Campaign, Skip
from disks import run
from faults import said_before_end

SILENT = 10       # every so many points the silence lasts until heartbeats have found out
LARGE = 4 << 20
WAYS = ("cut", "cut-up", "cut-down", "reset", "forgotten", "slow")
MOMENTS = ("connected", "recorded", "fetching", "staged")


@dataclasses.dataclass
class Point:
    way: str
    when: str
    tenths: int  # how long it lasts

    def __str__(self):
        return f"{self.way} {self.when} {self.tenths}"


class Network:
    """Namespaces broker - router - node. Whatever is made here is removed again."""

    def __init__(self, fleet):
        if os.getuid() != 0:
            raise Skip("network namespaces need root")
        self.prefix = f"lull{os.getpid() % 100000}"
        self.names = {name: f"{self.prefix}-{name}" for name in ("b", "r", "n")}
        fleet.at_end.append(self.close)
        try:
            for name in self.names.values():
                run("ip", "netns", "add", name)
                run("ip", "-n", name, "link", "set", "lo", "up")
        except AssertionError as problem:
            raise Skip(f"no network namespaces: {problem}") from None
        for host, net in (("b", 1), ("n", 2)):
            inner, outer = f"{self.prefix}{host}", f"{self.prefix}{host}r"
            run("ip", "link", "add", inner, "netns", self.names[host], "type", "veth", "peer", "name", outer, "netns",
                self.names["r"])
            self.ip(host, "addr", "add", f"10.77.{net}.2/24", "dev", inner)
            self.ip(host, "link", "set", inner, "up")
            self.ip(host, "route", "add", "default", "via", f"10.77.{net}.1")
            self.ip("r", "addr", "add", f"10.77.{net}.1/24", "dev", outer)
            self.ip("r", "link", "set", outer, "up")
        self.inside("r", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        self.rules("add table inet lull; add chain inet lull forward { type filter hook forward priority 0; }")

    def ip(self, host, *command):
        run("ip", "-n", self.names[host], *command)

    def inside(self, host, *command):
        run(*self.through(host), *command)

    def through(self, host):
        return ["ip", "netns", "exec", self.names[host]]

    def rules(self, text):
        run(*self.through("r"), "nft", text)

    def drop(self, way):
        """Packets to the broker (up), to the node (down), or both disappear."""
        for source, name in ((2, "up"), (1, "down")):
            if way in ("cut", f"cut-{name}"):
                self.rules(f"add rule inet lull forward ip saddr 10.77.{source}.2 drop")

    def reset(self):
        self.rules("add rule inet lull forward meta l4proto tcp reject with tcp reset")

    def forget(self):
        """What is connected now is dropped from now on, as by a router that has lost its table; new connections pass."""
        listing = [*self.through("b"), "ss", "-tnH", "state", "established", "src", "10.77.1.2"]
        out = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            peer, port = line.split()[3].rsplit(":", 1)
            if peer.strip("[]").removeprefix("::ffff:") == "10.77.2.2":
                self.rules("; ".join(f"add rule inet lull forward tcp {end} {port} drop" for end in ("dport", "sport")))

    def slow(self):
        line = ["rate", "4mbit", "burst", "8k", "latency", "400ms"]
        self.inside("r", "tc", "qdisc", "add", "dev", f"{self.prefix}nr", "root", "tbf", *line)

    def mend(self):
        self.rules("flush chain inet lull forward")
        subprocess.run([*self.through("r"), "tc", "qdisc", "del", "dev", f"{self.prefix}nr", "root"], capture_output=True, check=False)

    def close(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


class NetworkBreaks:
    name = "network"

    def __init__(self, fleet, _options):
        self.fleet = fleet
        self.network = Network(fleet)
        self.version = 0
        fleet.broker.stop()
        self.listen_to_all()
        fleet.start_broker(through=self.network.through("b"))
        fleet.operator_through = self.network.through("b")
        key = fleet.address.rsplit("/", 1)[1]
        self.node = fleet.add_node("node", f"tcp://10.77.1.2:{fleet.port}/{key}")
        self.start_node()
        self.publish()
        fleet.checker.check_converged()

    def listen_to_all(self):
        path = f"{self.fleet.broker_directory}/broker.conf"
        text = trees.read(path).decode().replace("listen = 127.0.0.1", "listen = 0.0.0.0")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    @staticmethod
    def parse(text):
        way, when, tenths = text.split()
        return Point(way, when, int(tenths))

    def point(self, number):
        chance = random.Random(number)
        way = WAYS[number % len(WAYS)]
        long = way != "slow" and number % SILENT == SILENT - 1
        return Point(way, chance.choice(MOMENTS), 1200 if long else chance.randint(2, 40))

    def start_node(self):
        self.node.start(through=self.network.through("n"), wait=False)
        assert said_before_end(self.node.daemon, "announcements: connected"), self.node.daemon.tail()

    def publish(self):
        self.version += 1
        self.fleet.publish_new(f"1.{self.version}", files=4, large=LARGE)
        return f"1.{self.version}"

    def strike(self, point):
        node = self.node.daemon
        mark = node.mark()
        if point.when == "connected":
            self.break_it(point.way)
        version = self.publish()
        if point.when != "connected":
            node.wait_for(rf"\(app {version}\)" if point.when == "recorded" else f": app {version}: {point.when}", after=mark)
            self.break_it(point.way)
        try:
            node.wait_for(f": app {version}: active", point.tenths / 10, mark)
        except AssertionError:
            assert node.running(), node.tail()  # the time of the break is over
        self.network.mend()
        self.fleet.checker.check_converged(timeout=240)
        return [f"{point.way}, {point.when}"]

    def break_it(self, way):
        if way == "reset":
            self.network.reset()
        elif way == "forgotten":
            self.network.forget()
        elif way == "slow":
            self.network.slow()
        else:
            self.network.drop(way)


if __name__ == "__main__":
    sys.exit(Campaign([NetworkBreaks], __doc__).run())
