#!/usr/bin/env python3
"""What the governor costs when nobody else is there: the same release to one node with and without it, in turn, over
loopback and over a line of 1 Gbit/s (network namespaces; needs root). See bench/METHOD.md."""

import argparse
import csv
import os
import statistics
import sys
import tempfile

from rig import MIB, REPOSITORY, Rig, cpu_seconds, fill, machine

sys.path.insert(0, os.path.join(REPOSITORY, "tests", "e2e"))
from network import Network  # noqa: E402

HOW = ("off", "on")
LINES = ("loopback", "gigabit")
RATE = ["rate", "1gbit", "burst", "64k", "limit", "4m"]


class Cleaner:
    """What Network wants of a fleet."""

    def __init__(self):
        self.at_end = []


def transfer(options, line, governor, tree):
    """MiB/s from the first request to the last byte, durable and verified, and CPU seconds of the broker for each
    GiB."""
    cleaner = Cleaner()
    network = None
    if line == "gigabit":
        network = Network(cleaner)
        network.inside("r", "tc", "qdisc", "add", "dev", f"{network.prefix}nr", "root", "tbf", *RATE)
    try:
        with Rig(options.on, network=network, broker_options=["--governor", governor]) as rig:
            rig.add_nodes(1)
            node, = rig.start_nodes()
            rig.publish(tree, "1.0")
            before = cpu_seconds(rig.broker.pid)
            fetched = node.wait_for(r"app 1\.0: fetched .* in (\d+) ms", 600, every=0.005)
            spent = cpu_seconds(rig.broker.pid) - before
            return options.size / (int(fetched[1]) / 1e3), spent / options.size * 1024
    finally:
        for action in cleaner.at_end:
            action()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024, help="MiB of the release (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="how often (default: %(default)s)")
    parser.add_argument("--lines", default=",".join(LINES), help="which (default: %(default)s)")
    parser.add_argument("--on", default="/dev/shm", help="directory for all data (default: %(default)s)")
    parser.add_argument("--csv", help="write the figures of each repeat to this file")
    options = parser.parse_args()
    rows = []
    print(f"{machine()}; {options.size} MiB, {options.repeat} repeats", flush=True)
    with tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as directory:
        tree = f"{directory}/tree"
        os.mkdir(tree)
        for i in range(options.size // 16):
            fill(f"{tree}/{i}", 16 * MIB)
        for repeat in range(options.repeat + 1):  # the first is not counted
            for line in options.lines.split(","):
                for governor in HOW:
                    rate, cpu = transfer(options, line, governor, tree)
                    if repeat > 0:
                        rows.append({
                            "line": line, "governor": governor, "repeat": repeat, "mib_per_s": round(rate, 1),
                            "cpu_s_per_gib": round(cpu, 3)
                        })
                        print(rows[-1], flush=True)
    print("\n| line | governor | MiB/s, median | least | most | broker CPU s a GiB |\n|---|---|--:|--:|--:|--:|")
    for line in options.lines.split(","):
        for governor in HOW:
            mine = [row for row in rows if row["line"] == line and row["governor"] == governor]
            rates = [row["mib_per_s"] for row in mine]
            print(f"| {line} | {governor} | {statistics.median(rates):.0f} | {min(rates):.0f} | {max(rates):.0f} "
                  f"| {statistics.median(row['cpu_s_per_gib'] for row in mine):.2f} |")
        pairs = [(a["mib_per_s"], b["mib_per_s"])
                 for a, b in zip(*([row for row in rows if row["line"] == line and row["governor"] == how]
                                   for how in HOW))]
        print(
            f"\n{line}: with it {statistics.median(on / off for off, on in pairs):.3f} of without, median of the "
            "repeats\n"
        )
    if options.csv:
        with open(options.csv, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
