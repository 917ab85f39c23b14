#!/usr/bin/env python3
"""Releases follow each other quickly while programs start and end at random: flips.py [COUNT] [--seconds S] [--seed N]
[--control]
 Several pieces of software on one node; each is launched by `lull-node run` again and again, up to three at a time, and
published again as soon as its last release is active, or sooner. Each launch reads several files of its tree, and one
through `current`, when it starts and when it ends: all of them have to be of one version. Meanwhile every file below
`current` is read again and again. Prints the time from the end of the last user to the activation. --control plants
faults that have to be found."""

import argparse
import collections
import os
import random
import statistics
import subprocess
import sys
import threading
import time
import traceback

import trees
from daemon import time_of
from fleet import NODE, Fleet

FILES = ("first", "lib/second", "share/deep/third")
# What a launch does: a look, until its input ends, and a look again.
PROGRAM = b"""#!/bin/sh
look() {
    for file in first lib/second share/deep/third ../../current/first; do
        version=missing
        read -r version <"$LULL_ROOT_DIR/$file"
        printf '%s ' "$version"
    done
}
printf '%s ' "$LULL_VERSION"
look
echo
read -r line
look
"""


def write_tree(tree, version):
    for file in FILES:
        trees.write(f"{tree}/{file}", f"{version}\n".encode())
    trees.write(f"{tree}/bin/app", PROGRAM, 0o755)
    return tree


def judge_launch(output):
    """The version that a launch was of; an AssertionError if it saw more than one."""
    seen = output.split()
    assert len(seen) == 9, f"a launch said {output!r}"
    assert len(set(seen)) == 1, f"a launch saw several versions: {output!r}"
    return seen[0]


def judge_current(software):
    """The version that `current` leads to, all of whose files are there and are of it; None if it was switched while we
    looked."""
    target = os.readlink(f"{software}/current")
    version = target.split("-", 1)[1]
    found = {}
    for file in FILES:
        try:
            found[file] = trees.read(f"{software}/{target}/{file}").decode().strip()
        except FileNotFoundError:
            found[file] = "missing"
    if os.readlink(f"{software}/current") != target:
        return None
    assert set(found.values()) == {version}, f"{software}/current leads to {target}, which has {found}"
    return version


class Launch:
    def __init__(self, fleet, node, name):
        self.process = subprocess.Popen([NODE, "run", name, "--root", node.root],
                                        env=fleet.environment,
                                        stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE,
                                        text=True)

    def end(self):
        """Lets it end; returns the version that it ran, and the moment at which it was told."""
        told = time.time()
        out, problems = self.process.communicate()
        assert self.process.returncode == 0 and not problems, (
            f"a launch ended with {self.process.returncode}: {problems} {out}")
        return judge_launch(out), told


class Software:
    """One piece of software, with its users and its releases."""

    def __init__(self, campaign, name):
        self.campaign = campaign
        self.name = name
        self.source = f"{campaign.fleet.directory}/source-{name}"
        self.chance = random.Random(f"{campaign.options.seed}/{name}")
        self.last_end = {}      # version -> when the last launch of it was told to end
        self.published = 0
        self.launched = 0
        self.looked = 0

    def publish(self):
        self.published += 1
        self.campaign.fleet.publish(write_tree(self.source, str(self.published)),
                                    str(self.published),
                                    "--start",
                                    "bin/app",
                                    software=self.name)

    def keep_publishing(self):
        daemon = self.campaign.node.daemon
        while not self.campaign.over():
            mark = daemon.mark()
            self.publish()
            if self.chance.random() < 0.8:
                daemon.wait_for(rf": {self.name} {self.published}: active", 120, after=mark)

    def keep_launching(self):
        running = []
        while not self.campaign.over() or running:
            begin = not self.campaign.over() and len(running) < 3 and self.chance.random() < 0.55
            if begin:
                running.append(Launch(self.campaign.fleet, self.campaign.node, self.name))
                self.launched += 1
            elif running:
                version, told = running.pop(self.chance.randrange(len(running))).end()
                self.last_end[version] = max(told, self.last_end.get(version, 0))
            self.campaign.ending.wait(self.chance.expovariate(1 / 0.02))

    def keep_looking(self):
        while not self.campaign.over():
            self.looked += judge_current(f"{self.campaign.node.root}/{self.name}") is not None
            self.campaign.ending.wait(0.25)  # often enough, and seldom in the way: it is a use as well


