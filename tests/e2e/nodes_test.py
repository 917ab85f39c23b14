"""What the operator's tables say of nodes that are put back to an older copy of themselves, copied, removed from the
fleet, held, or whose disk cannot be written."""

import json
import os
import shutil
import subprocess
import unittest

from fleet import FleetTest, NODE, free_ports, main
from waiting import wait_until


class Moved(FleetTest):
    nodes = 1

    def test_a_node_follows_its_broker_to_another_address_and_to_no_other_broker(self):
        fleet, node = self.fleet, self.fleet.nodes[0]
        fleet.publish_new("1.0")
        node.wait_active("1.0")
        fleet.broker.stop()
        port = free_ports()
        before = f"tcp://127.0.0.1:{fleet.port}"
        fleet.start_broker("--listen", f"127.0.0.1:{port}")

        other = fleet.address.rpartition("/")[0] + "/" + "0" * 64
        refused = fleet.node("move", other, "--root", node.root, status=None)
        self.assertNotEqual(refused.status, 0, str(refused))
        self.expect(refused, "is another broker", "lull-node join --force BUNDLE")
        self.assertTrue(node.status()["broker"].startswith(before), node.status()["broker"])

        told = fleet.node("move", f"tcp://127.0.0.1:{port}", "--root", node.root)
        self.assertIn("restart lull-node", told.out)
        node.stop()
        node.start()
        fleet.environment["LULL_BROKER"] = fleet.address.replace(f":{fleet.port}/", f":{port}/")
        fleet.publish_new("1.1")
        node.wait_active("1.1")
        fleet.checker.check_converged()


class PutBack(FleetTest):
    nodes = 1

    def put_back(self, node, copy):
        """As a snapshot of a virtual machine does, or the image of an SD card."""
        shutil.rmtree(node.root)
        os.rename(copy, node.root)

    def test_a_node_that_is_put_back_to_an_older_copy_is_shown_as_it_is_and_catches_up(self):
        fleet, node = self.fleet, self.fleet.nodes[0]
        fleet.publish_new("1.0")
        node.wait_active("1.0")
        node.stop()
        copy = f"{fleet.directory}/copy"
        subprocess.run(["cp", "-a", node.root, copy], check=True)
        node.start()
        for version in ("1.1", "1.2"):
            fleet.publish_new(version)
            node.wait_active(version)
        fleet.wait_ledger(lambda row: row["state"] == "active" and row["release"] == "1.2", "active")
        node.stop()
        self.put_back(node, copy)

        fleet.node("hold", "app", "--root", node.root)
        node.start()
        fleet.wait_ledger(lambda row: row["state"] == "held" and row.get("active") == "1.0", "1.0 runs, and is held")
        waited = fleet.lull("progress", "app", "--wait", "active:100%", "--within", "2s", status=None)
        self.assertNotEqual(waited.status, 0, str(waited))
        mark = node.daemon.mark()
        fleet.node("unhold", "app", "--root", node.root)
        node.wait_active("1.2", after=mark)
        fleet.publish_new("1.3")
        node.wait_active("1.3")
        fleet.wait_ledger(lambda row: row["state"] == "active" and row["active"] == "1.3", "the table is right again")
        fleet.checker.check_converged()


class Removed(FleetTest):
    nodes = 2

    def names(self):
        return [row["node"] for row in json.loads(self.fleet.ask("nodes"))["nodes"]]

    def test_a_removed_node_is_out_of_everything_and_its_name_can_be_enrolled_anew(self):
        fleet = self.fleet
        stays, goes = fleet.nodes
        fleet.publish_new("1.0")
        for node in fleet.nodes:
            node.wait_active("1.0")
        fleet.wait_ledger(lambda row: row["state"] == "active", "active")

        refused = fleet.lull("nodes", "remove", goes.name, "nobody", status=4)
        self.assertIn("there is no node named 'nobody' here", refused.err)
        self.assertEqual(self.names(), [stays.name, goes.name])
        mark = goes.daemon.mark()
        out = fleet.lull("nodes", "remove", goes.name, "--json").out
        self.assertEqual(json.loads(out), {"removed": [goes.name]})
        self.assertEqual(self.names(), [stays.name])
        self.assertEqual(list(fleet.ledger()), [stays.name])
        goes.daemon.wait_for("the broker refused: this node was removed|is not enrolled", after=mark)
        goes.daemon.wait_for("announcements: not connected", after=mark)

        # Both the rollout and the wait go on without it.
        fleet.publish_new("1.1", options=["--rollout", "50%,100%", "--wait", "active:100%", "--within", "30s"])
        stays.wait_active("1.1")
        self.assertEqual(goes.current(), (1, "1.0"))
        fleet.broker.kill()
        fleet.start_broker()
        self.assertEqual(self.names(), [stays.name])
        refused = fleet.lull("nodes", "remove", goes.name, status=4)
        self.assertIn(f"there is no node named '{goes.name}' here", refused.err)

        # The same machine, enrolled anew under its old name, and with what it has.
        goes.stop()
        os.remove(goes.bundle)
        fleet.lull("nodes", "new", goes.name, "--out", goes.bundle)
        fleet.node("join", goes.bundle, "--root", goes.root, "--force")
        goes.start()
        goes.wait_active("1.1")
        fleet.wait_ledger(lambda row: row["state"] == "active" and row["release"] == "1.1", "both are live")
        fleet.checker.check_converged()

    def test_a_name_that_is_taken_is_refused_with_the_way_out(self):
        taken = self.fleet.lull("nodes", "new", self.fleet.nodes[0].name, "--out", "again.join", status=4)
        self.assertIn(f"lull nodes remove {self.fleet.nodes[0].name}", taken.err)


