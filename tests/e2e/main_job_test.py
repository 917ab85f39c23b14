"""The main job: publish, announce, record, fetch, stage, activate, report; and again with the next release."""

import json

import trees
from fleet import FleetTest, main


class MainJob(FleetTest):
    nodes = 3

    def test_two_releases_reach_all_nodes(self):
        fleet = self.fleet
        self.assertEqual(fleet.publish_new("1.0"), 1)
        fleet.checker.check_converged()
        marks = {node.name: node.daemon.mark() for node in fleet.nodes}
        self.assertEqual(fleet.publish_new("1.1"), 2)
        for node in fleet.nodes:
            node.wait_active("1.1", after=marks[node.name])
        fleet.checker.check_converged()
        for node in fleet.nodes:
            self.assertEqual(node.versions(), ["1-1.0", "2-1.1"], "the previous release is kept")

    def test_the_tables_show_what_is_where(self):
        fleet = self.fleet
        self.assertIn("there is nothing to list: nothing is published yet", fleet.lull("list").out)
        self.assertIn("no release has been announced yet", fleet.node("status", "--root", fleet.nodes[0].root).out)
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        table = fleet.lull("status").out
        for node in fleet.nodes:
            self.assertRegex(table, rf"app +1\.0 +{node.name} +active")
        self.assertIn("3 of 3 nodes active", table)
        self.assertRegex(fleet.lull("list", "app").out, r"app +1\.0 +1 ")
        self.assertRegex(fleet.lull("nodes").out, r"node-1 +\w+ +\d\d:\d\d +lull-node")
        self.assertRegex(fleet.node("status", "--root", fleet.nodes[0].root).out, r"app +1\.0 \(1\) +active")
        only = json.loads(fleet.lull("status", "--node", "node-2", "--json").out)["status"]
        self.assertEqual([row["node"] for row in only], ["node-2"])

    def test_publishing_the_same_again_changes_nothing(self):
        fleet = self.fleet
        seq = fleet.publish_new("1.0")
        fleet.checker.check_converged()
        self.assertEqual(fleet.publish_new("1.0"), seq)
        self.assertEqual(len(fleet.releases()), 1)
        fleet.checker.check_converged()

    def test_several_pieces_of_software_do_not_disturb_each_other(self):
        fleet = self.fleet
        for software in ("app", "tool", "fonts"):
            fleet.publish_new("1.0", software=software, seed=software)
        fleet.publish_new("2.0", software="tool", seed="tool")
        fleet.checker.check_converged()

    def test_a_node_that_comes_later_gets_everything(self):
        fleet = self.fleet
        fleet.publish_new("1.0")
        fleet.publish_new("1.1")
        fleet.add_node("late").start()
        fleet.checker.check_converged()
        self.assertEqual(fleet.nodes[-1].versions(), ["2-1.1"])

    def test_a_single_file_and_an_archive_are_releases_too(self):
        fleet = self.fleet
        source = f"{fleet.directory}/source"
        trees.write(f"{source}/top/bin/tool", b"#!/bin/sh\necho $LULL_VERSION\n", 0o755)
        fleet.run("tar", "-czf", "tool.tar.gz", "-C", source, "top")
        fleet.lull("publish", "tool.tar.gz", "--strip", "--name", "tool", "--version", "1")
        fleet.lull("publish", f"{source}/top/bin/tool", "--name", "single", "--version", "2")
        for node in fleet.nodes:
            node.wait_active("1", "tool")
            node.wait_active("2", "single")
            for software, version in (("tool", "1"), ("single", "2")):
                program = ["--program", "tool"] if software == "single" else []
                out = fleet.node("run", software, "--root", node.root,
                                 *(["--program", "bin/tool"] if not program else program)).out
                self.assertEqual(out, f"{version}\n")


if __name__ == "__main__":
    main()
