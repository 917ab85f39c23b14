#!/usr/bin/env python3
"""Bytes per update: real successive versions by lull's method and by others. See bench/METHOD.md.

Each result is kept in the cache under its pinned versions and the version of the tool, so a run that was interrupted
goes on. A run of all pairs and methods writes into bench/results; a part of it is only printed, unless --into says
where."""

import argparse
import concurrent.futures
import csv
import hashlib
import json
import os
import re
import sys
import threading

import corpus
import methods
import picture
import report

REPOSITORY = os.path.dirname(os.path.dirname(methods.HERE))
sys.path.insert(0, os.path.join(REPOSITORY, "bench"))
from rig import machine  # noqa: E402  (bench/ is one directory up)


FIGURES = {
    "bytes": int, "size": int, "wall_s": float, "sender_s": float, "sender_peak": int, "receiver_s": float,
    "receiver_peak": int
}


def rows_of(file):
    """What an earlier run wrote as delta.csv, by pinned versions, method, and version of the tool."""
    if not file:
        return {}
    with open(file, newline="", encoding="utf-8") as table:
        return {tuple(row[name] for name in ("source", "packages", "old", "new", "method", "tool")):
                {name: kind(row[name]) for name, kind in FIGURES.items()} for row in csv.DictReader(table)}


class Results:
    """What is known: a row a pair and method. Files of the cache are written whole or not at all."""

    def __init__(self, options):
        self.options = options
        self.rows, self.faults = {}, {}
        self.known = rows_of(options.known)
        self.fetching = threading.Lock()

    def _file(self, pair, method, version):
        key = f"{pair.source} {pair.packages} {pair.old} {pair.new}; {method.key} {method.revision}; {version}"
        name = re.sub(r"[^A-Za-z0-9.+~-]+", "_", f"{pair.name}-{method.key}")
        return f"{self.options.cache}/results/{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.json"

    def _measured(self, pair, method, version):
        file = self._file(pair, method, version)
        if not os.path.exists(file):
            row = self.known.get((pair.source, pair.packages, pair.old, pair.new, method.key, version))
            if row is None and self.options.render:
                raise methods.Failed(report.NOT_YET)
            if row is None:
                with self.fetching:
                    trees = corpus.trees_of(self.options.cache, pair)
                row = methods.measure(method, *trees)
            with open(f"{file}.new", "w", encoding="utf-8") as out:
                json.dump({**row, "tool": version}, out)
            os.rename(f"{file}.new", file)
        with open(file, encoding="utf-8") as saved:
            return json.load(saved)

    def find(self, pair, method):
        try:
            row = self._measured(pair, method, method.version())
            self.rows[pair, method] = row
            text = f"{row['bytes']:,} bytes, CPU {row['sender_s']:.2f} + {row['receiver_s']:.2f} s"
        except (methods.NotBuilt, methods.Failed, corpus.NotFetched) as error:
            self.faults[pair, method] = str(error)
            text = f"left out: {error}"
        if not self.options.render:
            print(f"{pair.name}: {method.title}: {text}", flush=True)


def chosen(options):
    pairs = [pair for pair in (corpus.QUICK if options.quick else corpus.PAIRS) if options.pairs in pair.name]
    known = methods.all_methods(options.build)
    wanted = options.methods.split(",") if options.methods else [method.key for method in known]
    unknown = set(wanted) - {method.key for method in known}
    if unknown or not pairs:
        sys.exit(f"delta.py: no such method or pair; the methods are {', '.join(method.key for method in known)}")
    return pairs, [method for method in known if method.key in wanted or method.key == methods.BASE]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only the small pairs")
    parser.add_argument("--methods", help="only these, with commas between them")
    parser.add_argument("--pairs", default="", help="only pairs whose name holds this text")
    parser.add_argument("--jobs", type=int, default=1, help="measurements at the same time (default: %(default)s)")
    parser.add_argument("--render", action="store_true", help="measure nothing, write what the cache holds")
    parser.add_argument("--known",
                        metavar="CSV",
                        help="take over what this earlier delta.csv holds for the same versions and tools")
    parser.add_argument("--cache", default=corpus.CACHE, help="versions and results (default: %(default)s)")
    parser.add_argument("--build", default=f"{REPOSITORY}/build/release", help="lull's build directory or program")
    parser.add_argument("--into", help="where tables and picture go (default: bench/results, of all pairs and methods)")
    options = parser.parse_args()
    part = options.quick or options.methods or options.pairs
    options.into = options.into or (None if part else f"{REPOSITORY}/bench/results")
    return options


def main():
    options = arguments()
    missing = methods.missing_packages()
    if missing:
        sys.exit(f"delta.py: these tools are missing: apt-get install {' '.join(missing)}")
    os.makedirs(f"{options.cache}/trees", exist_ok=True)
    os.makedirs(f"{options.cache}/results", exist_ok=True)
    pairs, wanted = chosen(options)
    results, where = Results(options), machine().partition(", load")[0]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done in [pool.submit(results.find, pair, method) for pair in pairs for method in wanted]:
            done.result()
    table = report.Report(pairs, wanted, results.rows, results.faults, where)
    print("\n" + table.markdown())
    if options.into:
        for name, text in (("md", table.markdown()), ("csv", table.csv()), ("json", table.json()),
                           ("svg", picture.svg(table))):
            with open(f"{options.into}/delta.{name}", "w", encoding="utf-8", newline="") as file:
                file.write(text)


if __name__ == "__main__":
    main()
