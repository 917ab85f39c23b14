#!/usr/bin/env python3
"""From an operator's order to every node that acts by it, and how long a release takes through a fleet in steps.
 A real broker and real nodes. Nodes have a release staged whose turn has not come; it is paused and resumed. Times are
those of the logs, to the millisecond: from the broker's line about the command (before the order is durable) to each
node's (after it is durable there)."""

import argparse
import datetime
import os
import re
import sys
import time

from rig import LULL, Rig, cpu_seconds, machine, percentile

IN_LINE = r"app 2: held: paused by operator: round %d$"


def moment(line):
    return datetime.datetime.fromisoformat(line.split(" ", 1)[0].replace("Z", "+00:00")).timestamp()


def wait_line(daemon, pattern):
    return daemon.wait_for(pattern, timeout=120, every=0.01).string


def tree_of(rig, version):
    tree = f"{rig.directory}/tree"
    os.makedirs(f"{tree}/bin", exist_ok=True)
    with open(f"{tree}/contents", "wb") as file:
        file.write(os.urandom(4096))
    with open(f"{tree}/bin/check", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexit 0\n")
    os.chmod(f"{tree}/bin/check", 0o755)
    return [LULL, "publish", tree, "--name", "app", "--version", version]


def measure(count, rounds):
    with Rig() as rig:
        os.chmod(rig.roots, 0o755)  # health checks run as somebody else
        rig.add_nodes(count)
        nodes = rig.start_nodes()
        rig.run(*tree_of(rig, "1"), "--wait", "active:100%", "--within", "5min")
        rig.run(*tree_of(rig, "2"), "--rollout", "1%,100%", "--stage-time", "1h")
        waiting = []
        for node in nodes:
            line = wait_line(node, r"app 2: (held|active)")
            if "active" not in line:
                waiting.append(node)
        time.sleep(2)  # the first stage takes its turn
        waiting = [node for node in waiting if node.find(r"app 2: active") is None]
        cpu = sum(cpu_seconds(node.pid) for node in nodes)
        reach = []
        for i in range(rounds):
            rig.run(LULL, "pause", "app", "--why", f"round {i}")
            given = moment(rig.broker.wait_for(rf"orders pause of app: round {i}$").string)
            reach += [1000 * (moment(wait_line(node, IN_LINE % i)) - given) for node in waiting]
            rig.run(LULL, "resume", "app")
        cpu = sum(cpu_seconds(node.pid) for node in nodes) - cpu
        begun = time.monotonic()
        rig.run(*tree_of(rig, "3"), "--rollout", "1%,10%,100%", "--health", "bin/check", "--wait", "active:100%",
                "--within", "10min")
        steps = time.monotonic() - begun
        begun = time.monotonic()
        rig.run(*tree_of(rig, "4"), "--health", "bin/check", "--wait", "active:100%", "--within", "10min")
        at_once = time.monotonic() - begun
        begun = time.monotonic()
        rig.run(LULL, "rollback", "app", "--wait", "active:100%", "--within", "10min")
        back = time.monotonic() - begun
        moved = sum(
            len([line for line in node.read() if re.search(r"app 3\+back-\d+: fetched", line)]) for node in nodes)
        return (
            f"| {count} | {len(reach)} | {percentile(reach, 50):.0f} | {percentile(reach, 99):.0f} | {max(reach):.0f} "
            "| "
            f"{1000 * cpu / (2 * rounds * count):.1f} | {steps:.1f} | {at_once:.1f} | {back:.1f} | {moved} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes",
                        default="20,100",
                        help="how many nodes, more than one, a run each (default: %(default)s)")
    parser.add_argument("--rounds",
                        type=int,
                        default=6,
                        help="orders that are given and taken back (default: %(default)s)")
    options = parser.parse_args()
    print(machine())
    rows = [measure(count, options.rounds) for count in map(int, options.nodes.split(","))]
    print(
        "| nodes | pairs | order to node, p50 ms | p99 ms | max ms | CPU of a node an order, ms | release in three "
        "steps, s | at once, s | "
        "rolled back, s | nodes that fetched for it |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    print("\n".join(rows))


if __name__ == "__main__":
    sys.exit(main())
