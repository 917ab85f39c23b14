"""Keeps the figures of all runs (quiet.json), and writes tables (quiet.csv, quiet.md) and pictures of them."""

import csv
import json
import os

import picture
from figures import middle
from scenarios import SCENARIOS

HERE = os.path.dirname(os.path.abspath(__file__))
USUAL = os.path.join(os.path.dirname(HERE), "results")
COLUMNS = ("residual", "idle", "p50", "p50_ratio", "p90", "p90_ratio", "p99", "p99_ratio", "failed", "steady_p50",
           "steady_p50_ratio", "steady_p99", "steady_p99_ratio", "steady_lost", "kept", "gone", "gone_seen", "back",
           "queue_p50", "queue_p99", "ping_lost", "jain", "mbit", "cpu", "rtt", "whole", "load", "governed")


class Store:
    def __init__(self, directory=None):
        self.directory = directory or USUAL
        os.makedirs(self.directory, exist_ok=True)
        self.path = f"{self.directory}/quiet.json"
        self.runs = {}    # (scenario, peer, seed) -> figures
        self.curves = {}  # (scenario, peer) -> of the last seed
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                known = json.load(file)
            self.runs = {(row["scenario"], row["peer"], row["seed"]): row["figures"] for row in known["runs"]}
            self.curves = {(row["scenario"], row["peer"]): row["curves"] for row in known["curves"]}

    def add(self, scenario, peer, seed, figures, curves):
        self.runs[scenario.name, peer, seed] = {name: value for name, value in figures.items() if value is not None}
        if scenario.name in picture.LINES + picture.TIMES:
            self.curves[scenario.name, peer] = curves

    def of(self, scenario, peer):
        return [figures for (name, who, _), figures in self.runs.items() if (name, who) == (scenario, peer)]

    def middle(self, scenario, peer):
        """Medians over the seeds."""
        rows = self.of(scenario, peer)
        return {column: middle([row.get(column) for row in rows]) for column in COLUMNS}

    def peers(self, scenario):
        return list(dict.fromkeys(who for name, who, _ in self.runs if name == scenario))

    def write(self):
        with open(self.path, "w", encoding="utf-8") as file:
            rows = [json.dumps({"scenario": scenario, "peer": peer, "seed": seed, "figures": rounded(figures)})
                    for (scenario, peer, seed), figures in self.runs.items()]
            lines = [json.dumps({"scenario": scenario, "peer": peer, "curves": curves}, separators=(",", ":"))
                     for (scenario, peer), curves in self.curves.items()]
            file.write('{"runs": [\n' + ",\n".join(rows) + '\n], "curves": [\n' + ",\n".join(lines) + "\n]}\n")
        with open(f"{self.directory}/quiet.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["scenario", "peer", "seed", *COLUMNS], lineterminator="\n")
            writer.writeheader()
            for (scenario, peer, seed), figures in self.runs.items():
                writer.writerow({"scenario": scenario, "peer": peer, "seed": seed, **rounded(figures)})
        with open(f"{self.directory}/quiet.md", "w", encoding="utf-8") as file:
            file.write(document(self))

    def draw(self):
        picture.draw(self)


def rounded(figures):
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}


def number(value, form, scale=1.0):
    return "-" if value is None else format(value * scale, form)


def ratio(value):
    if value is None:
        return "-"
    return f"x {value:.1f}" if value >= 2 else f"{100 * (value - 1):+.0f} %"


def cells(scenario, peer, store):
    """The texts of a row, the same for terminal and markdown."""
    row = store.middle(scenario, peer)
    steady = row["steady_p50"] is not None and row["p50"] is None
    p50, p99 = ("steady_p50", "steady_p99") if steady else ("p50", "p99")
    gone, back = ("never" if row[what] is None else f"{row[what]:.2f}" for what in ("gone", "back"))
    if row["kept"] is None or peer == "nothing":
        gone, back = "-", "-"
    label = f"{peer} (no governor)" if any(figures.get("governed") is False
                                           for figures in store.of(scenario, peer)) else peer
    return [
        label,
        number(row[p50], ".1f"),
        ratio(row[f"{p50}_ratio"]),
        number(row["p90"], ".0f"),
        number(row[p99], ".0f"),
        ratio(row[f"{p99}_ratio"]),
        number(row["residual"], ".0f", 100),
        number(row["idle"], ".1f", 100),
        number(row["kept"], ".1f", 100), gone, back,
        number(row["queue_p50"], ".1f"),
        number(row["queue_p99"], ".1f"),
        number(row["jain"], ".3f"),
        number(row["cpu"], ".2f")
    ]


TITLES = [
    "peer", "p50 ms", "", "p90 ms", "p99 ms", "", "residual %", "idle %", "kept %", "gone s", "back s", "queue p50",
    "p99 ms", "Jain", "CPU s"
]


def line(scenario, peer, seed, store):
    figures = store.runs[scenario.name, peer, seed]
    shown = " ".join(f"{name}={value:.3g}" for name, value in figures.items()
                     if isinstance(value, float) and name not in ("rtt", "load"))
    warning = "" if figures["whole"] else "  (THE BULK ENDED BEFORE THE RUN)"
    return f"{scenario.name:15} {peer:15} seed {seed}: {shown}{warning}"


def table(store, names=None):
    """For the terminal."""
    out = []
    for scenario in names or SCENARIOS:
        rows = [TITLES] + [cells(scenario, peer, store) for peer in store.peers(scenario)]
        if len(rows) == 1:
            continue
        widths = [max(len(row[i]) for row in rows) for i in range(len(TITLES))]
        out.append(f"{scenario}: {SCENARIOS[scenario].what}")
        out += [
            "  " + "  ".join(row[i].ljust(widths[i]) if i == 0 else row[i].rjust(widths[i]) for i in range(len(TITLES)))
            for row in rows
        ]
        out.append("")
    return "\n".join(out)


def document(store):
    """For bench/results."""
    out = [
        "# What others notice, and what is used", "",
        "Medians over the seeds of [quiet.csv](quiet.csv); see bench/METHOD.md for what the columns mean.", ""
    ]
    for scenario in SCENARIOS.values():
        who = store.peers(scenario.name)
        if not who:
            continue
        seeds = len({seed for name, _, seed in store.runs if name == scenario.name})
        rows = [cells(scenario.name, peer, store) for peer in who]
        kept = [i for i in range(len(TITLES)) if any(row[i] != "-" for row in rows)]
        titles = [TITLES[i] or "harm" for i in kept]
        out += [
            f"## {scenario.name}: {scenario.what}", "",
            f"{seeds} {'seed' if seeds == 1 else 'seeds'}, {scenario.seconds:g} s each.", "",
            "| " + " | ".join(titles) + " |", "|---" + "|--:" * (len(kept) - 1) + "|"
        ]
        out += ["| " + " | ".join(row[i] for i in kept) + " |" for row in rows]
        out.append("")
    return "\n".join(out)
