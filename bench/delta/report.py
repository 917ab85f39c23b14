"""Tables of what crossed the wire: markdown, CSV and JSON."""

import csv
import dataclasses
import io
import json
import math
import re

from methods import BASE, NOT_BUILT

MIB, NOT_YET = 1 << 20, "not measured yet"
COLUMNS = ("bytes", "size", "percent", "sender_s", "receiver_s", "sender_peak", "receiver_peak", "wall_s", "tool")


def mean(values):
    """The geometric mean."""
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def text(value, digits=1):
    """Two or three figures that count; nothing for what is not known."""
    if value is None:
        return ""
    value = round(value, 6)
    if value < 1 and digits:
        return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
    return f"{value:.{digits if value < 100 else 0}f}"


class Report:
    """Pairs that still wait for a peer's result are left out as a whole, so that all means are over the same pairs."""

    def __init__(self, pairs, methods, rows, faults, machine):
        self.methods, self.machine, self.faults = methods, machine, faults
        base = next(method for method in methods if method.key == BASE)
        peers = [method for method in methods if method.key != "lull"]
        self.waiting = [pair for pair in pairs if any(faults.get((pair, peer)) == NOT_YET for peer in peers)]
        self.pairs = [pair for pair in pairs if (pair, base) in rows and pair not in self.waiting]
        self.rows = {(pair, method): {**row, "percent": 100 * row["bytes"] / rows[pair, base]["bytes"]}
                     for (pair, method), row in rows.items() if pair in self.pairs}

    def of(self, method, pairs):
        return [self.rows[pair, method] for pair in pairs if (pair, method) in self.rows]

    def _against(self, method, pairs):
        """lull's bytes by those of another method, on the pairs that both have."""
        lull = next((other for other in self.methods if other.key == "lull"), None)
        return mean(self.rows[pair, lull]["bytes"] / self.rows[pair, method]["bytes"]
                    for pair in pairs if (pair, lull) in self.rows and (pair, method) in self.rows)

    def _line(self, method, pairs):
        rows = self.of(method, pairs)
        if not rows:
            return f"| {method.title} | {self._why_none(method)} |" + " |" * 7
        shares = [row["percent"] for row in rows]
        per = sum(row["size"] for row in rows) / 1e8
        seconds = [sum(row[key] for row in rows) / per for key in ("sender_s", "receiver_s")]
        peaks = [max(row[key] for row in rows) / MIB or None for key in ("sender_peak", "receiver_peak")]
        cells = [text(mean(shares)), f"{text(min(shares))}-{max(shares):.0f}", str(len(rows)), *map(text, seconds),
                 *(text(peak, 0) for peak in peaks), text(self._against(method, pairs), 2)]
        return f"| {method.title} | " + " | ".join(cells) + " |"

    def _why_none(self, method):
        reasons = {reason for (_, other), reason in self.faults.items() if other == method}
        return "not built" if NOT_BUILT in reasons else "not measured"

    def summary(self, pairs):
        head = ("method", "mean, %", "range, %", "pairs", "sender, CPU s / 100 MB", "receiver, CPU s / 100 MB",
                "sender, peak MiB", "receiver, peak MiB", "lull's bytes / its bytes")
        lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
        return "\n".join(lines + [self._line(method, pairs) for method in self.methods])

    def pair_by_pair(self):
        others = [method for method in self.methods if method.key != BASE]
        base = next(method for method in self.methods if method.key == BASE)
        head = ["pair", "gap", "kind", "new version, MB", f"{base.title}, kB", *(method.title for method in others)]
        lines = ["| " + " | ".join(head) + " |", "|---|--:|---" + "|--:" * (len(head) - 3) + "|"]
        for pair in self.pairs:
            whole = self.rows[pair, base]
            cells = [pair.name, str(pair.gap), pair.kind, f"{whole['size'] / 1e6:.1f}", f"{whole['bytes'] / 1e3:,.0f}"]
            cells += [text(self.rows[pair, method]["percent"], 1) if (pair, method) in self.rows else ""
                      for method in others]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def _left_out(self):
        told = {"not measured yet": [pair.name for pair in self.waiting]} if self.waiting else {}
        for (pair, method), reason in self.faults.items():
            if reason != NOT_BUILT and pair not in self.waiting:
                short = re.sub(r"/\S*/", "", reason.splitlines()[0])  # without the directories of this machine
                told.setdefault(f"{method.title}: {short}", []).append(pair.name)
        if not told:
            return []
        return ["## Left out", "\n".join(f"- {', '.join(what)}: {reason}" for reason, what in told.items())]

    def markdown(self):
        parts = ["# Bytes per update", f"Written by bench/delta/delta.py; what is counted: [METHOD](../METHOD.md). "
                 f"Means are geometric, in per cent of the whole new version as `tar | zstd -19`. {self.machine}.",
                 "![A dot for each pair and method](delta.svg)"]
        for gap, title in ((1, "## Successive releases"), (3, "## Gaps of three releases"), (None, "## All pairs")):
            pairs = [pair for pair in self.pairs if gap in (None, pair.gap)]
            if pairs:
                parts += [title, self.summary(pairs)]
        parts += ["## Pair by pair, in per cent", self.pair_by_pair(), *self._left_out()]
        return "\n\n".join(parts) + "\n"

    def records(self):
        for (pair, method), row in sorted(self.rows.items(), key=self._order):
            yield {"pair": pair.name, **dataclasses.asdict(pair), "method": method.key,
                   **{key: row[key] for key in COLUMNS}}

    def _order(self, item):
        (pair, method), _ = item
        return self.pairs.index(pair), self.methods.index(method)

    def csv(self):
        records = [{**record, "percent": f"{record['percent']:.4f}"} for record in self.records()]
        out = io.StringIO()
        writer = csv.DictWriter(out, list(records[0]) if records else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return out.getvalue()

    def json(self):
        return json.dumps({"machine": self.machine, "results": list(self.records())}, indent=1) + "\n"
