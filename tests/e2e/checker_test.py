"""The checker itself: each of these planted faults has to be found."""

import os
import shutil
import subprocess

import trees
from fleet import FleetTest, main


class CheckerFindsPlantedFaults(FleetTest):
    nodes = 1

    def setUp(self):
        super().setUp()
        self.node = self.fleet.nodes[0]
        for version in ("1.0", "1.1"):
            self.fleet.publish_new(version)
            self.fleet.checker.check_converged()
        self.tree = os.path.realpath(f"{self.node.root}/app/current")

    def expect_finding(self, text):
        with self.assertRaisesRegex(AssertionError, text):
            self.fleet.checker.check_running()

    def test_no_fault_is_no_finding(self):
        self.fleet.checker.check_running()

    def test_a_changed_byte(self):
        with open(f"{self.tree}/version", "r+b") as file:
            file.write(b"9")
        self.expect_finding("differs from what was published in .'version'")
        self.fleet.node("verify", "--root", self.node.root, status=1)

    def test_a_file_too_many(self):
        trees.write(f"{self.tree}/more", b"")
        self.expect_finding("'more'")
        self.fleet.node("verify", "--root", self.node.root, status=1)

    def test_a_file_that_is_missing(self):
        os.remove(f"{self.tree}/empty")
        self.expect_finding("'empty'")
        self.fleet.node("verify", "--root", self.node.root, status=1)

    def test_a_wrong_mode(self):
        os.chmod(f"{self.tree}/version", 0o666)
        self.expect_finding(r"differs from what was published in \['version'\]")
        self.fleet.node("verify", "--root", self.node.root, status=1)

    def test_a_changed_byte_in_the_version_before(self):
        with open(f"{self.node.root}/app/versions/1-1.0/version", "r+b") as file:
            file.write(b"9")
        self.expect_finding("1-1.0 differs from what was published in .'version'")

    def test_a_current_that_leads_nowhere(self):
        os.rename(self.tree, f"{self.node.root}/app/versions/.away")
        self.expect_finding("leads to 2-1.1, which is not there")

    def test_a_current_that_goes_back(self):
        link = f"{self.node.root}/app/current"
        os.remove(link)
        os.symlink("versions/1-1.0", link)
        self.fleet.checker.check_ledger = lambda: None
        self.expect_finding("went back from 2 to 1")

    def test_a_release_that_was_reported_and_is_not_there(self):
        self.fleet.checker.highest.clear()
        os.remove(f"{self.node.root}/app/current")
        os.symlink("versions/1-1.0", f"{self.node.root}/app/current")
        self.expect_finding("1.1 .2. was reported to be active, and 1 is")

    def test_a_current_that_is_gone(self):
        os.remove(f"{self.node.root}/app/current")
        self.fleet.checker.check_ledger = lambda: None
        self.expect_finding("is gone")

    def test_a_version_that_nobody_published(self):
        os.mkdir(f"{self.node.root}/app/versions/3-2.0")
        self.expect_finding("never published")

    def test_a_committed_release_that_is_not_listed(self):
        self.fleet.checker.published("app", "1.2", 3, "00", {})
        self.expect_finding("is not listed")

    def test_a_superseded_release_may_be_gone_but_not_one_that_a_node_has(self):
        checker = self.fleet.checker
        checker.keep = 1
        checker.published("app", "0.9", 0, "00", {})
        checker.check_broker()
        os.remove(f"{self.node.root}/app/current")
        os.symlink("versions/0-0.9", f"{self.node.root}/app/current")
        self.expect_finding("0.9 was committed at 0 and is not listed")

    def test_a_program_whose_file_is_replaced(self):
        program = subprocess.Popen([f"{self.tree}/app.bin"], stdin=subprocess.PIPE)
        self.addCleanup(program.communicate)
        self.fleet.checker.holding(program.pid)
        self.fleet.checker.check_holders()
        shutil.copyfile(f"{self.tree}/app.bin", f"{self.tree}/new")
        os.rename(f"{self.tree}/new", f"{self.tree}/app.bin")
        with self.assertRaisesRegex(AssertionError, "deleted"):
            self.fleet.checker.check_holders()


if __name__ == "__main__":
    main()
