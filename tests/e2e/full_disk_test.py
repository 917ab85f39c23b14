"""A disk that is full, at a node and at the broker: nothing is half done, and it goes on by itself when there is
room."""

import json
import os
import subprocess
import unittest

import trees
from fleet import BROKER, FleetTest, free_ports, main
from tap import Tap

MIB = 1 << 20


@unittest.skipUnless(os.getuid() == 0, "needs root, to mount a small file system")
class FullDisk(FleetTest):
    def small_disk(self, name, size):
        path = f"{self.fleet.directory}/{name}"
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", path], check=True)
        self.fleet.at_end.append(lambda: subprocess.run(["umount", path], check=True))
        return path

    def grow(self, path, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", path], check=True)

    def fill(self, path):
        """Takes the last byte of a disk."""
        with open(f"{path}/filling", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(MIB // 16))
            except OSError:
                pass

    def test_a_node_without_room_says_so_and_installs_when_there_is_room(self):
        fleet = self.fleet
        disk = self.small_disk("small", "24m")
        node = fleet.add_node("small/node").start("--reserve", "1 MiB")
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        fleet.publish_new("1.1", large=30 * MIB)
        node.daemon.wait_for("app 1.1: failed: no room for app 1.1 .*make room")
        rows = fleet.wait_ledger(lambda row: row["state"] == "failed", "failed in the ledger")
        self.assertRegex(rows["small-node"]["why"],
                         "no room for app 1.1 .* MiB may be needed, .* MiB are free; make room")
        self.assertEqual(rows["small-node"]["active"], "1.0")
        fleet.checker.check_running()
        self.grow(disk, "200m")
        node.wait_active("1.1", timeout=90)  # it tries again after a minute
        fleet.checker.check_converged()

    def test_a_disk_that_others_fill_in_the_middle_of_a_transfer(self):
        fleet = self.fleet
        disk = self.small_disk("small", "200m")
        port = free_ports()
        tap = Tap(port, fleet.port)
        fleet.at_end.append(tap.close)
        node = fleet.add_node("small/node", f"tcp://127.0.0.1:{port}/{fleet.address.rsplit('/', 1)[1]}").start()
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        tap.at(tap.fetched() + 10 * MIB, lambda: self.fill(disk))
        fleet.publish_new("1.1", large=40 * MIB)
        node.daemon.wait_for(
            "app 1.1: failed: .*(No space left|is full|no room)|"
            "this node's disk cannot be written.*(No space left|full)")
        fleet.checker.check_installed(node, "app")
        os.remove(f"{disk}/filling")
        node.wait_active("1.1", timeout=90)
        fleet.checker.check_converged()

    def test_a_broker_without_room_refuses_and_takes_the_rest_when_there_is_room(self):
        fleet = self.fleet
        disk = self.small_disk("small", "60m")
        data = f"{disk}/broker"
        fleet.run(BROKER, "init", "--data", data, "--operator", f"{fleet.keys}/public.key", "--listen",
                  f"127.0.0.1:{free_ports()}")
        broker = fleet.start("small-broker", [BROKER, "run", "--data", data])
        broker.wait_for("listening on")
        environment = {**fleet.environment, "LULL_BROKER": trees.read(f"{data}/address").decode().strip()}

        def publish(tree, version, **how):
            return fleet.lull("publish", tree, "--name", "app", "--version", version, environment=environment, **how)

        def listed():
            return [
                row["version"]
                for row in json.loads(fleet.lull("list", "--json", environment=environment).out)["releases"]
            ]

        small = trees.make(f"{fleet.directory}/small-tree", "1.0")
        large = trees.make(f"{fleet.directory}/large-tree", "1.1", large=70 * MIB)
        publish(small, "1.0")
        self.expect(publish(large, "1.1", status=1), "the broker refuses app 1.1", "is full", "make room there")
        self.assertEqual(listed(), ["1.0"])
        self.assertTrue(broker.running())
        publish(trees.make(f"{fleet.directory}/small-tree", "1.2"), "1.2")
        self.assertEqual(listed(), ["1.0", "1.2"])
        self.grow(disk, "300m")
        publish(large, "1.1")
        self.assertEqual(listed(), ["1.0", "1.2", "1.1"])
        self.assertEqual(broker.stop(), 0)
        again = fleet.start("small-broker", [BROKER, "run", "--data", data])
        again.wait_for("log at release 3")


if __name__ == "__main__":
    main()
