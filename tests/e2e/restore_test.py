"""A broker that is restored from a backup, or from an older copy of its files; and a log from which old releases were
removed."""

import json
import os
import shutil
import time

import trees
from fleet import BROKER, LULL, FleetTest, main
from waiting import wait_until


class Restore(FleetTest):
    nodes = 2

    def back_up(self, name):
        place = f"{self.fleet.directory}/{name}"
        self.fleet.run(BROKER, "backup", place, "--data", self.fleet.broker_directory)
        return place

    def restore(self, copy):
        """As the operator is told to: away with the old directory, the copy in its place."""
        fleet = self.fleet
        if fleet.broker.running():
            self.assertEqual(fleet.broker.stop(), 0)
        shutil.rmtree(fleet.broker_directory)
        shutil.copytree(copy, fleet.broker_directory, copy_function=shutil.copy2)
        fleet.start_broker()

    def epochs(self):
        return {node.status()["cursor"]["epoch"] for node in self.fleet.nodes}

    def wait_for_one_epoch_but(self, old):
        wait_until(lambda: len(self.epochs()) == 1 and self.epochs() != old, 60,
                   "all nodes follow the log under its new epoch")

    def check_ahead(self, version):
        """The nodes keep what the log has lost, and the operator's table says so."""
        for node in self.fleet.nodes:
            self.assertEqual(node.current()[1], version)
            node.daemon.wait_for(f"app {version} .* is not in the broker's log")
        self.fleet.wait_ledger(lambda row: "lost when it was restored" in row["why"],
                               "the table names the nodes that are ahead")

    def test_nodes_that_are_ahead_of_a_restored_backup_say_so_and_take_the_next_release(self):
        fleet = self.fleet
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        copy = self.back_up("monday")
        lost = fleet.publish_new("1.1")
        lost_other = fleet.publish_new("5.0", software="other")
        fleet.checker.check_converged()
        old = self.epochs()

        self.restore(copy)
        fleet.broker.wait_for("this is a restored backup")
        fleet.checker.forget("app", lost)
        fleet.checker.forget("other", lost_other)
        self.wait_for_one_epoch_but(old)
        self.check_ahead("1.1")
        for node in fleet.nodes:
            node.daemon.wait_for("other 5.0 .* is not in the broker's log")
            self.assertEqual(node.current("other")[1], "5.0")

        self.assertGreater(fleet.publish_new("1.2"), 1_000_000)
        fleet.publish_new("5.0", software="other")
        fleet.checker.check_converged()

    def test_a_plain_copy_of_the_files_is_found_out_by_what_the_nodes_have_seen(self):
        fleet = self.fleet
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        self.assertEqual(fleet.broker.stop(), 0)
        copy = f"{fleet.directory}/files"
        shutil.copytree(fleet.broker_directory, copy)
        fleet.start_broker()
        lost = fleet.publish_new("1.1")
        fleet.checker.check_converged()
        old = self.epochs()

        self.restore(copy)
        fleet.checker.forget("app", lost)
        fleet.broker.wait_for("is missing from this log: it was restored from an older copy; the log goes on as epoch")
        self.wait_for_one_epoch_but(old)
        self.check_ahead("1.1")
        fleet.publish_new("1.2")
        fleet.checker.check_converged()

    def test_backups_are_made_while_releases_are_published_and_each_is_a_whole_broker(self):
        fleet = self.fleet
        copies = []
        for number in range(5):
            publishing = fleet.start("publish", self.publish_command(f"1.{number}"))
            copies.append(self.back_up(f"copy-{number}"))
            self.assertEqual(publishing.wait(600), 0, publishing.tail())
        old = self.epochs()
        listed = {row["seq"] for row in fleet.releases()}
        self.restore(copies[3])
        self.wait_for_one_epoch_but(old)
        there = {row["seq"] for row in fleet.releases()}
        self.assertTrue({1, 2, 3} <= there <= listed, f"the copy was begun after three releases, and has {there}")

    def publish_command(self, version):
        tree = trees.make(f"{self.fleet.directory}/source-{version}", version)
        return [LULL, "publish", tree, "--name", "app", "--version", version, "--start", "bin/app"]


class Retention(FleetTest):
    """The broker keeps ten releases of a software until a test restarts it: so nothing is removed while releases are
    published, however long that takes."""

    nodes = 1

    def restart(self):
        """From now on it keeps one release, and begins at once."""
        self.assertEqual(self.fleet.broker.stop(), 0)
        self.fleet.start_broker("--keep", "1")

    def age_packs(self):
        """Two days pass for the packs: what is younger than a day stays, because a publication may go on."""
        packs = f"{self.fleet.broker_directory}/packs"
        for name in os.listdir(packs):
            os.utime(f"{packs}/{name}", times=(time.time() - 2 * 86400,) * 2)

    def pack_bytes(self):
        packs = f"{self.fleet.broker_directory}/packs"
        return sum(os.stat(f"{packs}/{name}").st_size for name in os.listdir(packs))

    def test_the_disk_of_releases_that_left_the_log_is_free_again(self):
        fleet = self.fleet
        large = 96 << 20
        for number in range(4):  # each fills a third of a pack with bytes of its own
            seq = fleet.publish_new(f"1.{number}", large=large)
            fleet.nodes[0].wait_active(f"1.{number}")
            if number < 3:
                fleet.checker.forget("app", seq)
        fleet.checker.check_converged()
        self.age_packs()
        before = self.pack_bytes()
        self.assertGreater(before, 4 * large)
        self.restart()
        fleet.broker.wait_for("superseded releases from the log")
        fleet.broker.wait_for(r"removed \d+ objects that no release needs", timeout=120)
        self.assertLess(self.pack_bytes(), before - 2 * large)
        late = fleet.add_node("late").start()
        late.wait_active("1.3")
        self.restart()
        fleet.publish_new("1.4")
        fleet.checker.check_converged()

    def test_old_releases_leave_the_log_and_a_node_that_was_off_gets_the_newest_all_the_same(self):
        fleet = self.fleet
        node = fleet.nodes[0]
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        node.stop()
        seqs = [fleet.publish_new(f"1.{number}") for number in range(1, 6)]
        for seq in seqs[:-1]:
            fleet.checker.forget("app", seq)
        self.restart()
        fleet.broker.wait_for("superseded releases from the log")
        self.assertEqual([row["version"] for row in fleet.releases()], ["1.0", "1.5"],
                         "what a node has, and the newest")
        late = fleet.add_node("late").start()
        node.start()
        fleet.checker.check_converged()
        self.assertEqual(json.loads(fleet.lull("list", "--json").out)["releases"][-1]["seq"], late.current()[0])


if __name__ == "__main__":
    main()
