#!/usr/bin/env python3
"""From COMMITTED to "recorded in the journal": how long until every node has an announcement durably.
 A real broker, real nodes (a process and a root each), small releases one after the other. The broker says in its log
when it committed a release, each node when its journal's commit was done, both in microseconds of the same clock."""

import argparse
import csv
import os
import re
import statistics
import sys
import time

from rig import Rig, cpu_seconds, machine, memory_of, percentile, seconds_at, sync_speed

COMMITTED = re.compile(r"release (\d+): app \S+ at (\S+Z)$")
RECORDED = re.compile(r"recorded release (\d+) \(app \S+\) at (\S+Z)$")
ACTIVE = re.compile(r"app (\S+): active")


def times(daemon, pattern):
    """Release number -> microseconds."""
    return {int(m[1]): round(1e6 * seconds_at(m[2])) for line in daemon.read() if (m := pattern.search(line))}


def wait_for_all(nodes, pattern, count, timeout):
    deadline = time.monotonic() + timeout
    waiting = list(nodes)
    while waiting:
        waiting = [node for node in waiting if sum(1 for line in node.read() if pattern.search(line)) < count]
        if waiting and time.monotonic() > deadline:
            raise RuntimeError(f"{len(waiting)} nodes are not there after {timeout} s, the first is {waiting[0].name}")
        if waiting:
            time.sleep(0.2)


def publish_rounds(rig, nodes, options):
    """Publishes the releases; the pace says what is waited for in between."""
    tree = f"{rig.directory}/tree"
    os.makedirs(tree)
    for i in range(options.rounds):
        with open(f"{tree}/contents", "wb") as file:
            file.write(os.urandom(options.bytes))
        rig.publish(tree, f"1.{i}")
        if options.pace == "settled":
            wait_for_all(nodes, ACTIVE, i + 1, 300)
            time.sleep(options.rest)
        elif options.pace == "recorded":
            wait_for_all(nodes, RECORDED, i + 1, 300)
    if options.pace != "settled":
        wait_for_all(nodes, RECORDED, options.rounds, 300)


def idle_memory(rig, nodes):
    """The medians over the nodes, and the broker's."""
    figures = [memory_of(node.pid) for node in nodes]
    return {name: statistics.median(f[name] for f in figures) for name in figures[0]}, memory_of(rig.broker.pid)


def measure(count, options):
    with Rig(options.on) as rig:
        disk = sync_speed(rig.directory)
        rig.add_nodes(count)
        nodes = rig.start_nodes()
        time.sleep(options.rest)
        fresh = idle_memory(rig, nodes)
        cpu = sum(cpu_seconds(node.pid) for node in nodes)
        begun = time.monotonic()
        publish_rounds(rig, nodes, options)
        took = time.monotonic() - begun
        cpu = sum(cpu_seconds(node.pid) for node in nodes) - cpu
        committed = times(rig.broker, COMMITTED)
        rows = []
        for node in nodes:
            for seq, recorded in times(node, RECORDED).items():
                rows.append((count, node.name, seq, (recorded - committed[seq]) / 1e3))
        later = None
        if options.idle:
            wait_for_all(nodes, ACTIVE, options.rounds if options.pace == "settled" else 1, 300)
            time.sleep(options.idle)
            later = idle_memory(rig, nodes)
    return {"nodes": count, "rows": rows, "disk": disk, "fresh": fresh, "later": later, "seconds": took, "cpu": cpu}


def table(results):
    lines = [
        "| nodes | pairs | p50 ms | p99 ms | max ms | fsync of 4 KiB, ms | CPU of all nodes, s / release |",
        "|--:|--:|--:|--:|--:|--:|--:|"
    ]
    for result in results:
        values = [row[3] for row in result["rows"]]
        rounds = len({row[2] for row in result["rows"]})
        lines.append(
            f"| {result['nodes']} | {len(values)} | {percentile(values, 50):.1f} | {percentile(values, 99):.1f} | "
            f"{max(values):.1f} | {result['disk']['fsync_ms']:.2f} | {result['cpu'] / rounds:.2f} |")
    return "\n".join(lines)


def memory_table(results):
    lines = [
        "| nodes | when | process | VmRSS MiB | RssAnon MiB | Pss MiB | VmHWM MiB |", "|--:|---|---|--:|--:|--:|--:|"
    ]
    for result in results:
        for when, figures in (("connected", result["fresh"]), ("after the releases, idle", result["later"])):
            for process, values in zip(("node (median)", "broker"), figures or ()):
                cells = " | ".join(f"{values[name] / 1024:.1f}" for name in ("VmRSS", "RssAnon", "Pss", "VmHWM"))
                lines.append(f"| {result['nodes']} | {when} | {process} | {cells} |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", default="1,20,200", help="how many nodes, one run each (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, help="releases a run (default: %(default)s)")
    parser.add_argument("--bytes", type=int, default=4096, help="size of a release (default: %(default)s)")
    parser.add_argument(
        "--pace",
        choices=("settled", "recorded", "at-once"),
        default="settled",
        help="what every node must have done before the next release is published (default: %(default)s)")
    parser.add_argument("--rest",
                        type=float,
                        default=1.0,
                        help="seconds of quiet before a release (default: %(default)s)")
    parser.add_argument("--idle",
                        type=float,
                        default=0,
                        help="seconds to wait at the end before memory is measured again")
    parser.add_argument("--on",
                        help="directory for the broker's and the nodes' data (default: the temporary directory)")
    parser.add_argument("--csv", help="write every latency to this file")
    return parser.parse_args()


def main():
    options = arguments()
    print(f"{machine()}; pace {options.pace}, {options.rounds} releases of {options.bytes} bytes", flush=True)
    results = []
    for count in map(int, options.nodes.split(",")):
        results.append(measure(count, options))
        print(table(results[-1:]), flush=True)
    print("\n" + table(results) + "\n\n" + memory_table(results))
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(("nodes", "node", "release", "milliseconds"))
            for result in results:
                out.writerows(result["rows"])


if __name__ == "__main__":
    sys.exit(main())