class Campaign:
    def __init__(self, options):
        self.options = options
        self.fleet = Fleet()
        self.node = self.fleet.add_node("node").start()
        self.software = [Software(self, f"app-{i + 1}") for i in range(options.software)]
        self.ending = threading.Event()
        self.problems = []
        self.began = time.monotonic()
        self.counting = threading.Lock()
        self.counted = self.active = 0  # lines of the node's log, and activations in them

    def flips(self):
        """Activations but the first of each software."""
        with self.counting:
            new = self.node.daemon.lines[self.counted:]
            self.counted += len(new)
            self.active += sum(1 for line in new if line.endswith(": active"))
            return self.active - len(self.software)

    def over(self):
        if self.ending.is_set():
            return True
        late = self.options.seconds and time.monotonic() - self.began > self.options.seconds
        if late or (self.options.count and self.flips() >= self.options.count):
            self.ending.set()
        return self.ending.is_set()

    def guarded(self, work):
        try:
            work()
        except Exception:  # whatever it is, a promise was not kept
            self.problems.append(traceback.format_exc())
            self.ending.set()

    def run(self):
        for software in self.software:
            software.publish()
            self.node.wait_active("1", software.name)
        self.began = time.monotonic()
        threads = [threading.Thread(target=self.guarded, args=[work]) for software in self.software
                   for work in (software.keep_publishing, software.keep_launching, software.keep_looking)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = time.monotonic() - self.began
        if not self.problems:
            self.guarded(self.fleet.checker.check_converged)
        self.report()
        return 1 if self.problems else 0

    def times(self):
        """Seconds from the end of the last user of the version before to the activation, for each flip that had to
        wait."""
        waiting, found, running = {}, [], {}
        for line in list(self.node.daemon.lines):
            words = line.split(" ", 3)[-1].split()
            if len(words) < 3 or not words[0].startswith("app-"):
                continue
            name, version, state = words[0], words[1].rstrip(":"), words[2].rstrip(":")
            if state == "waiting":
                waiting[name, version] = time_of(line)
            elif state == "active":
                software = self.software[int(name.split("-")[1]) - 1]
                before = running.get(name)
                running[name] = version
                last = software.last_end.get(before, 0)
                if waiting.get((name, version), time.time()) < last:
                    found.append(time_of(line) - last)
        return found

    def report(self):
        for problem in self.problems[:5]:
            print(f"VIOLATION: {problem}", flush=True)
        count = collections.Counter()
        for software in self.software:
            count["launches"] += software.launched
            count["releases"] += software.published
            count["looks"] += software.looked
        times = sorted(self.times())
        if times:
            p99 = times[min(len(times) - 1, int(0.99 * len(times)))]
            print(
                f"from the last end to the activation, {len(times)} flips that waited: median "
                f"{1000 * statistics.median(times):.0f} ms, "
                f"p99 {1000 * p99:.0f} ms, most {1000 * times[-1]:.0f} ms",
                flush=True)
        print(
            f"{self.flips()} flips in {self.seconds:.0f} s, {count['launches']} launches, {count['releases']} "
            "releases, "
            f"{count['looks']} looks at `current`: {len(self.problems)} violations",
            flush=True)

    def close(self):
        self.ending.set()
        self.fleet.close()
        if self.problems:
            print(f"everything stays in {self.fleet.directory}\n{self.fleet.report()}", flush=True)
        else:
            self.fleet.remove()


class Control:
    """Faults in what a running launch uses, and in what `current` leads to; each has to be found."""

    def __init__(self, campaign):
        self.campaign = campaign
        self.software = campaign.software[0]
        self.root = f"{campaign.node.root}/{self.software.name}"

    def release(self):
        self.software.publish()
        self.campaign.node.wait_active(str(self.software.published), self.software.name)
        return os.path.realpath(f"{self.root}/current")

    @staticmethod
    def switch_by_hand(tree, link):
        number = int(os.path.basename(tree).split("-")[0])
        before = next(name for name in os.listdir(os.path.dirname(tree)) if name.startswith(f"{number - 1}-"))
        os.symlink(f"versions/{before}", f"{link}-by-hand")
        os.rename(f"{link}-by-hand", link)

    def faults(self):
        return {
            "`current` is switched": lambda tree: self.switch_by_hand(tree, f"{self.root}/current"),
            "a file is replaced": lambda tree: trees.write(f"{tree}/lib/second", b"other\n"),
            "a file is deleted": lambda tree: os.remove(f"{tree}/share/deep/third"),
            "the tree is deleted": lambda tree: os.rename(tree, os.path.join(os.path.dirname(tree), ".away")),
        }

    def run(self):
        self.release()
        missed = []
        for name, plant in self.faults().items():
            tree = self.release()
            launch = Launch(self.campaign.fleet, self.campaign.node, self.software.name)
            begun = launch.process.stdout.readline()  # its first look is over
            plant(tree)
            out = begun + launch.process.communicate()[0]
            found = [self.finds(lambda out=out: judge_launch(out))]
            if not name.startswith("`"):
                found.append(self.finds(lambda: judge_current(self.root)))
            print(f"{name}: {'found' if all(found) else 'NOT FOUND'}", flush=True)
            missed += [] if all(found) else [name]
        return 1 if missed else 0

    @staticmethod
    def finds(judge):
        try:
            judge()
        except AssertionError:
            return True
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=0, help="how many flips")
    parser.add_argument("--seconds", type=float, default=0, help="at most so long")
    parser.add_argument("--software", type=int, default=3, help="pieces of software on the node")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--control", action="store_true", help="plants faults, each of which has to be found")
    options = parser.parse_args()
    if not options.control and not options.count and not options.seconds:
        parser.error("say how many flips, or how many seconds")
    campaign = Campaign(options)
    try:
        return Control(campaign).run() if options.control else campaign.run()
    finally:
        campaign.close()


if __name__ == "__main__":
    sys.exit(main())
