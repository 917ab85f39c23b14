"""Bulk data gives way to others on a line that is too small for both, says why it waits, and comes all the same."""

import os
import unittest

import trees
from download import Download
from fleet import FleetTest, main
from network import Network, NoNamespaces

RATE = 20_000_000 / 8  # bytes a second of the line
SIZE = 24 << 20
SECONDS = 6.0
# Of 20 Mbit/s a download alone gets 0.955: the rest are headers. It gets 0.95 beside the governor, and 0.68 to 0.83
# beside a free sender.
KEPT = 0.89


class Quiet(FleetTest):
    def setUp(self):
        super().setUp()
        try:
            self.network = Network(self.fleet)
        except NoNamespaces as problem:
            self.skipTest(str(problem))
        self.node = self.network.place(self.fleet)
        self.network.narrow()
        self.node.start(through=self.network.through("n"))

    def publish(self, *options):
        tree = f"{self.fleet.directory}/source"
        trees.write(f"{tree}/bin/app", b"#!/bin/sh\n", 0o755)
        trees.write(f"{tree}/large", os.urandom(SIZE))
        mark = self.node.daemon.mark()
        self.fleet.publish(tree, "1.0", "--start", "bin/app", *options)
        self.node.daemon.wait_for(": app 1.0: fetching", after=mark)

    def share_of_a_download(self):
        """What others get of the line in their time, while the node fetches."""
        download = Download(self.network, "b", "n", "10.77.1.2", SECONDS)
        yielding = self.node.daemon.mark()
        share = download.bytes() / (RATE * SECONDS)
        self.assertIsNone(self.node.daemon.find(": app 1.0: staged"), "the release came before the others were done")
        return share, yielding

    def test_a_download_of_others_has_the_line(self):
        self.publish()
        share, mark = self.share_of_a_download()
        self.assertGreater(share, KEPT)
        said = self.node.daemon.wait_for("the broker sends slowly: others use", 30, mark)
        row = self.node.row()
        self.assertIn(row["state"], ("announced", "fetching"), said)
        self.fleet.checker.check_converged(timeout=120)

    def test_without_a_governor_it_does_not(self):
        """The control: what the others' share would be."""
        self.publish("--urgency", "immediate")
        share, _ = self.share_of_a_download()
        self.assertLess(share, KEPT)
        self.fleet.checker.check_converged(timeout=120)

    def test_a_site_gets_no_more_than_its_cap_and_says_so(self):
        self.fleet.broker.stop()
        self.fleet.start_broker("--site", "10.77.2.0/24=8Mbit", through=self.network.through("b"))
        self.publish()
        before = self.network.received("n")[0]
        self.node.daemon.wait_for("the broker sends slowly: the cap of the group is reached", 30)
        begun = self.node.daemon.mark()
        self.fleet.checker.check_converged(timeout=120)
        self.assertGreaterEqual(self.network.received("n")[0] - before, SIZE // 2)
        self.assertIsNotNone(begun)


if __name__ == "__main__":
    main()
