#!/usr/bin/env python3
"""What it costs to find out who uses a version, and to wait for that to end. See bench/METHOD.md."""

import argparse
import os
import subprocess
import sys
import time

from rig import BUILD, NODE, Rig, cpu_seconds, machine

BENCH = os.path.join(BUILD, "bench", "bench_detection")


def make_tree(tree, version):
    os.makedirs(f"{tree}/bin", exist_ok=True)
    with open(f"{tree}/bin/app", "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\n# {version}\nread -r line\n")
    os.chmod(f"{tree}/bin/app", 0o755)
    return tree


def switches(pid):
    """Voluntary and other context switches of a process so far, by thread."""
    found = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as file:
            lines = dict(line.split(":\t", 1) for line in file if ":\t" in line)
        found[thread] = (lines["Name"].strip(), int(lines["voluntary_ctxt_switches"]),
                         int(lines["nonvoluntary_ctxt_switches"]))
    return found


def idle(pid, seconds):
    """CPU milliseconds, wake-ups of all threads, and those of each thread that woke, in so many seconds."""
    before, cpu = switches(pid), cpu_seconds(pid)
    time.sleep(seconds)
    after = switches(pid)
    woke = {thread: after[thread][1] - before.get(thread, ("", 0, 0))[1] for thread in after}
    names = {}
    for thread, times in woke.items():
        name = after[thread][0]
        names[name] = names.get(name, 0) + times
    return 1000 * (cpu_seconds(pid) - cpu), sum(woke.values()), {name: times for name, times in names.items() if times}


def waiting_costs(seconds):
    """Rows: a node with nothing to do, one that waits for a launch, one that waits for a program started directly."""
    rows = []
    with Rig() as rig:
        rig.add_nodes(1)
        (node,) = rig.start_nodes()
        root = f"{rig.roots}/{rig.nodes[0]}"
        tree = f"{rig.directory}/tree"
        cases = (("nothing to do", None),
                 ("waits for what `lull-node run` started", [NODE, "run", "app", "--root", root]),
                 ("waits for a program started directly", [f"{root}/app/current/bin/app"]))
        for number, (what, command) in enumerate(cases):
            rig.publish(make_tree(tree, f"1.{number}"), f"1.{number}")
            node.wait_for(rf": app 1\.{number}: active")
            holder = command and subprocess.Popen(command, stdin=subprocess.PIPE, env=rig.environment)
            if holder:
                rig.publish(make_tree(tree, f"2.{number}"), f"2.{number}")
                node.wait_for(rf": app 2\.{number}: waiting")
            time.sleep(5)  # what the release brought is over: the connection for it is closed after a while
            rows.append((what, *idle(node.pid, seconds)))
            if holder:
                holder.communicate()
                node.wait_for(rf": app 2\.{number}: active")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=60, help="how long to watch a node that waits")
    options = parser.parse_args()
    print(machine(), flush=True)
    subprocess.run([BENCH, str(options.files), str(options.processes), str(options.repeat)], check=True)
    print(f"\n| a node, {options.seconds} s | CPU ms | wake-ups | of which |\n|---|--:|--:|---|")
    for what, cpu, woke, names in waiting_costs(options.seconds):
        print(
            f"| {what} | {cpu:.0f} | {woke} | {', '.join(f'{name} {times}' for name, times in sorted(names.items()))} "
            "|",
            flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
