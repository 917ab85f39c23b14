#!/usr/bin/env python3
"""A large release to one node over loopback with CURVE, next to bare libzmq with the same frames, in turn.
 Each repeat makes a new broker and a new node, publishes the same incompressible tree, and waits until the node has it
active. The node's log says how long it fetched (from asking for the first segment until the last one is durable,
verified and in the journal); broker's and node's logs together say how long it took from COMMITTED to active."""

import argparse
import csv
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from rig import (BARE, LULL, MIB, MemorySampler, Rig, cpu_by_thread, fill, forget_peak, machine, memory_of, seconds_at,
                 sync_speed, wait_until)

BARE_SOURCES = ("copy", "zero-copy", "file")


def make_tree(directory, size):
    """Four equal parts: one file, 4 files, 32 files, 1,024 files."""
    for part, count in enumerate((1, 4, 32, 1024)):
        folder = f"{directory}/part-{part}"
        os.makedirs(folder)
        for i in range(count):
            fill(f"{folder}/{i}", size // 4 // count)


def bare(options, source, file):
    command = [BARE, "run", "--size", str(options.size), "--source", source]
    if source == "file":
        command += ["--file", file]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def seconds_of(line):
    """The moment that a log line bears, in seconds since 1970."""
    return datetime.datetime.fromisoformat(line.split(" ", 1)[0].replace("Z", "+00:00")).timestamp()


def line_of(daemon, text):
    return next((line for line in daemon.read() if text in line), None)


def threads(before, after):
    """CPU seconds by thread, the busiest first."""
    used = {name: after[name] - before.get(name, 0) for name in after}
    return sorted(((round(value, 2), name.split(" ", 1)[1]) for name, value in used.items() if value >= 0.02),
                  reverse=True)


def lull(options, tree):
    """One publication to one node; figures of its transfer."""
    with Rig(options.on) as rig:
        disk = sync_speed(rig.directory, options.size)
        rig.add_nodes(1)
        node, = rig.start_nodes()
        pids = {"broker": rig.broker.pid, "node": node.pid}
        publishing = subprocess.Popen([LULL, "publish", tree, "--name", "app", "--version", "1.0"],
                                      env=rig.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begun = time.monotonic()
        committed = wait_until(lambda: rig.broker.find(r"release 1: .* at (\S+Z)$"),
                               600,
                               "the publication",
                               every=0.005)
        published = time.monotonic() - begun
        uploaded = {name: memory_of(pid, rollup=False)["VmHWM"] for name, pid in pids.items()}
        for pid in pids.values():
            forget_peak(pid)
        before = {name: cpu_by_thread(pid) for name, pid in pids.items()}
        with MemorySampler(pids.values()) as memory:
            fetched = node.wait_for(r"app 1\.0: fetched .* in (\d+) ms", 600, every=0.005)
        after = {name: cpu_by_thread(pid) for name, pid in pids.items()}
        node.wait_for(r"app 1\.0: active", 600)
        publishing.wait()
        time.sleep(options.rest)
        rested = {name: memory_of(pid) for name, pid in pids.items()}
        return {
            "fetch_seconds": int(fetched[1]) / 1e3,
            "active_seconds": seconds_of(line_of(node, "app 1.0: active")) - seconds_at(committed[1]),
            "publish_seconds": published, "disk": disk, "memory": {
                name: {
                    **memory.most[pid], "VmHWM": memory_of(pid, rollup=False)["VmHWM"], "publishing": uploaded[name],
                    "rested": rested[name]["VmRSS"], "rested_anon": rested[name]["RssAnon"]
                }
                for name, pid in pids.items()
            }, "cpu": {name: threads(before[name], after[name])
                       for name in pids}
        }


def run(options):
    repeats = []
    warm_ups = 1  # not counted: a virtual machine gets its memory page by page from its host
    with tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as directory:
        tree, file = f"{directory}/tree", f"{directory}/bare"
        os.mkdir(tree)
        make_tree(tree, options.size)
        fill(file, options.size)
        for i in range(warm_ups + options.repeat):
            repeat = {source: bare(options, source, file) for source in BARE_SOURCES}
            repeat["lull"] = lull(options, tree)
            if i >= warm_ups:
                repeats.append(repeat)
                show(options, repeat)
    return repeats


def rate(options, repeat, what):
    """MiB/s of one repeat."""
    if what in BARE_SOURCES:
        return repeat[what]["bytes_per_second"] / MIB
    return options.size / MIB / repeat["lull"][f"{what}_seconds"]


def show(options, repeat):
    cells = [f"bare {source} {rate(options, repeat, source):.0f}" for source in BARE_SOURCES]
    cells += [
        f"lull fetch {rate(options, repeat, 'fetch'):.0f}", f"to active {rate(options, repeat, 'active'):.0f} MiB/s",
        f"disk {repeat['lull']['disk']['mib_per_s']:.0f} MiB/s"
    ]
    print(", ".join(cells), flush=True)
    for name, used in repeat["lull"]["cpu"].items():
        print(f"  CPU s of {name}: " + ", ".join(f"{thread} {value}" for value, thread in used), flush=True)


def table(options, repeats):
    lines = [
        "| what | MiB/s, median | least | most | ratio of fetch to it, median of the repeats |", "|---|--:|--:|--:|--:|"
    ]
    names = {"copy": "bare libzmq, one buffer copied", "zero-copy": "bare libzmq, one buffer, zero copy",
             "file": "bare libzmq, file by pread", "fetch": "lull, fetch: asked -> durable and verified",
             "active": "lull, COMMITTED -> active"}
    for what, name in names.items():
        rates = [rate(options, repeat, what) for repeat in repeats]
        ratio = statistics.median(rate(options, repeat, "fetch") / rate(options, repeat, what) for repeat in repeats)
        lines.append(f"| {name} | {statistics.median(rates):.0f} | {min(rates):.0f} | {max(rates):.0f} | {ratio:.2f} |")
    speeds = [repeat["lull"]["disk"]["mib_per_s"] for repeat in repeats]
    ratio = statistics.median(rate(options, repeat, "fetch") / speed for repeat, speed in zip(repeats, speeds))
    lines.append(
        f"| the disk alone, an fsync every 16 MiB | {statistics.median(speeds):.0f} | {min(speeds):.0f} | "
        f"{max(speeds):.0f} | "
        f"{ratio:.2f} |")
    return "\n".join(lines)


def memory_table(repeats):
    lines = [
        "| process | VmRSS MiB, most while fetching | RssAnon MiB, most while fetching | VmHWM MiB, COMMITTED to "
        "active | "
        "VmHWM MiB, until COMMITTED | VmRSS MiB afterwards | RssAnon MiB afterwards |", "|---|--:|--:|--:|--:|--:|--:|"
    ]
    for name in ("broker", "node"):
        cells = [max(repeat["lull"]["memory"][name][figure] for repeat in repeats) / 1024
                 for figure in ("VmRSS", "RssAnon", "VmHWM", "publishing", "rested", "rested_anon")]
        lines.append(f"| {name} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    return "\n".join(lines)


def write_csv(options, repeats):
    with open(options.csv, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("repeat", *(f"bare_{source}_mib_s" for source in BARE_SOURCES), "fetch_mib_s", "active_mib_s",
                      "disk_mib_s", "broker_rss_kib", "broker_anon_kib", "node_rss_kib", "node_anon_kib"))
        for i, repeat in enumerate(repeats):
            memory = repeat["lull"]["memory"]
            out.writerow((i, *(f"{rate(options, repeat, what):.1f}" for what in (*BARE_SOURCES, "fetch", "active")),
                          f"{repeat['lull']['disk']['mib_per_s']:.1f}", memory["broker"]["VmRSS"],
                          memory["broker"]["RssAnon"], memory["node"]["VmRSS"], memory["node"]["RssAnon"]))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", default="1GiB", help="size of the release (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="how often (default: %(default)s)")
    parser.add_argument("--on",
                        help="directory for all data (default: the temporary directory); /dev/shm takes the disk out")
    parser.add_argument("--rest",
                        type=float,
                        default=3,
                        help="seconds of quiet before memory is measured again (default: %(default)s)")
    parser.add_argument("--csv", help="write the figures of each repeat to this file")
    options = parser.parse_args()
    units = {"GiB": 1 << 30, "MiB": MIB}
    options.size = int(options.size[:-3]) * units[options.size[-3:]] if options.size[-3:] in units else int(
        options.size)
    return options


def main():
    options = arguments()
    print(f"{machine()}; {options.size / MIB:.0f} MiB, {options.repeat} repeats", flush=True)
    repeats = run(options)
    print("\n" + table(options, repeats) + "\n\n" + memory_table(repeats))
    if options.csv:
        write_csv(options, repeats)


if __name__ == "__main__":
    sys.exit(main())
