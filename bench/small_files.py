#!/usr/bin/env python3
"""An update of 10 of 10,000 small files, from COMMITTED at the broker to active at the node. See bench/METHOD.md.

--builds names several builds of lull, each with its own broker, publisher and node: they take turns, so that their
figures come from one run."""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

from rig import Rig, cpu_seconds, forget_peak, machine, memory_of, seconds_at
from transfer import line_of, seconds_of

FILES, CHANGED, PER_FOLDER = 10_000, 10, 100
STEPS = ("recorded", "fetching", "staged", "active")


def path_of(directory, number):
    return f"{directory}/{number // PER_FOLDER:03}/{number}"


def make_tree(directory, files):
    chance = random.Random(1)
    for number in range(files):
        os.makedirs(os.path.dirname(path_of(directory, number)), exist_ok=True)
        with open(path_of(directory, number), "wb") as file:
            file.write(chance.randbytes(chance.randrange(200, 4000)))


def change_files(directory, files, seed):
    chance = random.Random(seed)
    for number in chance.sample(range(files), CHANGED):
        with open(path_of(directory, number), "r+b") as file:
            file.write(chance.randbytes(100))


def committed(rig, seq):
    return seconds_at(rig.broker.wait_for(rf"release {seq}: .* at (\S+Z)$", 60)[1])


def figures_of(rig, node, version, seq):
    begun = committed(rig, seq)
    at = {step: line_of(node, f": app {version}: {step}") for step in STEPS}
    return {step: round(seconds_of(line) - begun, 3) for step, line in at.items() if line}


def one_round(options):
    """The updates of one fleet: figures of each, and the node's CPU seconds and peak memory over all of them."""
    with tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as directory, Rig(options.on) as rig:
        tree = f"{directory}/tree"
        make_tree(tree, options.files)
        rig.add_nodes(1)
        node, = rig.start_nodes()
        rig.publish(tree, "1.0")
        node.wait_for(r": app 1\.0: active", 900)
        first = figures_of(rig, node, "1.0", 1)
        forget_peak(node.pid)
        before, updates = cpu_seconds(node.pid), []
        for update in range(1, options.updates + 1):
            change_files(tree, options.files, update)
            rig.publish(tree, f"1.{update}")
            node.wait_for(rf": app 1\.{update}: active", 900)
            updates.append(figures_of(rig, node, f"1.{update}", update + 1))
        peak = round(memory_of(node.pid, rollup=False)["VmHWM"] / 1024, 1)
        return {"first": first["active"], "updates": updates, "peak_mib": peak,
                "node_cpu": round((cpu_seconds(node.pid) - before) / options.updates, 2)}


def rounds_of(build, options):
    """One round with the programs of a build, in a process of its own: the rig knows one build."""
    command = [sys.executable, os.path.abspath(__file__), "--one", "--files", str(options.files),
               "--updates", str(options.updates)]
    command += ["--on", options.on] if options.on else []
    environment = {**os.environ, "LULL_BUILD": build}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def row_of(build, results):
    updates = [update for result in results for update in result["updates"]]
    median = {step: statistics.median(update[step] for update in updates if step in update)
              for step in STEPS if any(step in update for update in updates)}
    return {"build": build, "updates": len(updates), **{step: round(value, 2) for step, value in median.items()},
            "slowest": round(max(update["active"] for update in updates), 2),
            "first": round(statistics.median(result["first"] for result in results), 2),
            "node_cpu": statistics.median(result["node_cpu"] for result in results),
            "peak_mib": max(result["peak_mib"] for result in results)}


def table(rows):
    lines = ["| build | updates | to staged, s | COMMITTED to active, s | slowest, s | first installation, s "
             "| node CPU s an update | node peak MiB |",
             "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for row in rows:
        lines.append(f"| {row['build']} | {row['updates']} | {row.get('staged')} | {row['active']} "
                     f"| {row['slowest']} | {row['first']} | "
                     f"{row['node_cpu']} | {row['peak_mib']} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--updates", type=int, default=3, help="of one fleet (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="fleets for each build (default: %(default)s)")
    parser.add_argument("--builds", help="NAME=DIRECTORY,... (default: the one of LULL_BUILD)")
    parser.add_argument("--on", help="directory for all data (default: the temporary directory)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_round(options)))
        return 0
    where = machine()
    print(where, flush=True)
    named = {"this": os.environ.get("LULL_BUILD", "build/release")}
    if options.builds:
        named = dict(build.split("=", 1) for build in options.builds.split(","))
    results = {name: [] for name in named}
    for _ in range(options.rounds):
        for name, build in named.items():
            results[name].append(rounds_of(os.path.abspath(build), options))
            print(name, json.dumps(results[name][-1]), flush=True)
    print("\n" + table([row_of(name, found) for name, found in results.items()]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
