"""A node whose disk has room for two versions and a bit takes updates for ever: it gives up the version before the
active one when the next release needs the room."""

import os
import subprocess
import unittest

from fleet import NODE, FleetTest, main
from waiting import wait_until

MIB = 1 << 20


@unittest.skipUnless(os.getuid() == 0, "SKIPPED: needs root, to mount a small file system")
class SmallDisk(FleetTest):
    def small_disk(self, name, size):
        path = f"{self.fleet.directory}/{name}"
        os.mkdir(path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", path], check=True)
        self.fleet.at_end.append(lambda: subprocess.run(["umount", path], check=True))
        return path

    def small_node(self, size="130m", *options):
        self.small_disk("small", size)
        return self.fleet.add_node("small/node").start(*options)

    def names(self, node, software="app"):
        return [name.split("-", 1)[1] for name in node.versions(software)]

    def test_updates_go_on_for_ever(self):
        fleet = self.fleet
        node = self.small_node()
        for number in range(1, 7):
            fleet.publish_new(f"1.{number}", large=30 * MIB)
            node.wait_active(f"1.{number}")
            fleet.checker.check_converged()
        for number in range(1, 5):
            node.daemon.wait_for(f"app 1.{number} was given up, because app 1.{number + 2} needs its room")
        self.assertEqual(self.names(node), ["1.5", "1.6"])
        self.assertIsNone(node.daemon.find("failed"))

        # The version is not here any more: it is fetched again.
        outcome = fleet.lull("rollback", "app", "--to", "1.2")
        self.assertRegex(outcome.out, "nodes that no longer have 1.2 fetch up to 3[0-9].* MiB")
        node.wait_active("1.2+back-6")

    def test_the_status_says_that_a_version_was_given_up(self):
        fleet = self.fleet
        node = self.small_node()
        for version in ("1.0", "1.1"):
            fleet.publish_new(version, large=30 * MIB)
            node.wait_active(version)
        fleet.lull("hold", "app")
        fleet.publish_new("1.2", large=30 * MIB)
        node.daemon.wait_for("app 1.0 was given up")
        kept = "kept 1 version: room was needed for app 1.2"
        fleet.wait_ledger(lambda row: kept in row["why"], "the note in lull status")
        self.assertEqual(node.row()["room"], kept)
        self.assertIn(kept, fleet.run(NODE, "status", "--root", node.root).out)
        fleet.lull("unhold", "app")
        node.wait_active("1.2")
        wait_until(lambda: "room" not in node.row(), 30, "the end of the note")
        self.assertEqual(self.names(node), ["1.1", "1.2"])

    def test_a_version_that_is_in_use_stays_and_the_message_names_it(self):
        fleet = self.fleet
        node = self.small_node()
        fleet.publish_new("1.0", large=30 * MIB)
        node.wait_active("1.0")
        user = subprocess.Popen([NODE, "run", "--root", node.root, "app"], stdin=subprocess.PIPE)
        self.addCleanup(user.kill)
        wait_until(lambda: "app" in os.readlink(f"/proc/{user.pid}/exe"), 30, "the program")
        fleet.publish_new("1.1", large=30 * MIB, options=("--policy", "now"))
        node.wait_active("1.1")
        fleet.publish_new("1.2", large=30 * MIB)
        node.daemon.wait_for("app 1.0 stays although app 1.2 needs its room: a process uses it")
        node.daemon.wait_for("app 1.2: failed: no room for app 1.2 .*in use, and therefore kept: app 1.0")
        self.assertEqual(self.names(node), ["1.0", "1.1"])
        self.assertIsNone(user.poll())
        user.stdin.close()
        user.wait(30)
        fleet.lull("retry", "app")
        node.wait_active("1.2")
        self.assertEqual(self.names(node), ["1.1", "1.2"])

    def test_nothing_is_given_up_for_a_release_that_would_not_fit_all_the_same(self):
        fleet = self.fleet
        node = self.small_node()
        for version in ("1.0", "1.1"):
            fleet.publish_new(version, large=30 * MIB)
            node.wait_active(version)
        fleet.publish_new("1.2", large=90 * MIB)
        node.daemon.wait_for("app 1.2: failed: no room for app 1.2 .*the room of older versions is not enough")
        self.assertEqual(self.names(node), ["1.0", "1.1"])
        fleet.publish_new("1.3", large=30 * MIB)
        node.wait_active("1.3")

    def test_a_release_that_fails_its_health_check_finds_the_version_before_it(self):
        fleet = self.fleet
        node = self.small_node()
        for version in ("1.0", "1.1"):
            fleet.publish_new(version, large=30 * MIB)
            node.wait_active(version)
        fleet.publish_new("1.2",
                          large=30 * MIB,
                          check="#!/bin/sh\nexit 1\n",
                          options=("--health", "bin/check", "--health-tries", "1"))
        node.daemon.wait_for("app 1.0 was given up")
        node.daemon.wait_for("app 1.2: rolled-back: 1.1 is active again")
        self.assertEqual(node.current()[1], "1.1")
        fleet.publish_new("1.3", large=30 * MIB)
        node.wait_active("1.3")

    def test_the_older_version_of_other_software_goes_last(self):
        fleet = self.fleet
        node = self.small_node("150m")
        for version in ("1.0", "1.1"):
            fleet.publish_new(version, software="other", large=15 * MIB)
            node.wait_active(version, software="other")
        for version in ("1.0", "1.1", "1.2"):
            fleet.publish_new(version, large=30 * MIB)
            node.wait_active(version)
        self.assertEqual(self.names(node), ["1.1", "1.2"])
        node.daemon.wait_for("app 1.0 was given up, because app 1.2 needs its room")
        self.assertEqual(self.names(node, "other"), ["1.0", "1.1"])
        fleet.publish_new("1.3", large=40 * MIB)
        node.wait_active("1.3")
        node.daemon.wait_for("other 1.0 was given up, because app 1.3 needs its room")
        self.assertEqual(self.names(node, "other"), ["1.1"])


if __name__ == "__main__":
    main()
