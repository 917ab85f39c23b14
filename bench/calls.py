#!/usr/bin/env python3
"""Remote calls, end to end: how much longer a trivial call takes than `lull-node run`, calls from many nodes at once,
and a large stream in and out with the memory of the three programs.
 Real broker, executor and nodes on loopback, default options, bubblewrap. Each time is that of a whole command, from
fork to exit status."""

import argparse
import hashlib
import os
import subprocess
import sys
import threading
import time

from rig import LULL, MIB, NODE, Rig, machine, memory_of, percentile

PROGRAM = b"#!/bin/sh\n[ \"$1\" = cat ] && exec cat\necho done\n"


def tree_of(rig):
    tree = f"{rig.directory}/tree"
    os.makedirs(f"{tree}/bin", exist_ok=True)
    with open(f"{tree}/bin/tool", "wb") as file:
        file.write(PROGRAM)
    os.chmod(f"{tree}/bin/tool", 0o755)
    return tree


def timed(command, environment):
    begun = time.monotonic()
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    seconds = time.monotonic() - begun
    if done.returncode != 0 or done.stdout != b"done\n":
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr.decode()}")
    return 1000 * seconds


def call(rig, node, *arguments):
    return [NODE, "call", "app", "--root", f"{rig.roots}/{node}", "--", *arguments]


def start(rig, count):
    """The executor, and so many other nodes on which the release is active."""
    os.chmod(rig.roots, 0o755)  # programs of calls run as somebody else
    rig.add_nodes(count + 1)
    executor = rig.start(rig.nodes[-1], [NODE, "daemon", "--root", f"{rig.roots}/{rig.nodes[-1]}", "--serve-calls",
                                         "--allow-calls", "app"])
    others = [rig.start_node(name) for name in rig.nodes[:-1]]
    for daemon in [executor, *others]:
        daemon.wait_for("announcements: connected", timeout=300)
    executor.wait_for("calls: serves")
    rig.run(LULL, "publish", tree_of(rig), "--name", "app", "--version", "1", "--callable", "bin/tool", "--start",
            "bin/tool", "--wait", "active:100%", "--within", "5min")
    timed(call(rig, rig.nodes[0]), rig.environment)  # the executor fetches the release for calls
    return executor, others


def latency(count):
    """Milliseconds of calls, and of the same program started here, taken in turns."""
    with Rig(broker_options=["--calls-per-minute", "100000"]) as rig:
        start(rig, 1)
        here = [NODE, "run", "app", "--root", f"{rig.roots}/n1"]
        calls, runs = [], []
        for _ in range(count):
            runs.append(timed(here, rig.environment))
            calls.append(timed(call(rig, "n1"), rig.environment))
    lines = ["| | p50 ms | p99 ms | max ms |", "|---|--:|--:|--:|"]
    for name, times in (("`lull-node run`", runs), ("`lull-node call`", calls)):
        lines.append(f"| {name} | {percentile(times, 50):.1f} | {percentile(times, 99):.1f} | {max(times):.1f} |")
    return "\n".join(lines)


def many(nodes, total):
    """So many calls, spread over the nodes, each of which has one call at a time."""
    with Rig() as rig:
        start(rig, nodes)
        times, failures = [], []

        def caller(node):
            for _ in range(total // nodes):
                try:
                    times.append(timed(call(rig, node), rig.environment))
                except RuntimeError as problem:
                    failures.append(str(problem))

        threads = [threading.Thread(target=caller, args=[node]) for node in rig.nodes[:-1]]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - begun
    for failure in failures[:3]:
        print(failure, file=sys.stderr)
    return ("| nodes | calls | failed | s | calls a second | p50 ms | p99 ms |\n|--:|--:|--:|--:|--:|--:|--:|\n"
            f"| {nodes} | {len(times)} | {len(failures)} | {seconds:.1f} | {len(times) / seconds:.0f} | "
            f"{percentile(times, 50):.0f} | {percentile(times, 99):.0f} |")


def stream(size):
    """So many bytes in and out of one call."""
    with Rig() as rig:
        executor, others = start(rig, 1)
        before, after = hashlib.sha256(), hashlib.sha256()
        begun = time.monotonic()
        with subprocess.Popen(call(rig, "n1", "cat"), env=rig.environment, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            def feed():
                left = size
                while left > 0:
                    block = os.urandom(min(left, MIB))
                    before.update(block)
                    process.stdin.write(block)
                    left -= len(block)
                process.stdin.close()

            feeder = threading.Thread(target=feed)
            feeder.start()
            while block := process.stdout.read(MIB):
                after.update(block)
            feeder.join()
        seconds = time.monotonic() - begun
        equal = process.returncode == 0 and before.digest() == after.digest()
        peaks = [memory_of(daemon.pid, rollup=False)["VmHWM"] / 1024 for daemon in (rig.broker, executor, others[0])]
    return ("| bytes in and out | digests | s | broker, MiB | executor, MiB | node, MiB |\n|--:|---|--:|--:|--:|--:|\n"
            f"| {size // MIB} MiB | {'equal' if equal else 'DIFFER'} | {seconds:.1f} | "
            + " | ".join(f"{peak:.0f}" for peak in peaks) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200, help="trivial calls, and as many starts here")
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--calls", type=int, default=1000, help="of all nodes together")
    parser.add_argument("--stream", type=int, default=1024, help="MiB in and out")
    options = parser.parse_args()
    print(f"`bench/calls.py`, {machine()}.\n\n## A trivial program\n\n{latency(options.runs)}\n", flush=True)
    print(f"## Many nodes\n\n{many(options.nodes, options.calls)}\n", flush=True)
    print(f"## A large stream\n\n{stream(options.stream * MIB)}", flush=True)


if __name__ == "__main__":
    main()
