"""Only what changed crosses the wire, whatever is damaged on the way."""

import glob
import json
import os
import random
import re
import shutil
import unittest

import trees
from fleet import LULL, FleetTest, main
from network import Network, NoNamespaces

MIB = 1 << 20


def rewrite(path, at, contents):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(contents)


class Updates(FleetTest):
    fresh = 1000  # bytes of a file that has nothing in common with the one before

    def make(self, version):
        """Twenty files of incompressible bytes and a large one; each version changes a little of the large one, and one
        small file."""
        tree = f"{self.fleet.directory}/source"
        same = random.Random(7)
        for i in range(20):
            trees.write(f"{tree}/data/{i}", same.randbytes(100_000))
        large = bytearray(same.randbytes(24 * MIB))
        for number in range(1, version + 1):
            changes = random.Random(number)
            for _ in range(20):
                at = changes.randrange(len(large))
                large[at:at + 20] = changes.randbytes(25)
        trees.write(f"{tree}/large", bytes(large))
        trees.write(f"{tree}/fresh", random.Random(f"fresh {version}").randbytes(self.fresh))
        trees.write(f"{tree}/bin/app", b"#!/bin/sh\necho %d\n" % version, 0o755)
        return tree

    def publish(self, version):
        return self.fleet.publish(self.make(version), f"1.{version}", "--start", "bin/app")

    def sizes(self):
        return {
            row["version"]: row.get("to_fetch")
            for row in json.loads(self.fleet.lull("list", "--sizes", "--json").out)["releases"]
        }

    def update(self, node, version):
        """Publishes, waits until it is active, and returns what the node said meanwhile."""
        mark = node.daemon.mark()
        self.publish(version)
        node.wait_active(f"1.{version}", after=mark)
        self.fleet.checker.check_converged()
        return "\n".join(node.daemon.lines[mark:])


class Delta(Updates):
    nodes = 1

    def setUp(self):
        """The node has the first release."""
        super().setUp()
        self.publish(1)
        self.fleet.checker.check_converged()

    def test_an_update_fetches_what_changed_and_the_tables_say_how_much(self):
        fleet = self.fleet
        node = fleet.nodes[0]
        said = self.update(node, 2)
        self.assertRegex(said, r"app 1\.2: \d+ objects to fetch, .*, with a patch")
        sizes = self.sizes()
        self.assertLess(sizes["1.1"], 64 << 10)
        self.assertGreater(sizes["1.2"], 25 * MIB)
        self.assertRegex(fleet.lull("list", "--sizes").out, r"app +1\.1 .* [\d.]+ KiB\n")

    def test_a_dry_run_says_what_the_broker_will_say(self):
        fleet = self.fleet
        old = shutil.copytree(f"{fleet.directory}/source", f"{fleet.directory}/old", symlinks=True)
        options = ["--name", "app", "--version", "1.2", "--start", "bin/app", "--dry-run", "--against", old]
        forecast = json.loads(fleet.lull("publish", self.make(2), *options, "--json").out)
        self.assertRegex(
            fleet.lull("publish", self.make(2), *options).out,
            r"a node with \S+/old would fetch [\d.]+ KiB, a new node")
        self.update(fleet.nodes[0], 2)
        fleet.broker.wait_for("patch [0-9a-f]+: ")
        sizes = self.sizes()
        self.assertAlmostEqual(forecast["against"][0]["to_fetch"], sizes["1.1"],
                               delta=64)  # the old version's name is another one
        self.assertAlmostEqual(forecast["to_fetch"], sizes["1.2"], delta=64)
        wrong = fleet.run(LULL,
                          "publish",
                          self.make(2),
                          "--name",
                          "app",
                          "--version",
                          "1.3",
                          "--against",
                          old,
                          status=2)
        self.assertIn("lull list --sizes", wrong.err)

    def test_a_node_that_missed_releases_gets_a_patch_from_what_it_has(self):
        fleet = self.fleet
        node = fleet.nodes[0]
        node.stop()
        self.publish(2)
        self.publish(3)
        node.start()
        node.wait_active("1.3")
        self.assertIn("with a patch", "\n".join(node.daemon.lines))
        fleet.checker.check_converged()

    def test_a_base_that_was_changed_is_found_out(self):
        fleet = self.fleet
        node = fleet.nodes[0]
        rewrite(f"{node.root}/app/current/large", 5 * MIB, b"tampered")
        mark = node.daemon.mark()
        self.publish(2)
        node.wait_active("1.2", after=mark)
        self.assertRegex("\n".join(node.daemon.lines[mark:]), r"fetching \d+ objects")
        self.assertEqual(trees.snapshot(f"{node.root}/app/current/"), trees.snapshot(f"{fleet.directory}/source"))

    def stop_with_a_patch(self):
        """The second release is published, and its patch made, while the node is off; the broker is stopped. Returns
        the last pack."""
        fleet = self.fleet
        fleet.nodes[0].stop()
        self.publish(2)
        fleet.broker.wait_for("patch [0-9a-f]+: ")
        fleet.broker.stop()
        return sorted(glob.glob(f"{fleet.broker_directory}/packs/pack-*"))[-1]

    def test_a_pack_that_was_cut_is_a_clear_failure(self):
        pack = self.stop_with_a_patch()
        os.truncate(pack, os.path.getsize(pack) - 100)
        broker = self.fleet.start_broker(wait=False)
        self.assertEqual(broker.wait(), 1)
        self.assertRegex("\n".join(broker.lines), "pack.*restore")

    def test_a_damaged_patch_at_the_broker_gives_right_bytes(self):
        fleet = self.fleet
        node = fleet.nodes[0]
        pack = self.stop_with_a_patch()
        rewrite(pack, os.path.getsize(pack) - 200, bytes(150))  # the patch, which came last
        fleet.start_broker()
        node.start()
        node.daemon.wait_for("goes on without")
        node.wait_active("1.2")
        fleet.checker.check_converged()

    def test_a_node_with_little_memory_fetches_segments(self):
        fleet = self.fleet
        node = fleet.nodes[0]
        node.stop()
        node.start("--memory", "16MiB")
        said = self.update(node, 2)
        fetched = re.search(r"app 1\.2: fetched ([\d.]+) MiB", said)
        self.assertIsNotNone(fetched, said)
        self.assertGreater(float(fetched[1]), 20)

    def test_a_broker_without_space_for_patches_serves_segments(self):
        fleet = self.fleet
        fleet.broker.stop()
        fleet.start_broker("--patch-space", "0")
        self.assertNotIn("with a patch", self.update(fleet.nodes[0], 2))


class AtTheInterface(Updates):
    fresh = 3 * MIB

    def test_the_bytes_at_the_interface_are_those_of_the_plan(self):
        fleet = self.fleet
        try:
            network = Network(fleet)
        except NoNamespaces as problem:
            raise unittest.SkipTest(str(problem))
        node = network.place(fleet)
        node.start(through=network.through("n"))
        self.publish(1)
        fleet.checker.check_converged()
        bytes_before, packets_before = network.received("n")
        self.update(node, 2)
        bytes_after, packets_after = network.received("n")
        planned = self.sizes()["1.1"]
        headers = (packets_after - packets_before) * (14 + 20 + 32)  # Ethernet, IPv4, TCP with time stamps
        crossed = bytes_after - bytes_before - headers
        print(f"# planned {planned} bytes, crossed {crossed} in {packets_after - packets_before} packets")
        self.assertLess(abs(crossed - planned), planned * 0.03 + 4096)


if __name__ == "__main__":
    main()
