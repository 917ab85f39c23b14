#!/usr/bin/env python3
"""What a kill -9 of a node costs on the wire: one at a random byte of a large fetch, again and again. See
bench/METHOD.md.
 Broker and node stand in network namespaces with a router between them; the bytes are those that the kernel counts at
the node's interface. Re-fetched is what a fetch with a kill takes more than one without."""

import argparse
import csv
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time

from rig import MIB, NODE, REPOSITORY, Rig, machine, percentile
from transfer import make_tree

sys.path.insert(0, os.path.join(REPOSITORY, "tests", "e2e"))
from network import Network  # noqa: E402  (tests/e2e is not a package)

HEADERS = 66  # Ethernet, IPv4, TCP with time stamps: once for each packet that the interface counts
WINDOW = 4    # MiB that the broker sends without an acknowledgement: SenderLimits::window
SLACK = 0.25  # MiB: handshakes, CURVE's and TCP's share of the second connection


class Ground:
    """What Network asks for: a list of what is to be done at the end."""

    def __init__(self):
        self.at_end = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while self.at_end:
            self.at_end.pop()()


class Counter:
    """Bytes of TCP payload that have come in at the node's interface."""

    def __init__(self, rig, network):
        holder = rig.start("holder", [*network.through("n"), "sleep", "infinity"])
        time.sleep(0.5)  # until it is in its namespace
        self.interface = f"{network.prefix}n:"
        self.file = open(f"/proc/{holder.pid}/net/dev", encoding="ascii")  # closed with this process

    def read(self):
        self.file.seek(0)
        fields = next(line for line in self.file if self.interface in line).split(":")[1].split()
        return int(fields[0]) - HEADERS * int(fields[1])


def slow_down(network, rate):
    """Limits the line to the node, with a queue of 100 ms."""
    network.inside("r", "tc", "qdisc", "add", "dev", f"{network.prefix}nr", "root", "tbf", "rate", rate, "burst", "64k",
                   "latency", "100ms")


def durable_of(rig, name):
    """Bytes that the node's journal counts as here."""
    return json.loads(rig.run(NODE, "status", "--json", "--root", f"{rig.roots}/{name}"))["incoming_bytes"]


def one_fetch(rig, counter, kill_at=None):
    """A new node fetches the release. Bytes at its interface in all, and until the kill; of these, what was written,
    and durable."""
    rig.add_nodes(1)
    name = rig.nodes[-1]
    begun = counter.read()
    node = rig.start_node(name)
    figures = {}
    if kill_at is not None:
        while counter.read() - begun < kill_at and node.process.poll() is None:
            time.sleep(0.0005)
        node.process.send_signal(signal.SIGKILL)
        node.process.wait()
        time.sleep(0.3)  # what is on the line arrives, or is refused
        figures["came"] = counter.read() - begun
        figures["durable"] = durable_of(rig, name)
        figures["written"] = sum(file.stat().st_size for file in os.scandir(f"{rig.roots}/{name}/.lull/incoming"))
        figures["killed"] = node.find(r": app 1\.0: fetched ") is None  # else it came too late
        node = rig.start_node(name)
    node.wait_for(r": app 1\.0: fetched ", 600, after=0 if kill_at is None else len(node.lines))
    time.sleep(0.05)
    figures["total"] = counter.read() - begun
    node.process.send_signal(signal.SIGKILL)  # what follows costs nothing on the wire
    node.process.wait()
    shutil.rmtree(f"{rig.roots}/{name}", ignore_errors=True)
    return figures


def measure(options):
    chance = random.Random(options.seed)
    with Ground() as ground, tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as directory:
        network = Network(ground)
        make_tree(directory, options.size)
        with Rig(options.on, network=network) as rig:
            counter = Counter(rig, network)
            rig.publish(directory, "1.0")
            if options.rate:
                slow_down(network, options.rate)
            plain = statistics.median(one_fetch(rig, counter)["total"] for _ in range(3))
            kills = []
            while len(kills) < options.kills:
                kill = one_fetch(rig, counter, int(chance.uniform(0.01, 0.99) * plain))
                if not kill.pop("killed"):
                    continue
                again = (kill["total"] - plain) / MIB
                kills.append({**{key: round(value / MIB, 3) for key, value in kill.items()}, "again": round(again, 3)})
                print(f"kill {len(kills)}: {kills[-1]}", flush=True)
    return plain / MIB, kills


def summary(options, plain, kills):
    again = sorted(kill["again"] for kill in kills)
    within = sum(value <= WINDOW + SLACK for value in again)
    lost, unwritten = ([kill["came"] - kill[key] for kill in kills] for key in ("durable", "written"))
    return {
        "release_mib": options.size / MIB, "line": options.rate or "as fast as it goes", "seed": options.seed,
        "kills": len(kills), "plain_fetch_mib": round(plain, 2), "again_median_mib": round(statistics.median(again), 2),
        "again_p90_mib": round(percentile(again, 90),
                               2), "again_max_mib": round(again[-1], 2), "came_and_not_durable_median_mib": round(
                                   statistics.median(lost),
                                   2), "came_and_not_written_median_mib": round(statistics.median(unwritten), 2),
        "came_and_not_written_max_mib": round(max(unwritten),
                                              2), "window_mib": WINDOW, "within_window": within, "machine": machine()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=40, help="how often (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: %(default)s)")
    parser.add_argument("--size", type=int, default=128, help="MiB of the release (default: %(default)s)")
    parser.add_argument("--rate", help="of the line, as tc(8) says it: 100mbit (default: as fast as it goes)")
    parser.add_argument("--on", help="directory for all data (default: the temporary directory)")
    parser.add_argument("--csv", help="write the figures of each kill to this file")
    options = parser.parse_args()
    options.size *= MIB
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the namespaces go whatever happens
    plain, kills = measure(options)
    print(json.dumps(summary(options, plain, kills), indent=1))
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            out = csv.DictWriter(file, ("total", "came", "written", "durable", "again"), lineterminator="\n")
            out.writeheader()
            out.writerows(kills)
    return 0


if __name__ == "__main__":
    sys.exit(main())