class Copied(FleetTest):
    nodes = 1

    def notes(self, node):
        rows = json.loads(self.fleet.ask("nodes"))["nodes"]
        return " ".join(next(row for row in rows if row["node"] == node.name)["notes"])

    def test_two_machines_with_one_identity_are_shown_and_the_later_one_is_told_what_to_do(self):
        fleet, node = self.fleet, self.fleet.nodes[0]
        fleet.publish_new("1.0")
        node.wait_active("1.0")
        fleet.wait_ledger(lambda row: row["state"] == "active", "active")
        self.assertEqual(self.notes(node), "")
        copy = f"{fleet.directory}/other-place"
        node.stop()
        subprocess.run(["cp", "-a", node.root, copy], check=True)
        node.start()
        node.daemon.wait_for("announcements: connected")
        other = fleet.start("copy", [NODE, "daemon", "--root", copy])
        other.wait_for("announcements: connected")
        number = 0

        def both_have_spoken():
            nonlocal number
            number += 1
            version = f"1.{number}"
            fleet.publish_new(version)
            node.wait_active(version)
            other.wait_for(rf": app 1\.{number}: active")
            return "two machines use this identity" in self.notes(node)

        wait_until(both_have_spoken, 60, "both machines are seen")
        fleet.broker.wait_for(f"two machines use the identity of node '{node.name}'")
        fleet.publish_new("2.0")
        other.wait_for("two machines use the identity of node .*lull-node join --force")


class Shown(FleetTest):
    nodes = 1

    def test_holds_are_shown_from_the_moment_when_they_are_set(self):
        fleet, node = self.fleet, self.fleet.nodes[0]
        fleet.publish_new("1.0")
        node.wait_active("1.0")
        fleet.wait_ledger(lambda row: row["state"] == "active", "active")
        fleet.node("hold", "app", "--why", "inventory", "--root", node.root)
        row = wait_until(lambda: fleet.ledger()[node.name].get("held") and fleet.ledger()[node.name], 20,
                         "the broker knows of the hold")
        self.assertEqual(row["state"], "active")
        self.assertIn("inventory", row["held"])
        self.assertIn("inventory", json.dumps(json.loads(fleet.ask("nodes"))["nodes"][0]["notes"]))
        self.assertIn("inventory", node.row()["held"])
        fleet.node("unhold", "app", "--root", node.root)
        wait_until(lambda: "held" not in fleet.ledger()[node.name], 20, "the hold is gone")

        fleet.lull("hold", "--all", "--node", node.name, "--why", "audit")
        self.assertIn("audit", fleet.ledger()[node.name]["held"])
        wait_until(lambda: "audit" in node.row().get("held", ""), 20, "the node shows it too")

        unknown = fleet.node("hold", "ap", "--root", node.root, status=1)
        self.assertIn("there is no software named 'ap' here", unknown.err)
        unknown = fleet.lull("hold", "ap", "--json", status=4)
        error = json.loads(unknown.err)
        self.assertEqual(error["status"], 4)
        self.assertIn("there is no software named 'ap' here", error["error"])

    @unittest.skipUnless(os.getuid() == 0, "needs root, to mount a file system")
    def test_a_node_whose_disk_is_read_only_says_so_and_goes_on_when_it_is_writable(self):
        fleet = self.fleet
        disk = f"{fleet.directory}/disk"
        os.mkdir(disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", disk], check=True)
        fleet.at_end.append(lambda: subprocess.run(["umount", "-l", disk], check=True))
        node = fleet.add_node("disk/node").start()
        fleet.publish_new("1.0")
        node.wait_active("1.0")
        node.stop()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        node.start(wait=False)
        wait_until(lambda: "Read-only" in fleet.ledger()[node.name]["why"], 30, "the table says why")
        self.assertIsNone(node.daemon.process.poll())
        fleet.publish_new("1.1")
        self.assertIn("Read-only", fleet.ledger()[node.name]["why"])
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        node.wait_active("1.1")
        fleet.wait_ledger(lambda row: row["state"] == "active" and "Read-only" not in row["why"], "all is well")


if __name__ == "__main__":
    main()
