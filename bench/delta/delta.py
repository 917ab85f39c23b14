"""Bytes per update: real successive versions by lull's method and by others. See bench/METHOD.md.

Needs rsync, casync, xdelta3, bsdiff, ostree and zstd (Debian's packages of these names), npm, and a release build."""

import argparse
import csv
import json
import math
import os
import sys

import corpus
import methods

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
BASE = "whole (zstd -19)"


def results_of(pairs, options):
    """All figures; each is kept in the cache, so that a run that was interrupted goes on. lull's are always new."""
    found = {}
    for pair in pairs:
        trees = [corpus.tree_of(options.cache, pair, version) for version in (pair.old, pair.new)]
        for name, method in methods.methods(options.build).items():
            file = f"{options.cache}/result-" + f"{pair.source}-{pair.name}-{name}".replace("/", "_").replace(" ", "_")
            known = name != "lull" and os.path.exists(file)
            if not known:
                with open(file + ".new", "w", encoding="utf-8") as out:
                    json.dump(methods.measure(method, *trees), out)
                os.rename(file + ".new", file)
            with open(file, encoding="utf-8") as saved:
                found[pair, name] = json.load(saved)
            print(f"{pair.name}: {name}: {found[pair, name]['bytes']:,}", flush=True)
    return found


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def table(found, gap):
    pairs = [pair for pair in dict.fromkeys(pair for pair, _ in found) if pair.gap == gap]
    lines = ["| method | mean, % | range, % | sender s / 100 MB | receiver s / 100 MB | sender peak MiB | receiver peak MiB |",
             "|---|--:|--:|--:|--:|--:|--:|"]
    for name in dict.fromkeys(name for _, name in found):
        rows = [found[pair, name] for pair in pairs]
        shares = [100 * row["bytes"] / found[pair, BASE]["bytes"] for pair, row in zip(pairs, rows)]
        total = sum(row["size"] for row in rows) / 1e8
        per = [sum(row[key] for row in rows) / total for key in ("sender_s", "receiver_s")]
        peaks = [max(row[key] for row in rows) / (1 << 20) for key in ("sender_peak", "receiver_peak")]
        cells = [f"{value:.1f}" if value else "" for value in per] + [f"{value:.0f}" if value else "" for value in peaks]
        lines.append(f"| {name} | {mean(shares):.1f} | {min(shares):.2f}-{max(shares):.0f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def pairs_table(found):
    names = list(dict.fromkeys(name for _, name in found))
    lines = ["| pair, bytes | " + " | ".join(names) + " |", "|---" + "|--:" * len(names) + "|"]
    for pair in dict.fromkeys(pair for pair, _ in found):
        lines.append(f"| {pair.name} | " + " | ".join(f"{found[pair, name]['bytes']:,}" for name in names) + " |")
    return "\n".join(lines)


def picture(found, path):
    """A dot a pair and a bar for the geometric mean, on a logarithmic axis from 0.01 to 200 per cent."""
    names = list(dict.fromkeys(name for _, name in found))
    left, width, row = 150, 640, 34
    height = row * len(names) + 70

    def x(share):
        return left + width * (math.log10(min(max(share, 0.01), 200)) + 2) / (math.log10(200) + 2)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 40}" height="{height}" font-family="sans-serif" '
             f'font-size="13"><rect width="100%" height="100%" fill="white"/>']
    for tick in (0.01, 0.1, 1, 10, 100):
        parts.append(f'<line x1="{x(tick):.0f}" x2="{x(tick):.0f}" y1="20" y2="{height - 45}" stroke="#ddd"/>'
                     f'<text x="{x(tick):.0f}" y="{height - 28}" text-anchor="middle">{tick:g} %</text>')
    for i, name in enumerate(names):
        y = 36 + i * row
        shares = [(pair.gap, 100 * found[pair, name]["bytes"] / found[pair, BASE]["bytes"]) for pair, other in found if other == name]
        middle = mean([share for _, share in shares])
        weight = ' font-weight="bold"' if name == "lull" else ""
        parts.append(f'<text x="{left - 10}" y="{y + 5}" text-anchor="end"{weight}>{name}</text>')
        for gap, share in shares:
            fill = "#2a6fb0" if gap == 1 else "none"
            parts.append(f'<circle cx="{x(share):.1f}" cy="{y}" r="4.5" fill="{fill}" fill-opacity="0.6" stroke="#2a6fb0"/>')
        parts.append(f'<line x1="{x(middle):.1f}" x2="{x(middle):.1f}" y1="{y - 12}" y2="{y + 12}" stroke="#c03" stroke-width="3"/>'
                     f'<text x="{x(middle) + 6:.1f}" y="{y - 8}" font-size="11" fill="#c03">{middle:.1f}</text>')
    parts.append(f'<text x="{left}" y="{height - 8}" fill="#555">bytes of one update, of the whole new version packed with zstd -19; '
                 'full: successive, hollow: gap of three</text></svg>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few small pairs")
    parser.add_argument("--cache", default=os.path.expanduser("~/.cache/lull-corpus"), help="where versions are kept (default: %(default)s)")
    parser.add_argument("--build", default=f"{REPOSITORY}/build/release", help="the build to measure")
    parser.add_argument("--into", default=f"{REPOSITORY}/bench/results", help="where results go")
    options = parser.parse_args()
    os.makedirs(options.cache, exist_ok=True)
    found = results_of(corpus.QUICK if options.quick else corpus.PAIRS, options)
    gaps = sorted({pair.gap for pair, _ in found})
    titles = {1: "## Successive releases", 3: "## Gaps of three"}
    text = "\n\n".join(["# Bytes per update", *[f"{titles[gap]}\n\n{table(found, gap)}" for gap in gaps], "## Pair by pair",
                        pairs_table(found)])
    print(text)
    with open(f"{options.into}/delta.md", "w", encoding="utf-8") as file:
        file.write(text + "\n")
    with open(f"{options.into}/delta.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(("pair", "gap", "method", "bytes", "size", "sender_s", "receiver_s", "sender_peak", "receiver_peak"))
        for (pair, name), row in found.items():
            out.writerow((pair.name, pair.gap, name, *[row[key] for key in ("bytes", "size", "sender_s", "receiver_s", "sender_peak",
                                                                               "receiver_peak")]))
    picture(found, f"{options.into}/delta.svg")


if __name__ == "__main__":
    sys.exit(main())
