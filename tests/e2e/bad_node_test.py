"""What may be wrong with a node's bundle, directory, journal, broker and options."""

import json
import os
import random
import shutil
import unittest

import trees
from fleet import NODE, FleetTest, main


class NodeRefuses(FleetTest):
    nodes = 1
    shared = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.fleet.publish_new("1.0")
        cls.fleet.checker.check_converged()
        cls.node = cls.fleet.nodes[0]

    def setUp(self):
        self.new_root = f"{self.fleet.directory}/new"
        self.bundle = f"{self.fleet.directory}/try.join"
        self.addCleanup(shutil.rmtree, self.new_root, True)

    def tearDown(self):
        self.fleet.checker.check_converged()

    def refused(self, status, command, *fragments, root=None, **how):
        return self.expect(self.fleet.node(*command, "--root", root or self.new_root, status=status, timeout=20, **how),
                           *fragments)

    # ---- the bundle ----

    def test_a_bundle_that_does_not_exist(self):
        self.refused(1, ["join", "/nowhere.join"], "cannot open /nowhere.join", "lull nodes new NAME")

    def test_a_damaged_bundle(self):
        good = trees.read(self.node.bundle)
        record = json.loads(good)
        for bad in (b"", good[:-20], b"\xff" * 100, b"{}", json.dumps({**record, "broker": "here"}).encode(),
                    json.dumps({**record, "curve_secret": "12"}).encode(),
                    json.dumps({**record, "trusted": []}).encode(), json.dumps({**record, "node": "a/b"}).encode()):
            with self.subTest(bad=bad):
                trees.write(self.bundle, bad, 0o600)
                self.refused(1, ["join", self.bundle], f"cannot use {self.bundle}", "lull nodes new NAME")
        self.assertFalse(os.path.exists(self.new_root))

    def test_a_bundle_that_others_can_read(self):
        trees.write(self.bundle, trees.read(self.node.bundle), 0o644)
        self.refused(4, ["join", self.bundle], "is open to others", f"run: chmod 600 {self.bundle}")

    def test_a_bundle_of_another_node(self):
        path = f"{self.fleet.directory}/another.join"
        record = json.loads(trees.read(self.node.bundle))
        trees.write(path, json.dumps({**record, "node": "another"}).encode(), 0o600)
        self.refused(4, ["join", path], "belongs to node 'node-1'", "--force", root=self.node.root)

    # ---- what does not run, or is not there ----

    def test_status_says_whether_the_daemon_runs(self):
        self.assertTrue(self.node.status()["running"])
        self.node.daemon.kill()
        try:
            self.assertFalse(self.node.status()["running"] or self.node.status()["connected"])
            self.assertIn("the daemon is not running", self.fleet.node("status", "--root", self.node.root).out)
        finally:
            self.node.start()

    def test_verify_of_software_that_is_not_installed(self):
        self.refused(1, ["verify", "kiosc"], "kiosc is not installed here", "lull-node status", root=self.node.root)

    # ---- the directory ----

    def test_a_directory_that_is_no_node(self):
        for command in (["daemon"], ["status"], ["verify"]):
            self.refused(1, command, "is no node yet", f"run: lull-node join BUNDLE --root {self.new_root}")
        self.assertFalse(os.path.exists(self.new_root))

    def test_a_daemon_that_runs_already(self):
        self.refused(4, ["daemon"], "is in use by process", "end that one first", root=self.node.root)

    def test_secrets_that_others_can_read(self):
        secret = f"{self.node.root}/.lull"
        self.node.stop()
        for path in (secret, f"{secret}/node.json"):
            before = os.stat(path).st_mode & 0o777
            os.chmod(path, before | 0o044)
            self.refused(4, ["daemon"],
                         f"{path} holds secrets and is open to others",
                         f"chmod {before:o} {path}",
                         root=self.node.root)
            os.chmod(path, before)
        self.node.start()

    @unittest.skipUnless(os.getuid() == 0, "needs root, to be somebody else")
    def test_a_directory_of_somebody_else(self):
        for command in (["daemon"], ["status"], ["verify"]):
            outcome = self.fleet.run(*self.fleet.as_nobody(NODE, *command, "--root", self.node.root),
                                     status=4,
                                     timeout=20)
            self.expect(outcome, "Permission denied", "the user to whom it belongs")

    # ---- programs ----

    def test_software_and_programs_that_are_not_there(self):
        root = self.node.root
        self.refused(1, ["run", "browser"], "no version of it is installed", "lull-node status", root=root)
        self.refused(2, ["run", "a/b"], "is no name of software", root=root)
        self.refused(1, ["run", "app", "--program", "bin/none"], "No such file", "--program:", "app.bin", root=root)
        self.refused(4, ["run", "app", "--program", "../../../../../../bin/ls"],
                     "leads out of its directory",
                     root=root)
        self.refused(4, ["run", "app", "--program", "lib"], "is not a program", root=root)
        self.refused(4, ["run", "app", "--program", "version"], "Permission denied", root=root)

    # ---- options ----

    def test_options_that_make_no_sense(self):
        path = f"{self.fleet.directory}/node.conf"
        trees.write(path, b"reserv = 1\n")
        root = self.node.root
        self.refused(2, ["daemon", "--config", path], "unknown option reserv; did you mean reserve?", root=root)
        self.refused(2, ["daemon", "--reserve", "much"], "not a number of bytes", root=root)
        self.refused(2, ["daemon", "--arch", "a b"], "is no architecture", "for example amd64", root=root)
        self.refused(2, ["deamon"], "unknown command deamon; did you mean daemon?")


