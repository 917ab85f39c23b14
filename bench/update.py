#!/usr/bin/env python3
"""One update through the real broker to one node on loopback: bytes, seconds, memory. See bench/METHOD.md.

Without trees: 20,000 incompressible files, 1 GB in all, of which one byte changes; with OLD and NEW: these."""

import argparse
import json
import os
import random
import sys
import tempfile
import time

from rig import LULL, Rig, cpu_seconds, forget_peak, machine, memory_of, seconds_at
from transfer import line_of, seconds_of

FILES = 20_000
SIZE = 50_000


def make_tree(directory):
    chance = random.Random(1)
    for i in range(FILES):
        folder = f"{directory}/{i // 200:03}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/{i}", "wb") as file:
            file.write(chance.randbytes(SIZE))


def change_one_byte(directory):
    with open(f"{directory}/050/10007", "r+b") as file:
        file.seek(SIZE // 2)
        file.write(b"!")


def timed(work):
    begun = time.monotonic()
    return work(), time.monotonic() - begun


def update(rig, node, old, new):
    """Figures of the second publication; `new` is what makes the new tree of the old one, or another tree."""
    rig.publish(old, "1.0")
    node.wait_for(r": app 1\.0: active", 600)
    if callable(new):
        new(old)
        new = old
    time.sleep(2)  # files that are younger than the cache's clock tells are read again
    for pid in (node.pid, rig.broker.pid):
        forget_peak(pid)
    before = {"node": cpu_seconds(node.pid), "broker": cpu_seconds(rig.broker.pid)}
    _, published = timed(lambda: rig.publish(new, "1.1"))
    node.wait_for(r": app 1\.1: staged", 1200)
    memory = {
        "node": memory_of(node.pid, rollup=False)["VmHWM"], "broker": memory_of(rig.broker.pid, rollup=False)["VmHWM"]
    }
    node.wait_for(r": app 1\.1: active", 600)
    committed = seconds_at(rig.broker.find(r"release 2: .* at (\S+Z)$")[1])
    patch = line_of(rig.broker, ": info lull-broker: patch") or line_of(rig.broker, " patch ")
    rows = json.loads(rig.run(LULL, "list", "--sizes", "--json"))["releases"]
    sizes = {row["version"]: row.get("to_fetch") for row in rows}
    return {
        "bytes": sizes["1.0"], "whole": sizes["1.1"], "publish_seconds": round(published, 2),
        "patch_seconds": round(seconds_of(patch) - committed, 2) if patch else None, "active_seconds": round(
            seconds_of(line_of(node, ": app 1.1: active")) - committed, 2), "staging_seconds": round(
                seconds_of(line_of(node, ": app 1.1: staged")) - seconds_of(line_of(node, ": app 1.1: fetching")),
                2), "broker_cpu": round(cpu_seconds(rig.broker.pid) - before["broker"],
                                        2), "node_cpu": round(cpu_seconds(node.pid) - before["node"], 2),
        "node_peak_mib": round(memory["node"] / 1024, 1), "broker_peak_mib": round(memory["broker"] / 1024, 1)
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trees", nargs="*", metavar="OLD NEW")
    parser.add_argument("--on", help="where broker, node and tree lie (default: the directory for temporary files)")
    options = parser.parse_args()
    if len(options.trees) not in (0, 2):
        parser.error("two trees or none")
    with tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as directory:
        old, new = options.trees or (f"{directory}/tree", change_one_byte)
        if not options.trees:
            make_tree(old)
        with Rig(options.on) as rig:
            rig.add_nodes(1)
            node, = rig.start_nodes()
            figures = update(rig, node, old, new)
    print(json.dumps({**figures, "machine": machine()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
