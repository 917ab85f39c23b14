"""How long `lull watch` takes from the last write to COMMITTED, with its default options; 200 pieces of software of
which 3 are broken; and what an idle watcher costs. Mounting needs root.

    python3 bench/watch.py [build] [rename] [medium] [many] [idle] [--no-inotify] [--idle-minutes N]
"""

import argparse
import datetime
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))

import trees  # noqa: E402
from daemon import time_of  # noqa: E402
from fleet import LULL, Fleet  # noqa: E402


class Bench:
    def __init__(self, options):
        self.fleet = Fleet()
        self.directory = f"{self.fleet.directory}/software"
        os.mkdir(self.directory)
        self.options = options
        self.watcher = None

    def watch(self):
        self.watcher = self.fleet.start("watcher", [LULL, "watch", self.directory, "--state",
                                                    f"{self.fleet.directory}/state", *self.options])
        self.watcher.wait_for("watches ")

    def committed(self, software, version):
        """When the broker had committed the release, by its log."""
        self.watcher.wait_for(f"{software}: released {version}", timeout=300)
        line = self.fleet.broker.wait_for(f"release \\d+: {software} {version} at")
        return int(line.split(" at ")[1].split(" ")[0]) / 1e6

    def put(self, software, **files):
        for name, text in files.items():
            trees.write(f"{self.directory}/{software}/{name}", text.encode())

    def close(self):
        self.fleet.close()
        self.fleet.remove()


def build(bench):
    """A build that writes a file every 0.2 s for a minute."""
    bench.put("app", VERSION="0\n")
    bench.watch()
    bench.committed("app", "0")
    end = time.time() + 60
    i = 0
    while time.time() < end:
        bench.put("app", **{f"file-{i % 100}": f"{i}" * 2000})
        i += 1
        time.sleep(0.2)
    bench.put("app", VERSION="1\n")
    last = time.time()
    took = bench.committed("app", "1") - last
    count = sum(row["software"] == "app" for row in bench.fleet.releases())
    return f"a build of 60 s, {i} writes: {took:.2f} s after the last write; {count - 1} release of it"


def rename(bench):
    took = []
    bench.put("app", VERSION="0\n", data="x" * 100_000)
    bench.watch()
    bench.committed("app", "0")
    for i in range(1, 6):
        trees.write(f"{bench.fleet.directory}/new", f"{i}\n".encode())
        os.rename(f"{bench.fleet.directory}/new", f"{bench.directory}/app/VERSION")
        last = time.time()
        took.append(bench.committed("app", str(i)) - last)
    return f"a file replaced by rename, 5 times: median {statistics.median(took):.2f} s, longest {max(took):.2f} s"


def medium(bench):
    """A small medium, then one of 21 MB, whose upload takes its time."""
    os.mkdir(f"{bench.directory}/cd")
    bench.watch()
    return "; ".join(mount(bench, size, first) for size, first in ((0, 1), (20_000_000, 11)))


def mount(bench, size, first):
    took = []
    image = f"{bench.fleet.directory}/image"
    point = f"{bench.directory}/cd"
    for i in range(first, first + 5):
        tree = trees.make(f"{bench.fleet.directory}/tree", str(i), large=size)
        trees.write(f"{tree}/VERSION", str(i).encode())
        if os.path.exists(image):
            os.remove(image)
        subprocess.run(["mksquashfs", tree, image, "-quiet", "-no-progress"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["mount", "-o", "loop,ro", image, point], check=True)
        last = time.time()
        took.append(bench.committed("cd", str(i)) - last)
        mark = bench.watcher.mark()
        subprocess.run(["umount", "-l", point], check=True)
        bench.watcher.wait_for("cd: is empty", timeout=200, after=mark)
    return (f"a squashfs of {size // 1_000_000 + 1} MB mounted, 5 times: median {statistics.median(took):.2f} s, "
            f"longest {max(took):.2f} s")


def many(bench):
    for i in range(200):
        bench.put(f"app-{i:03}", VERSION="1\n", data=f"{i}" * 10_000)
    os.mkfifo(f"{bench.directory}/app-010/pipe")
    bench.put("app-020", **{"lull.conf": "polcy = now\n"})
    bench.put("app-030", VERSION="no version\n")
    begun = time.time()
    bench.watch()
    for i in range(200):
        if i not in (10, 20, 30):
            bench.watcher.wait_for(f"app-{i:03}: released 1", timeout=600)
    took = time.time() - begun
    broken = {f"app-{i:03}": bench.watcher.find(f"error .*app-{i:03}: ") for i in (10, 20, 30)}
    return (f"200 pieces of software, 3 of them broken: {len(bench.fleet.releases())} releases after {took:.1f} s; "
            f"{sum(line is not None for line in broken.values())} reported: " +
            "; ".join(line.split(": ", 1)[1] for line in broken.values() if line))


def seconds_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(bench, minutes):
    for software in range(10):
        for i in range(10_000):
            path = f"{bench.directory}/app-{software}/{i // 100}"
            if i % 100 == 0:
                os.makedirs(path)
            with open(f"{path}/{i}", "wb") as file:
                file.write(b"%d" % i)
        bench.put(f"app-{software}", VERSION="1\n")
    bench.watch()
    for software in range(10):
        bench.committed(f"app-{software}", "1")
    time.sleep(60)  # the last stages of the publications
    pid = bench.watcher.pid
    before, begun = seconds_of(pid), time.time()
    time.sleep(minutes * 60)
    used, passed = seconds_of(pid) - before, time.time() - begun
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        memory = next(line.split()[1] for line in file if line.startswith("VmRSS"))
    return (f"an idle watcher over 10 x 10,000 files in 1,010 directories: {used:.2f} s of CPU in {passed:.0f} s, "
            f"which is {used / passed * 3600:.1f} s an hour; resident memory {int(memory) / 1024:.0f} MiB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=["build", "rename", "medium", "many", "idle"])
    parser.add_argument("--no-inotify", action="store_true")
    parser.add_argument("--idle-minutes", type=float, default=10)
    arguments = parser.parse_args()
    options = ["--no-inotify"] if arguments.no_inotify else []
    for part in arguments.parts:
        bench = Bench(options)
        try:
            text = idle(bench, arguments.idle_minutes) if part == "idle" else globals()[part](bench)
            print(f"{datetime.datetime.now(datetime.timezone.utc):%H:%M} {' '.join(options)} {text}", flush=True)
        finally:
            bench.close()


if __name__ == "__main__":
    main()