class NodeGoesOn(FleetTest):
    """What is no reason to end: the daemon says what is wrong, and goes on when it is over."""

    def test_a_broker_that_is_down_when_the_node_starts(self):
        fleet = self.fleet
        node = fleet.add_node("node")
        fleet.publish_new("1.0")
        fleet.broker.stop()
        node.start(wait=False)
        node.daemon.wait_for("announcements: nobody answers at tcp://127.0.0.1:.*is lull-broker running there")
        self.assertFalse(node.status()["connected"])
        fleet.start_broker()
        fleet.checker.check_converged()

    def test_a_key_that_is_not_the_broker_s(self):
        node = self.fleet.add_node("node")
        self.change_bundle(node, broker=self.fleet.address.rsplit("/", 1)[0] + "/" + "ab" * 32)
        node.start(wait=False)
        node.daemon.wait_for("answers but does not accept this node's key: .*another broker")
        self.assertIn("it is another broker", self.fleet.node("status", "--root", node.root).out)

    def test_a_key_that_the_broker_does_not_know(self):
        node = self.fleet.add_node("node")
        self.change_bundle(node, curve_secret="12" * 32)
        node.start(wait=False)
        self.fleet.broker.wait_for("turned away .* keys that are not enrolled.*lull nodes new NAME")
        node.daemon.wait_for("answers but does not accept this node's key: .*lull nodes new NAME")
        self.assertFalse(node.status()["connected"])

    def change_bundle(self, node, **fields):
        path = f"{node.root}/.lull/node.json"
        trees.write(path, json.dumps({**json.loads(trees.read(path)), **fields}).encode(), 0o600)

    def test_a_journal_that_is_damaged_is_put_aside_and_everything_comes_back(self):
        fleet = self.fleet
        node = fleet.add_node("node").start()
        for version in ("1.0", "1.1"):
            fleet.publish_new(version)
        fleet.checker.check_converged()
        node.stop()
        path = f"{node.root}/.lull/journal/data.mdb"
        good = trees.read(path)
        used = len(good.rstrip(b"\0"))
        noise = random.Random(1).randbytes(used)
        for what, bad in (("empty", b""), ("cut after its head", good[:8192]), ("cut in the middle", good[:used // 2]),
                          ("noise", noise)):
            with self.subTest(what=what):
                trees.write(path, bad, 0o600)
                for command in ("daemon", "status"):
                    outcome = fleet.node(command, "--root", node.root, status=1, timeout=20)
                    self.expect(outcome, "journal", "is damaged", "move it away")
        shutil.move(f"{node.root}/.lull/journal", f"{fleet.directory}/damaged-journal")
        fleet.checker.cursors.clear()
        fleet.checker.check_installed(node, "app")
        node.start()
        fleet.publish_new("1.2")
        fleet.checker.check_converged()


if __name__ == "__main__":
    main()
