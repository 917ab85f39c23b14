"""A node that reads, stages or applies a patch stops within two seconds of SIGTERM and resumes after its next start."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

import trees
from fleet import FleetTest, main
from waiting import a_second, wait_until

MIB = 1 << 20


def goal():
    """Seconds from SIGTERM to the end; more where others keep the machine from its work."""
    return 2 * a_second()


@contextlib.contextmanager
def busy_machine():
    """Processes that leave a node of low priority a small part of the machine, so that its work takes long."""
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * os.cpu_count())]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def read_by(pid):
    with open(f"/proc/{pid}/io", encoding="utf-8") as file:
        return int(file.readline().split()[1])  # rchar


def make_large(tree, size, seed=1):
    contents = random.Random(seed).randbytes(size)
    trees.write(f"{tree}/large", contents)


def change_a_bit(tree):
    """Some bytes in each part of the large file."""
    with open(f"{tree}/large", "r+b") as file:
        for offset in range(0, os.path.getsize(f"{tree}/large"), 2 * MIB):
            file.seek(offset + 1000)
            file.write(b"changed")


class Stop(FleetTest):
    def setUp(self):
        super().setUp()
        self.asked_at = None
        self.tree = f"{self.fleet.directory}/source"
        self.node = self.fleet.add_node("node-1")

    def start(self, *options):
        return self.node.start(*options, through=["nice", "-n", "10"])

    def publish(self, version):
        return self.fleet.publish(self.tree, version)

    def place(self, name):
        return f"{self.node.root}/app/versions/{name}"

    def ask_to_stop(self):
        self.asked_at = time.monotonic()
        self.node.daemon.process.send_signal(signal.SIGTERM)

    def seconds_to_stop(self):
        """From SIGTERM to the end, after ask_to_stop()."""
        self.assertEqual(self.node.daemon.wait(60), 0, self.node.daemon.tail())
        return time.monotonic() - self.asked_at

    def stage_until(self, version, seq):
        """Until the tree of this release is being built, with some of its bytes in place."""
        def is_filled():
            with contextlib.suppress(FileNotFoundError):
                return os.stat(f"{self.place(f'.staging-{seq}')}/large").st_blocks > 0
            return False
        wait_until(is_filled, 60, f"{version} is being staged")

    def check_cut_off(self, version, seq):
        self.assertIsNone(self.node.daemon.find(rf"app {version}: staged"), "it was not done yet")
        self.assertTrue(os.path.exists(self.place(f".staging-{seq}")), "the rest is left to the next start")
        self.assertFalse(os.path.exists(self.place(f"{seq}-{version}")))

    def check_goes_on(self, version):
        self.node.start()
        self.node.wait_active(version)
        self.fleet.checker.check_converged()
        self.assertEqual([name for name in os.listdir(self.place("")) if name.startswith(".")], [])

    def test_a_stop_during_a_staging(self):
        make_large(self.tree, 64 * MIB)
        self.publish("1.0")
        self.start()
        self.node.daemon.wait_for(r"app 1\.0: fetched")
        with busy_machine():
            self.stage_until("1.0", 1)
            self.ask_to_stop()
        took = self.seconds_to_stop()
        self.check_cut_off("1.0", 1)
        self.assertLess(took, goal())
        self.check_goes_on("1.0")

    def test_a_stop_while_a_patch_is_applied(self):
        make_large(self.tree, 32 * MIB)
        self.publish("1.0")
        self.start()
        self.node.wait_active("1.0")
        change_a_bit(self.tree)
        self.publish("1.1")
        self.node.daemon.wait_for(r"app 1\.1: .*with a patch", 120)
        with busy_machine():
            self.stage_until("1.1", 2)
            self.ask_to_stop()
        took = self.seconds_to_stop()
        self.check_cut_off("1.1", 2)
        self.assertLess(took, goal())
        self.check_goes_on("1.1")

    def test_a_stop_during_a_scan(self):
        make_large(self.tree, 128 * MIB)
        self.publish("1.0")
        self.node.start()
        self.node.wait_active("1.0")
        self.node.stop()
        with contextlib.suppress(FileNotFoundError):
            os.remove(f"{self.node.root}/app/releases/1-1.0.seen")  # so that every byte is read again
        self.start("--scan", "1")
        with busy_machine():
            before = read_by(self.node.daemon.pid)
            wait_until(lambda: read_by(self.node.daemon.pid) > before + 4 * MIB, 60, "the scan reads")
            read = read_by(self.node.daemon.pid) - before
            self.ask_to_stop()
        took = self.seconds_to_stop()
        self.assertLess(read, 100 * MIB, "the scan was not done yet")
        self.assertLess(took, goal())
        self.node.start()
        self.fleet.checker.check_converged()

    def test_control_a_node_that_takes_too_long_is_found(self):
        make_large(self.tree, 1 * MIB)
        self.publish("1.0")
        self.start()
        self.node.wait_active("1.0")
        self.node.daemon.process.send_signal(signal.SIGSTOP)
        self.ask_to_stop()
        time.sleep(goal() + 0.1)
        self.node.daemon.process.send_signal(signal.SIGCONT)
        self.assertGreater(self.seconds_to_stop(), goal())

    def test_control_a_staging_that_was_done_is_not_taken_for_one_that_was_cut_off(self):
        make_large(self.tree, 1 * MIB)
        self.publish("1.0")
        self.start()
        self.node.wait_active("1.0")
        self.ask_to_stop()
        self.seconds_to_stop()
        with self.assertRaises(AssertionError):
            self.check_cut_off("1.0", 1)


if __name__ == "__main__":
    main()
