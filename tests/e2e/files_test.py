"""What a release carries of files besides their bytes (modes, times, holes, links), and what programs may write."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import unittest

import trees
from fleet import BROKER, LULL, NODE, REPOSITORY, FleetTest, free_ports, main
from waiting import wait_until

AS_ROOT = unittest.skipUnless(os.getuid() == 0, "needs root")
KEEPS_LOG_OPEN = b'#!/bin/sh\nexec 3>>"$LULL_ROOT_DIR/app.log"\necho started >&3\nwhile read -r _; do :; done\n'


def mode(path):
    return os.lstat(path).st_mode & 0o7777


class Files(FleetTest):
    def setUp(self):
        super().setUp()
        self.node = self.fleet.add_node("node-1")
        self.tree = f"{self.fleet.directory}/tree"
        self.current = f"{self.node.root}/app/current"
        trees.write(f"{self.tree}/bin/app", b"#!/bin/sh\nexec cat\n", 0o755)

    def publish(self, version, *options):
        self.fleet.publish(self.tree, version, *options)
        self.node.wait_active(version)

    def wait_scanned(self):
        before = (self.node.row().get("scan") or {}).get("looked")
        wait_until(lambda: (self.node.row().get("scan") or {}).get("looked") != before, 30, "a scan")

    def test_modes_are_kept_checked_and_put_right(self):
        trees.write(f"{self.tree}/private/key", b"secret", 0o600)
        os.chmod(f"{self.tree}/private", 0o700)
        trees.write(f"{self.tree}/closed/data", b"data", 0o440)
        os.chmod(f"{self.tree}/closed", 0o555)
        self.node.start("--scan", "1")
        self.publish("1.0")
        for path, wanted in (("private", 0o700), ("private/key", 0o600), ("closed", 0o555), ("closed/data", 0o440),
                             ("bin/app", 0o755)):
            self.assertEqual(oct(mode(f"{self.current}/{path}")), oct(wanted), path)
        self.fleet.checker.check_converged()

        os.chmod(f"{self.current}/private/key", 0o644)
        os.remove(f"{self.current}/closed/data")
        wait_until(lambda: mode(f"{self.current}/private/key") == 0o600, 30, "the mode is put right")
        wait_until(lambda: os.path.exists(f"{self.current}/closed/data"), 30, "the file is made again")
        self.fleet.node("verify", "--root", self.node.root)

        os.chmod(f"{self.tree}/private/key", 0o640)
        self.publish("1.1")  # a mode alone is a new release
        self.assertEqual(mode(f"{self.current}/private/key"), 0o640)
        os.chmod(f"{self.tree}/closed", 0o755)  # else the test's directory cannot be removed

    def test_times_are_kept_so_that_bytecode_counts(self):
        trees.write(f"{self.tree}/pkg/mod.py", b"x = 1\n")
        os.utime(f"{self.tree}/pkg/mod.py", (1_700_000_000, 1_700_000_000.75))
        self.fleet.run(sys.executable, "-m", "compileall", "-q", f"{self.tree}/pkg",
                       environment={**self.fleet.environment, "PYTHONDONTWRITEBYTECODE": ""})
        self.node.start("--scan", "1")
        self.publish("1.0")
        self.assertEqual(os.stat(f"{self.current}/pkg/mod.py").st_mtime, 1_700_000_000)
        outcome = self.fleet.run(sys.executable, "-v", "-c", "import pkg.mod",
                                 environment={**self.fleet.environment, "PYTHONPATH": self.current})
        self.assertIn("matches", outcome.err)
        self.assertNotIn(f"wrote '{os.path.realpath(self.current)}", outcome.err)

        os.utime(f"{self.current}/pkg/mod.py")
        wait_until(lambda: os.stat(f"{self.current}/pkg/mod.py").st_mtime == 1_700_000_000, 30, "the time is put right")

    def test_the_same_files_with_other_times_are_the_same_release(self):
        self.fleet.publish(self.tree, "1.0")
        os.utime(f"{self.tree}/bin/app", (1_600_000_000, 1_600_000_000))
        again = json.loads(self.fleet.lull("publish", self.tree, "--name", "app", "--version", "1.0", "--json").out)
        self.assertTrue(again["before"])
        os.chmod(f"{self.tree}/bin/app", 0o700)
        refused = self.fleet.lull("publish", self.tree, "--name", "app", "--version", "1.0", status=4)
        self.expect(refused, "published before with other contents")

    def test_what_cannot_be_carried_is_named_at_once_and_the_advice_works(self):
        trees.write(f"{self.tree}/it's", b"x", 0o4755)
        os.symlink("/usr/bin/env", f"{self.tree}/env")
        os.symlink("/bin/app", f"{self.tree}/own")
        os.symlink("/etc/hostname", f"{self.tree}/name")
        os.mkfifo(f"{self.tree}/pipe")
        trees.write(f"{self.tree}/note", b"x")
        try:
            os.setxattr(f"{self.tree}/note", "user.note", b"1")
        except OSError:
            pass
        outcome = self.fleet.lull("publish", self.tree, "--name", "app", "--version", "1.0", status=4)
        self.expect(outcome, "/it's: it has the setuid", "/env: ", "/own: ", "/name: ", "/pipe: it is a named pipe")

        advice = {}
        for line in outcome.err.splitlines()[1:]:
            path = line.strip().split(": ", 1)[0]
            advice[os.path.basename(path)] = line
        self.fleet.run("/bin/sh", "-c", advice["it's"].split("run: ", 1)[1])
        if "note" in advice:
            run = advice["note"].split("run: ", 1)[1]
            if shutil.which("setfattr"):
                self.fleet.run("/bin/sh", "-c", run)
            else:
                os.removexattr(f"{self.tree}/note", "user.note")
        self.fleet.run("/bin/sh", "-c", advice["own"].split("inside the tree: ", 1)[1].split(";")[0])
        self.fleet.run("/bin/bash", "-c", advice["name"].split("there: ", 1)[1])
        self.assertIn("--allow-link '/usr/bin/env'", advice["env"])
        os.remove(f"{self.tree}/pipe")
        self.node.start()
        self.publish("1.0", "--allow-link", "/usr/bin/env")
        self.assertEqual(os.readlink(f"{self.current}/env"), "/usr/bin/env")
        self.assertEqual(os.readlink(f"{self.current}/own"), "bin/app")
        self.assertEqual(trees.read(f"{self.current}/name"), trees.read("/etc/hostname"))

    def test_a_virtual_environment_runs_on_the_node(self):
        python = os.path.realpath(sys.executable)
        self.fleet.run(python, "-m", "venv", "--without-pip", f"{self.tree}/venv")
        trees.write(f"{self.tree}/main.py", b"import sys; print(sys.prefix)\n")
        self.node.start()
        self.publish("1.0", "--start", "venv/bin/python3")
        ran = self.fleet.node("run", "app", "--root", self.node.root, "--", f"{self.current}/main.py")
        self.assertEqual(ran.out.strip(), f"{self.node.root}/app/versions/1-1.0/venv")
        # Nothing else is allowed by it, and no other interpreter.
        os.symlink("/opt/bin/python3", f"{self.tree}/venv/bin/python3.99")
        self.fleet.lull("publish", self.tree, "--name", "app", "--version", "1.1", status=4)
        os.remove(f"{self.tree}/venv/bin/python3.99")
        os.symlink("/usr/bin/env", f"{self.tree}/env")
        self.fleet.lull("publish", self.tree, "--name", "app", "--version", "1.1", status=4)

    def test_holes_stay_holes(self):
        with open(f"{self.tree}/image", "wb") as file:
            file.write(b"begin")
            file.seek(200 << 20)
            file.write(b"end")
        if os.stat(f"{self.tree}/image").st_blocks * 512 > 1 << 20:
            self.skipTest("this file system has no holes")
        self.node.start()
        self.publish("1.0")
        image = os.stat(f"{self.current}/image")
        self.assertEqual(image.st_size, (200 << 20) + 3)
        self.assertLess(image.st_blocks * 512, 1 << 20)
        trees.write(f"{self.tree}/other", b"x")
        self.publish("1.1")  # copied from the version before
        self.assertLess(os.stat(f"{self.current}/image").st_blocks * 512, 1 << 20)
        self.fleet.checker.check_converged()

    def test_the_data_directory_survives_updates_and_a_rollback(self):
        script = b'#!/bin/sh\necho "$LULL_VERSION" >>"$LULL_DATA/runs"\ncat "$LULL_DATA/runs"\n'
        trees.write(f"{self.tree}/bin/app", script, 0o755)
        self.node.start()
        self.publish("1.0", "--data-mode", "0750")
        data = f"{self.node.root}/app/data"
        self.assertEqual(oct(mode(data)), oct(0o750))
        run = lambda: self.fleet.node("run", "app", "--root", self.node.root).out.split()
        self.assertEqual(run(), ["1.0"])
        os.chmod(data, 0o711)  # it is the node's
        trees.write(f"{self.tree}/new", b"1.1")
        self.publish("1.1", "--data-mode", "0777")
        self.assertEqual(run(), ["1.0", "1.1"])
        self.fleet.lull("rollback", "app", "--to", "1.0", "--wait", "active:100%")
        self.assertEqual(run()[:2], ["1.0", "1.1"])
        self.assertEqual(oct(mode(data)), oct(0o711))

    def start_program(self):
        program = subprocess.Popen([NODE, "run", "app", "--root", self.node.root], stdin=subprocess.PIPE,
                                   env=self.fleet.environment)
        self.addCleanup(program.wait)
        self.addCleanup(program.stdin.close)
        wait_until(lambda: os.path.exists(f"{self.current}/app.log"), 20, "the program has its log open")

    def test_what_a_program_writes_into_its_tree_is_left_alone_or_moved_and_named(self):
        trees.write(f"{self.tree}/bin/app", KEEPS_LOG_OPEN, 0o755)
        self.node.start("--scan", "1")
        self.publish("1.0", "--allow-stray", "__pycache__")
        self.start_program()
        trees.write(f"{self.current}/lib/__pycache__/x.pyc", b"allowed")
        trees.write(f"{self.current}/run/left", b"left behind")
        self.node.daemon.wait_for(r"moved to lost\+found, as it is no part of the release: .*run")
        self.node.daemon.wait_for(r"left alone: .*app.log \(a process has it open\)")
        self.wait_scanned()
        self.assertEqual(trees.read(f"{self.current}/app.log"), b"started\n")
        lost = f"{self.node.root}/app/lost+found"
        (batch,) = os.listdir(lost)
        self.assertEqual(trees.read(f"{lost}/{batch}/run/left"), b"left behind")
        status = self.fleet.node("status", "--root", self.node.root).out
        for part in ("app.log (a process has it open)", lost, f"{batch}/run/left"):
            self.assertIn(part, status)
        self.assertFalse(os.path.exists(f"{self.current}/run"))

    def test_a_strict_tree_deletes_what_does_not_belong_there(self):
        trees.write(f"{self.tree}/bin/app", KEEPS_LOG_OPEN, 0o755)
        self.node.start("--scan", "1", "--strict-tree")
        self.publish("1.0")
        self.start_program()
        wait_until(lambda: not os.path.exists(f"{self.current}/app.log"), 30, "it is deleted")
        self.assertFalse(os.path.exists(f"{self.node.root}/app/lost+found"))

    def test_an_archive_has_its_own_modes_and_times(self):
        trees.write(f"{self.tree}/private/key", b"secret", 0o600)
        os.chmod(f"{self.tree}/private", 0o700)
        os.utime(f"{self.tree}/private/key", (1_500_000_000, 1_500_000_000))
        archive = f"{self.fleet.directory}/app.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(self.tree, ".")
        self.node.start()
        self.fleet.lull("publish", archive, "--name", "app", "--version", "1.0")
        self.node.wait_active("1.0")
        self.assertEqual(oct(mode(f"{self.current}/private")), oct(0o700))
        self.assertEqual(oct(mode(f"{self.current}/private/key")), oct(0o600))
        self.assertEqual(os.stat(f"{self.current}/private/key").st_mtime, 1_500_000_000)


class Recorded(FleetTest):
    """A broker and a node that were recorded when manifests had no modes go on as they are."""

    def test_a_recorded_fleet_is_read_and_updated(self):
        fleet = self.fleet
        with tarfile.open(f"{REPOSITORY}/tests/data/format-1/fleet.tar.xz") as tar:
            tar.extractall(fleet.directory + "/recorded")
        there = fleet.directory + "/recorded"
        port = free_ports()
        for name in ("broker/broker.conf", "broker/address", "node/.lull/node.json"):
            text = trees.read(f"{there}/{name}").decode().replace(":23700", f":{port}")
            status = os.stat(f"{there}/{name}")
            trees.write(f"{there}/{name}", text.encode(), status.st_mode & 0o777)
        fleet.node("verify", "app", "--root", f"{there}/node")
        ran = fleet.node("run", "app", "--root", f"{there}/node").out
        self.assertEqual(ran, "app 1.1 second\n")

        broker = fleet.start("recorded-broker", [BROKER, "run", "--data", f"{there}/broker", "--beacon", "1"])
        broker.wait_for("listening on")
        node = fleet.start("recorded-node", [NODE, "daemon", "--root", f"{there}/node", "--scan", "1"])
        node.wait_for("announcements: connected")
        environment = {**fleet.environment, "LULL_KEYS": f"{there}/keys",
                       "LULL_BROKER": trees.read(f"{there}/broker/address").decode().strip()}
        listed = json.loads(fleet.run(LULL, "list", "--json", environment=environment).out)["releases"]
        self.assertEqual([row["version"] for row in listed], ["1.0", "1.1"])
        data = f"{there}/node/app/versions/2-1.1/lib/deep/data"
        trees.write(data, b"damaged")
        wait_until(lambda: trees.read(data) == b"second\n", 30, "an old tree is repaired")

        tree = f"{fleet.directory}/tree"
        shutil.copytree(f"{there}/node/app/versions/2-1.1", tree, symlinks=True)
        os.chmod(f"{tree}/lib/deep/data", 0o600)
        fleet.run(LULL, "publish", tree, "--name", "app", "--version", "2.0", "--start", "bin/app", "--wait",
                  "active:100%", environment=environment)
        self.assertEqual(mode(f"{there}/node/app/current/lib/deep/data"), 0o600)
        fleet.run(LULL, "rollback", "app", "--to", "1.1", "--wait", "active:100%", environment=environment)
        self.assertEqual(mode(f"{there}/node/app/current/lib/deep/data"), 0o644)
        node.process.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)


if __name__ == "__main__":
    main()
