#!/usr/bin/env python3
"""The broker's whole segments to 1, 100 and 1,000 receivers, next to a bare ROUTER with the same frames and receivers,
in turn. See bench/METHOD.md.

The receivers are sessions of one process that speaks the protocol and throws the bytes away (bench_receivers)."""

import argparse
import csv
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile

from rig import BUILD, LULL, MIB, Rig, cpu_seconds, fill, machine

RECEIVERS = os.path.join(BUILD, "bench", "bench_receivers")
BARE = os.path.join(BUILD, "bench", "bench_bare_router")
OBJECT = 4 * MIB  # a file of this size is a segment of its own


def each_of(options, nodes):
    """Bytes to each of so many, whole objects."""
    return max(OBJECT, options.size * MIB // nodes // OBJECT * OBJECT)


def publish(rig, directory, nodes, each):
    """A release of incompressible files; its objects."""
    tree = f"{directory}/{nodes}"
    os.mkdir(tree)
    objects = []
    for i in range(each // OBJECT):
        fill(f"{tree}/{i:04}", OBJECT)
        with open(f"{tree}/{i:04}", "rb") as file:
            objects.append(hashlib.file_digest(file, "sha256").hexdigest())
    return {"seq": rig.publish(tree, "1.0", f"app-{nodes}")["seq"], "objects": objects, "each": each}


def receive(rig, pid, address, nodes, release):
    """Serves all receivers, from the moment at which all are welcome; CPU seconds of the serving process and what the
    receivers say."""
    command = [
        RECEIVERS, "run", "--broker", address, "--bundles", rig.directory, "--nodes",
        str(nodes), "--each",
        str(release["each"]), "--software", f"app-{nodes}", "--seq",
        str(release["seq"])
    ]
    for name in release["objects"]:
        command += ["--object", name]
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command],
                          stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE,
                          text=True) as receivers:
        if receivers.stdout.readline() != "ready\n":
            raise RuntimeError("the receivers were not welcomed")
        before = cpu_seconds(pid)
        receivers.stdin.write("go\n")
        receivers.stdin.flush()
        said = receivers.stdout.readline()
        spent = cpu_seconds(pid) - before
    figures = json.loads(said)
    return {"cpu": spent / figures["bytes"] * 1e9, "rate": figures["bytes"] / MIB / figures["seconds"],
            "receivers": figures["cpu_seconds"] / figures["bytes"] * 1e9}


def bare(rig, file, nodes, release):
    router = rig.start(f"bare-{len(rig.started)}", [BARE, "run", "--file", file, "--each", str(release["each"])])
    try:
        address = router.wait_for(r"^(tcp://\S+)$")[1]
        return receive(rig, router.pid, address, nodes, release)
    finally:
        router.stop()
        router.process.wait(30)


def measure(options):
    counts = list(map(int, options.nodes.split(",")))
    rows = []
    with tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as directory, Rig(options.on) as rig:
        file = f"{directory}/file"
        fill(file, max(each_of(options, nodes) for nodes in counts))
        releases = {nodes: publish(rig, directory, nodes, each_of(options, nodes)) for nodes in counts}
        for i in range(max(counts)):
            rig.run(LULL, "nodes", "new", f"n{i + 1}", "--out", f"{rig.directory}/n{i + 1}.join")
        for repeat in range(-1, options.repeat):  # the first one is not counted
            for nodes in counts:
                ways = {
                    "bare": lambda n=nodes: bare(rig, file, n, releases[n]),
                    "lull": lambda n=nodes: receive(rig, rig.broker.pid, rig.environment["LULL_BROKER"], n, releases[n])
                }
                for name, way in ways.items():
                    row = {
                        "repeat": repeat, "nodes": nodes, "each_mib": releases[nodes]["each"] // MIB, "way": name,
                        **way(), "load": os.getloadavg()[0]
                    }
                    print({key: round(value, 2) if isinstance(value, float) else value
                           for key, value in row.items()},
                          flush=True)
                    if repeat >= 0:
                        rows.append(row)
    return counts, rows


def table(counts, rows):
    lines = [
        "| receivers | each, MiB | bare ROUTER, CPU s / GB | lull's broker, CPU s / GB | bare / lull, median | bare, "
        "MiB/s | lull, MiB/s | "
        "lull / bare, median | receivers, CPU s / GB |", "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    ]
    for nodes in counts:
        of = {way: [row for row in rows if row["nodes"] == nodes and row["way"] == way] for way in ("bare", "lull")}
        pairs = list(zip(of["bare"], of["lull"]))
        middle = {(way, key): statistics.median(row[key] for row in of[way])
                  for way in of for key in ("cpu", "rate", "receivers")}
        lines.append(
            f"| {nodes:,} | {of['bare'][0]['each_mib']} | {middle['bare', 'cpu']:.2f} | {middle['lull', 'cpu']:.2f} | "
            f"{statistics.median(one['cpu'] / other['cpu'] for one, other in pairs):.2f} | "
            f"{middle['bare', 'rate']:.0f} | "
            f"{middle['lull', 'rate']:.0f} | "
            f"{statistics.median(other['rate'] / one['rate'] for one, other in pairs):.2f} | "
            f"{middle['bare', 'receivers']:.2f} / {middle['lull', 'receivers']:.2f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--nodes", default="1,100,1000", help="receivers (default: %(default)s)")
    parser.add_argument("--size",
                        type=int,
                        default=2048,
                        help="MiB to all of them together, and at least 4 to each (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="how often (default: %(default)s)")
    parser.add_argument("--on", help="directory for all data (default: the temporary directory)")
    parser.add_argument("--csv", help="write the figures of each repeat to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is ended and removed
    print(machine(), flush=True)
    counts, rows = measure(options)
    print("\n" + table(counts, rows))
    if options.csv:
        with open(options.csv, "w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: f"{value:.4f}" if isinstance(value, float) else value
                              for key, value in row.items()} for row in rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
