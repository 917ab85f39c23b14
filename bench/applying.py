#!/usr/bin/env python3
"""What a node does with a patch: output per CPU second, and its peak memory, for large files of which a little changes
and for pairs of bench/delta/corpus.py. See bench/METHOD.md.
 The patch is ready before the node starts. CPU is that of the whole node, from its start until the new release is
active: it fetches, applies, verifies the tree and makes it durable."""

import argparse
import filecmp
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile

from first_install import files_of
from rig import LULL, REPOSITORY, Rig, cpu_seconds, machine, memory_of, wait_until

sys.path.insert(0, os.path.join(REPOSITORY, "bench", "delta"))
import corpus  # noqa: E402  (bench/delta is not a package)

FILES, SIZE, CHANGES = 3, 40_000_000, 40
PAIRS = "esbuild 0.28.1,playwright-core 1.64.1,typescript 5.8.3,swc 1.13.4,libnode108,biomejs 2.6.7"


def make_large(directory, source):
    """Files of real libraries one behind the other."""
    libraries = (os.path.join(folder, name) for folder, names, files in os.walk(source) for name in sorted(files)
                 if ".so" in name)
    libraries = [path for path in libraries if not os.path.islink(path) and os.path.isfile(path)]
    for i in range(FILES):
        with open(f"{directory}/{i}.bin", "wb") as out:
            while out.tell() < SIZE and libraries:
                with open(libraries.pop(0), "rb") as file:
                    shutil.copyfileobj(file, out)


def change_a_bit(directory):
    """Some words are put in, taken out or changed, at places of a seed."""
    chance = random.Random(1)
    for path in sorted(files_of(directory)):
        with open(path, "rb") as file:
            contents = bytearray(file.read())
        for _ in range(CHANGES):
            place, kind = chance.randrange(len(contents)), chance.randrange(3)
            contents[place:place + (0, 24, 24)[kind]] = chance.randbytes((24, 0, 24)[kind])
        with open(path, "wb") as file:
            file.write(contents)


def bytes_that_differ(old, new):
    """Bytes of the new files that the old release does not have at the same path."""
    total = 0
    for path in files_of(new):
        before = os.path.join(old, os.path.relpath(path, new))
        if not os.path.islink(path) and not (os.path.isfile(before) and filecmp.cmp(before, path, shallow=False)):
            total += os.path.getsize(path)
    return total


def apply(rig, nodes, old, new):
    """Figures of nodes that find the patch ready when they start, one after the other, each from its start until the
    new release is active."""
    rig.publish(old, "1.0")
    for node in nodes:
        node.wait_for(r": app 1\.0: active", 600)
    wait_until(lambda: rig.run(LULL, "status", "--json").count('"active"') >= len(nodes), 60, "the broker's note of it")
    for node in nodes:
        node.stop()
        node.process.wait(30)
    rig.publish(new, "1.1")
    rig.broker.wait_for(r" patch [0-9a-f]+: ", 1800)
    figures = []
    for name in rig.nodes:
        node = rig.start_node(name)
        node.wait_for(r": app 1\.1: .*with a patch", 60)
        node.wait_for(r": app 1\.1: active", 600)
        figures.append((cpu_seconds(node.pid), round(memory_of(node.pid, rollup=False)["VmHWM"] / 1024, 1)))
        node.stop()
        node.process.wait(30)
    rows = json.loads(rig.run(LULL, "list", "--sizes", "--json"))["releases"]
    return {"node_cpu": statistics.median(cpu for cpu, _ in figures), "node_peak_mib": max(peak for _, peak in figures),
            "bytes": next(row.get("to_fetch") for row in rows if row["version"] == "1.0")}


def one(options, name, old, new):
    with Rig(options.on) as rig:
        rig.add_nodes(options.nodes)
        figures = apply(rig, rig.start_nodes(), old, new)
    made, all_of_it = bytes_that_differ(old, new), sum(
        os.path.getsize(path) for path in files_of(new) if not os.path.islink(path))
    row = {
        "what": name, "tree_mb": round(all_of_it / 1e6, 1), "made_mb": round(made / 1e6, 1),
        "made_mb_per_cpu_s": round(made / 1e6 / figures["node_cpu"],
                                   1), **figures, "load": round(os.getloadavg()[0], 1)
    }
    print(json.dumps(row), flush=True)
    return row


def measure(options):
    rows = []
    if options.large:
        with tempfile.TemporaryDirectory(prefix="lull-bench-", dir=options.on) as directory:
            old, new = f"{directory}/old", f"{directory}/new"
            os.mkdir(old)
            make_large(old, options.source)
            shutil.copytree(old, new)
            change_a_bit(new)
            rows.append(one(options, f"{FILES} large files, {CHANGES} changes in each", old, new))
    os.makedirs(f"{options.cache}/trees", exist_ok=True)
    for wanted in filter(None, options.pairs.split(",")):
        pair = next(pair for pair in corpus.PAIRS if pair.name.startswith(wanted))
        rows.append(one(options, pair.name, *corpus.trees_of(options.cache, pair)))
    return rows


def table(rows):
    lines = [
        "| update | files, MB | made of a patch, MB | MB of these / CPU s of the node | node, peak MiB | to fetch, kB "
        "| node, CPU s |",
        "|---|--:|--:|--:|--:|--:|--:|"
    ]
    for row in rows:
        lines.append(
            f"| {row['what']} | {row['tree_mb']} | {row['made_mb']} | {row['made_mb_per_cpu_s']:.0f} | "
            f"{row['node_peak_mib']} | "
            f"{(row['bytes'] or 0) / 1e3:,.0f} | {row['node_cpu']} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--pairs",
                        default=PAIRS,
                        help="beginnings of names, with commas between them (default: %(default)s)")
    parser.add_argument("--large",
                        action=argparse.BooleanOptionalAction,
                        default=True,
                        help="also large files of which a little changes")
    parser.add_argument("--nodes",
                        type=int,
                        default=3,
                        help="that apply each patch, one after the other (default: %(default)s)")
    parser.add_argument("--source",
                        default="/usr/lib/x86_64-linux-gnu",
                        help="libraries for these (default: %(default)s)")
    parser.add_argument("--cache", default=corpus.CACHE, help="versions (default: %(default)s)")
    parser.add_argument("--on", help="directory for all data (default: the temporary directory)")
    parser.add_argument("--json", help="write the figures to this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is ended and removed
    where = machine()
    print(where, flush=True)
    rows = measure(options)
    print("\n" + table(rows))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(json.dumps({"machine": where, "results": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
