"""A node's network breaks while a release comes: cut in silence, in one direction or both, reset, forgotten by a router
on the way, or so slow that everything takes seconds. Nothing acknowledged is lost, and all converge without anybody's
help.

Broker and node live in network namespaces of their own, with a router between them."""

import dataclasses
import random
import sys

import trees
from campaign import Campaign, Skip
from faults import said_before_end
from network import Network, NoNamespaces

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


class NetworkBreaks:
    name = "network"

    def __init__(self, fleet, _options):
        self.fleet = fleet
        try:
            self.network = Network(fleet)
        except NoNamespaces as problem:
            raise Skip(str(problem)) from None
        self.version = 0
        self.node = self.network.place(fleet)
        self.start_node()
        self.publish()
        fleet.checker.check_converged()

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
            node.wait_for(rf"\(app {version}\)" if point.when == "recorded" else f": app {version}: {point.when}",
                          after=mark)
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
