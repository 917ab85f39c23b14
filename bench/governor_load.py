#!/usr/bin/env python3
"""What the governor's own work costs the broker: CPU seconds of the same sessions with and without it, in turn, while
they are idle, and while they all fetch over a shaped line (network namespaces; needs root). See bench/METHOD.md."""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from fan_out import OBJECT, RECEIVERS, publish
from governor_cost import HOW, Cleaner
from rig import BROKER, LULL, MIB, REPOSITORY, Rig, cpu_seconds, machine

sys.path.insert(0, os.path.join(REPOSITORY, "tests", "e2e"))
from network import Network  # noqa: E402


def receivers(rig, network, nodes, release):
    command = [
        RECEIVERS, "run", "--broker", rig.environment["LULL_BROKER"], "--bundles", rig.directory, "--nodes",
        str(nodes), "--each",
        str(release["each"]), "--software", "app-bulk", "--seq",
        str(release["seq"])
    ]
    for name in release["objects"]:
        command += ["--object", name]
    started = subprocess.Popen([*network.through("n"), "setpriv", "--pdeathsig", "KILL", "--", *command],
                               stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE,
                               text=True)
    if started.stdout.readline() != "ready\n":
        raise RuntimeError("the receivers were not welcomed")
    return started


def idle(rig, network, options, release):
    """CPU ms a second of the broker beside so many silent sessions."""
    with receivers(rig, network, options.idle, release) as silent:
        time.sleep(5)  # what a new session costs is over
        before, begun = cpu_seconds(rig.broker.pid), time.monotonic()
        time.sleep(options.seconds)
        spent = (cpu_seconds(rig.broker.pid) - before) / (time.monotonic() - begun)
        silent.kill()
    return spent * 1e3


def active(rig, network, options, release):
    """CPU seconds of the broker for each GB that it sends to so many sessions at once, and the rate."""
    with receivers(rig, network, options.active, release) as busy:
        before = cpu_seconds(rig.broker.pid)
        busy.stdin.write("go\n")
        busy.stdin.flush()
        figures = json.loads(busy.stdout.readline())
        spent = cpu_seconds(rig.broker.pid) - before
    return {
        "cpu_s_per_gb": spent / figures["bytes"] * 1e9, "mbit": figures["bytes"] * 8 / 1e6 / figures["seconds"],
        "seconds": figures["seconds"], "cpu_s": spent
    }


def restart_broker(rig, governor):
    rig.broker.stop()
    rig.broker.process.wait(30)
    rig.broker = rig.start(f"broker-{len(rig.started)}",
                           [*rig.at_broker, BROKER, "run", "--data", f"{rig.directory}/broker", "--governor", governor])
    rig.broker.wait_for("listening on")


def measure(options):
    cleaner = Cleaner()
    rows = []
    network = Network(cleaner)
    network.inside("r", "tc", "qdisc", "add", "dev", f"{network.prefix}nr", "root", "tbf", "rate", options.rate,
                   "burst", "64k", "limit", "4m")
    try:
        with tempfile.TemporaryDirectory(prefix="lull-bench-",
                                         dir=options.on) as directory, Rig(options.on, network=network) as rig:
            release = publish(rig, directory, "bulk", options.each * OBJECT)
            for i in range(max(options.idle, options.active)):
                rig.run(LULL, "nodes", "new", f"n{i + 1}", "--out", f"{rig.directory}/n{i + 1}.join")
            for repeat in range(options.repeat):
                for governor in HOW:
                    restart_broker(rig, governor)
                    row = {
                        "repeat": repeat, "governor": governor, "idle_ms_per_s": idle(rig, network, options, release)
                    }
                    rows.append(row | active(rig, network, options, release) | {"load": os.getloadavg()[0]})
                    print(
                        {
                            key: round(value, 3) if isinstance(value, float) else value
                            for key, value in rows[-1].items()
                        },
                        flush=True)
    finally:
        for action in cleaner.at_end:
            action()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=int, default=1000, help="silent sessions (default: %(default)s)")
    parser.add_argument("--active", type=int, default=64, help="sessions that fetch (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="how long silence is watched (default: %(default)s)")
    parser.add_argument("--each",
                        type=int,
                        default=1,
                        help=f"objects of {OBJECT // MIB} MiB for each that fetches (default: %(default)s)")
    parser.add_argument("--rate", default="200mbit", help="of the line (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="how often (default: %(default)s)")
    parser.add_argument("--on", default="/dev/shm", help="directory for all data (default: %(default)s)")
    parser.add_argument("--csv", help="write the figures of each repeat to this file")
    options = parser.parse_args()
    print(f"{machine()}; {options.idle} idle, {options.active} active over {options.rate}, {options.repeat} repeats",
          flush=True)
    rows = measure(options)
    print(
        f"\n| governor | {options.idle} idle, ms CPU a second | {options.active} active, CPU s a GB | CPU s a second | "
        "Mbit/s |\n|---|--:|--:|--:|--:|"
    )
    for governor in HOW:
        mine = [row for row in rows if row["governor"] == governor]
        middle = {key: statistics.median(row[key] for row in mine) for key in ("idle_ms_per_s", "cpu_s_per_gb", "mbit")}
        share = statistics.median(row["cpu_s"] / row["seconds"] for row in mine)
        print(
            f"| {governor} | {middle['idle_ms_per_s']:.2f} | {middle['cpu_s_per_gb']:.2f} | {share:.3f} | "
            f"{middle['mbit']:.0f} |"
        )
    if options.csv:
        with open(options.csv, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows({key: f"{value:.4f}" if isinstance(value, float) else value
                              for key, value in row.items()} for row in rows)


if __name__ == "__main__":
    main()
