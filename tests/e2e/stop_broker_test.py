"""SIGTERM to a broker in the middle of long work: it ends within two seconds, and one that is started right afterwards
serves.

Each test has its control: the work that was under way at the signal goes on for longer than the broker may take to
end."""

import glob
import os
import random
import shutil
import signal
import time

import trees
from fleet import BROKER, BUILD, FleetTest, main
from waiting import wait_until

MIB = 1 << 20
LONGEST = 2.0  # seconds from the signal to the end
PROGRAMS = int(os.environ.get("LULL_E2E_PROGRAMS", "40")) * MIB  # of which a patch is made; 100 for the full show
TICKS = os.sysconf("SC_CLK_TCK")


def longest():
    """Twice as much on a machine on which others compute: the work under way takes far longer than that."""
    return LONGEST if os.getloadavg()[0] < 2 * os.cpu_count() else 2 * LONGEST


def busy_seconds(pid, niceness=5):
    """The processor time of the threads of low priority, which make patches and read stored objects again."""
    spent = 0
    for place in glob.glob(f"/proc/{pid}/task/*/stat"):
        try:
            with open(place, encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[16]) == niceness:
            spent += int(fields[11]) + int(fields[12])
    return spent / TICKS


class Stop(FleetTest):
    def wait_until_busy(self, seconds):
        """Waits until the threads of low priority have computed for so long from now on."""
        pid = self.fleet.broker.pid
        before = busy_seconds(pid)
        wait_until(lambda: busy_seconds(pid) > before + seconds, 120, "a thread of low priority is at work")

    def stop_in_time(self):
        """Ends the broker, and starts it again at once. Returns how long the end took."""
        fleet = self.fleet
        self.assertTrue(fleet.broker.running())
        begin = time.monotonic()
        fleet.broker.process.send_signal(signal.SIGTERM)
        self.assertEqual(fleet.broker.wait(), 0)
        took = time.monotonic() - begin
        print(f"# {self._testMethodName}: ended {took:.2f} s after SIGTERM", flush=True)
        self.assertIsNotNone(fleet.broker.find("stopped at release"), fleet.broker.tail())
        fleet.start_broker()
        self.assertLess(took, longest())
        return took

    def control(self, pattern, seconds):
        """The work that was interrupted, done again: it goes on for as long as the end might have taken, and longer."""
        self.wait_until_busy(seconds)
        self.assertIsNone(self.fleet.broker.find(pattern), "the work is over so soon that the test shows nothing")


class StopPatch(Stop):
    nodes = 1

    def make(self, version):
        """Programs, of which the second version is the first with bytes put in and taken out all over."""
        tree = f"{self.fleet.directory}/programs"
        shutil.rmtree(tree, ignore_errors=True)
        programs = sorted(glob.glob(f"{BUILD}/*/l*"), key=os.path.getsize) + ["/usr/bin/python3.11"]
        programs = [path for path in programs if os.path.isfile(path) and os.access(path, os.X_OK)]
        size = 0
        for number in range(100):
            contents = bytearray(trees.read(programs[number % len(programs)])[:15 * MIB])
            changes = random.Random(f"{version} {number}")
            for _ in range(0 if version == 1 else 400):
                at = changes.randrange(1 << 12, len(contents))
                contents[at:at + 16] = changes.randbytes(changes.randrange(8, 32))
            trees.write(f"{tree}/lib/program-{number}", contents, 0o755)
            size += len(contents)
            if size > PROGRAMS:
                break
        trees.write(f"{tree}/bin/app", b"#!/bin/sh\necho 1\n", 0o755)
        return tree

    def test_a_broker_that_makes_a_thorough_patch_of_programs_ends_at_once(self):
        fleet = self.fleet
        fleet.publish(self.make(1), "1.1", "--start", "bin/app")
        fleet.nodes[0].wait_active("1.1", timeout=300)
        fleet.publish(self.make(2), "1.2", "--start", "bin/app")
        fleet.broker.wait_for("made quickly", timeout=300)
        self.wait_until_busy(3)
        self.stop_in_time()
        self.control("patch [0-9a-f]+: ", 6)
        fleet.nodes[0].wait_active("1.2", timeout=300)
        fleet.checker.check_converged()


class StopScrub(Stop):
    broker_options = ("--governor", "off")

    def test_a_broker_that_packs_objects_anew_ends_at_once(self):
        fleet = self.fleet
        tree = f"{fleet.directory}/source"
        words = [f"word{i}" for i in range(3000)]
        for number in range(6):
            chosen = random.Random(number)
            trees.write(f"{tree}/text-{number}", " ".join(chosen.choice(words) for _ in range(2_500_000)).encode())
        trees.write(f"{tree}/bin/app", b"#!/bin/sh\necho 1\n", 0o755)
        fleet.publish(tree, "1.0", "--start", "bin/app")
        self.wait_until_busy(1)
        self.stop_in_time()
        self.control("saved by packing them anew", 6)


class StopBackup(Stop):
    def test_a_broker_of_which_a_backup_is_made_ends_at_once_and_the_backup_too(self):
        fleet = self.fleet
        tree = f"{fleet.directory}/source"
        for number in range(4):
            trees.write(f"{tree}/large-{number}", os.urandom(120 * MIB))
        trees.write(f"{tree}/bin/app", b"#!/bin/sh\necho 1\n", 0o755)
        fleet.publish(tree, "1.0", "--start", "bin/app")
        place = f"{fleet.directory}/monday"
        command = [BROKER, "backup", place, "--data", fleet.broker_directory]
        backup = fleet.start("backup", command)
        partial = f"{fleet.directory}/.lull-backup-monday"
        wait_until(lambda: glob.glob(f"{partial}/packs/pack-*") or not backup.running(), 60, "packs are copied")
        interrupted = backup.running()
        self.stop_in_time()
        begin = time.monotonic()
        if backup.running():
            backup.process.send_signal(signal.SIGTERM)
        status = backup.wait()
        print(f"# the backup ended {time.monotonic() - begin:.2f} s after SIGTERM, with {status}", flush=True)
        if status != 0:
            self.assertLess(time.monotonic() - begin, longest())
            self.assertRegex(backup.tail(), "stopped")
            self.assertFalse(os.path.exists(place))
            self.assertFalse(os.path.exists(partial), "what was copied so far is removed")
        self.assertTrue(interrupted, "the backup was over so soon that the test shows nothing")
        fleet.run(*command[:2], f"{place}-2", *command[3:])


if __name__ == "__main__":
    main()
