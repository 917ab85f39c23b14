"""What somebody changes in an installed release is found and put right, without anybody's help and under nobody's
hands."""

import os
import shutil
import subprocess

import trees
from fleet import FleetTest, main
from waiting import wait_until


class Drift(FleetTest):
    nodes = 0

    def setUp(self):
        super().setUp()
        fleet = self.fleet
        self.node = fleet.add_node("node-1").start("--scan", "1")
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        self.tree = f"{self.node.root}/app/versions/1-1.0"
        self.right = trees.snapshot(self.tree)
        self.wait_looked()

    def wait_looked(self):
        """Until a look is over that began after now."""
        for _ in range(2):
            before = (self.node.row().get("scan") or {}).get("looked")
            wait_until(lambda before=before: (self.node.row().get("scan") or {}).get("looked") not in (None, before),
                       20,
                       "a look")

    def wait_right(self, what):
        wait_until(lambda: trees.snapshot(self.tree) == self.right, 30, f"{what}: the tree is right again")
        self.fleet.wait_ledger(lambda row: row["state"] == "active" and "put right" in row["why"],
                               f"{what}: the table says so")

    def file(self):
        return f"{self.tree}/lib/1/file-1"

    def test_bytes_that_were_changed_are_put_right_and_the_table_says_so(self):
        status = os.stat(self.file())
        contents = bytearray(trees.read(self.file()))
        contents[17] ^= 1
        with open(self.file(), "r+b") as file:
            file.write(contents)
        self.wait_right("a changed byte")
        self.assertNotEqual(os.stat(self.file()).st_ino, status.st_ino, "a new file was put in its place")
        scan = self.node.row()["scan"]
        self.assertEqual((scan["repaired"], scan["left"]), (1, 0), scan)
        self.fleet.node("verify", "--root", self.node.root)

    def test_files_that_are_cut_or_gone_or_of_another_mode_or_type_are_put_right(self):
        os.truncate(self.file(), 3)
        os.remove(f"{self.tree}/lib/2/file-2")
        os.chmod(f"{self.tree}/app.bin", 0o644)
        shutil.rmtree(f"{self.tree}/lib/3")
        os.remove(f"{self.tree}/bin/app")
        os.symlink("/bin/sh", f"{self.tree}/bin/app")
        self.wait_right("damage of several kinds")
        self.fleet.node("verify", "--root", self.node.root)
        self.fleet.checker.check_converged()

    def test_what_does_not_belong_there_is_removed_and_nothing_outside_is_touched(self):
        outside = f"{self.fleet.directory}/outside"
        trees.write(f"{outside}/precious", b"not ours")
        trees.write(f"{self.tree}/lib/extra/deep", b"foreign")
        os.symlink(outside, f"{self.tree}/lib/door")
        shutil.rmtree(f"{self.tree}/lib/4")
        os.symlink(outside, f"{self.tree}/lib/4")
        self.wait_right("foreign files")
        self.assertEqual(os.listdir(outside), ["precious"])

    def test_the_link_to_the_current_version_is_put_right(self):
        current = f"{self.node.root}/app/current"
        os.remove(current)
        wait_until(lambda: self.node.current() == (1, "1.0"), 20, "a lost link is made again")
        os.remove(current)
        os.symlink("/tmp", current)
        wait_until(lambda: os.readlink(current) == "versions/1-1.0", 20, "a link that leads away is put right")
        self.fleet.checker.check_converged()

    def test_a_version_that_was_deleted_is_fetched_again(self):
        shutil.rmtree(self.tree)
        wait_until(lambda: os.path.exists(self.tree) and trees.snapshot(self.tree) == self.right, 30,
                   "the version is there again")
        self.fleet.checker.check_converged()

    def test_bytes_that_no_other_file_here_has_are_fetched(self):
        for directory, _, files in os.walk(self.tree):
            for name in files:
                path = os.path.join(directory, name)
                if not os.path.islink(path) and os.path.getsize(path):
                    with open(path, "r+b") as file:
                        file.write(b"!" * min(os.path.getsize(path), 500))
        self.node.daemon.wait_for("fetching .* segments to repair it")
        self.wait_right("damage everywhere")
        self.fleet.checker.check_converged()

    def test_a_program_that_runs_keeps_its_file(self):
        running = subprocess.Popen([f"{self.node.root}/app/current/app.bin"], stdin=subprocess.PIPE)
        self.addCleanup(running.kill)
        before = os.stat(f"/proc/{running.pid}/exe").st_ino
        os.chmod(f"{self.tree}/app.bin", 0o700)
        os.remove(f"{self.tree}/version")
        self.wait_right("damage around a running program")
        self.assertEqual(os.stat(f"/proc/{running.pid}/exe").st_ino, before)
        self.assertIsNone(running.poll())
        self.assertEqual(os.stat(f"{self.tree}/app.bin").st_ino, before, "a mode is changed in place")
        running.communicate()

    def test_the_next_release_begins_with_a_clean_record(self):
        trees.write(f"{self.tree}/lib/extra", b"?")
        self.wait_right("a foreign file")
        self.assertEqual(self.fleet.publish_new("1.1"), 2)
        self.fleet.checker.check_converged()
        self.wait_looked()
        self.fleet.wait_ledger(lambda row: row["why"] == "", "nothing is said of the release before")


if __name__ == "__main__":
    main()
