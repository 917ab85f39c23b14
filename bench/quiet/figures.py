"""What a run saw, and the figures that follow from it and from the same run without bulk."""

import bisect
import csv
import statistics
from dataclasses import dataclass, replace

from scenarios import PING

WARM = 2.0      # s after the foreground's start that do not count
WINDOW = 0.1    # s over which the bulk's rate is taken for "gone" and "back",
LASTING = 0.5   # and over which it has to stay so
STEP = 0.02
GONE, BACK = 0.1, 0.8
LOST = 30_000.0  # ms, for a request that failed


def percentile(values, share):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-len(ordered) * share // 100) - 1))] if ordered else None


class Counters:
    """Bytes that interfaces have sent so far, by the time after the foreground's start."""

    def __init__(self, path, names, start):
        self.times, self.values = [], {name: [] for name in names}
        with open(path, encoding="utf-8") as file:
            for line in file:
                fields = line.strip().split(",")
                if len(fields) != len(names) + 1:
                    continue  # the last line may be cut
                self.times.append((int(fields[0]) - start) / 1e9)
                for name, value in zip(names, fields[1:]):
                    self.values[name].append(int(value))

    def at(self, name, moment):
        """By linear interpolation."""
        i = bisect.bisect_left(self.times, moment)
        if i == 0 or i == len(self.times):
            return self.values[name][min(i, len(self.times) - 1)]
        before, after = self.times[i - 1], self.times[i]
        low, high = self.values[name][i - 1], self.values[name][i]
        return low + (high - low) * (moment - before) / (after - before)

    def between(self, name, begin, end):
        return self.at(name, end) - self.at(name, begin)


@dataclass
class Seen:
    """One run."""
    records: list          # (kind, at s, took ms, bytes, outcome)
    counters: Counters
    nodes: list
    changes: tuple         # of the line's rate, as they were: (s, bit/s)
    cpu: float
    ping: dict
    whole: bool            # the bulk lasted to the end
    load: float            # of the machine, at the end
    governed: bool | None  # lull: whether its broker has a governor that is on

    def web(self):
        return [took if outcome == "done" or outcome == "unfinished" else LOST
                for kind, at, took, _, outcome in self.records if kind == "web" and at >= WARM]

    def took(self, kind, spans):
        return [
            took for what, at, took, *_ in self.records
            if what == kind and any(begin <= at < end for begin, end in spans)
        ]

    def downloaded(self, begin, end):
        return sum(size for kind, at, _, size, _ in self.records if kind == "bulk" and begin < at <= end + 0.1)

    def bulk(self, begin, end):
        return sum(self.counters.between(node, begin, end) for node in self.nodes)

    def bulk_rate(self, begin, length=WINDOW):
        return self.bulk(begin, begin + length) * 8 / length


def read(csv_path, counters_path, nodes, changed, **rest):
    with open(csv_path, encoding="utf-8", newline="") as file:
        start = int(file.readline().split()[2])
        records = [(row["kind"], int(row["at_ns"]) / 1e9, int(row["took_ns"]) / 1e6, int(row["bytes"]), row["outcome"])
                   for row in csv.DictReader(file)]
    changes = tuple(((when - start) / 1e9, rate) for when, rate in changed)
    return Seen(records, Counters(counters_path, ["client", *nodes], start), nodes, changes, **rest)


def first_window(seen, begin, end, fits):
    """How long after `begin` the first window is over that fits and stays so on average; None if there is none before
    `end`."""
    moment = begin
    while moment + LASTING <= end:
        if fits(seen.bulk_rate(moment)) and fits(seen.bulk_rate(moment, LASTING)):
            return moment + WINDOW - begin
        moment += STEP
    return None


def jain(values):
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else None


def of_download(scenario, seen, alone):
    """How much of the line downloads keep, and how quickly the bulk goes and comes back."""
    if not scenario.bulk:
        return {}
    kept = sum(seen.downloaded(*span)
               for span in scenario.bulk) / max(1, sum(alone.downloaded(*span) for span in scenario.bulk))
    rate = scenario.shape.rate
    gone = [first_window(seen, begin, end, lambda now: now < GONE * rate) for begin, end in scenario.bulk]
    busy = scenario.busy()
    back = []
    for begin, end in scenario.bulk:
        if any(other[0] < end < other[1] for other in busy if other != (begin, end)):
            continue  # others go on: it has no reason to come back
        limit = min([other[0] for other in busy if other[0] > end] + [scenario.seconds])
        back.append(first_window(seen, end, limit, lambda now: now > BACK * rate))
    worst = lambda times: None if None in times or not times else max(times)  # noqa: E731
    return {
        "kept": kept, "gone": worst(gone), "gone_seen": sum(time is not None for time in gone) / len(gone),
        "back": worst(back)
    }


def of_web(seen, alone):
    mine, theirs = seen.web(), alone.web()
    if not theirs:
        return {}
    figures = {}
    for share in (50, 90, 99):
        figures[f"p{share}"] = percentile(mine, share)
        figures[f"p{share}_ratio"] = figures[f"p{share}"] / percentile(theirs, share)
    return {**figures, "failed": sum(took >= LOST for took in mine)}


def of_steady(scenario, seen, alone):
    if not scenario.steady:
        return {}
    spans = [(max(WARM, begin), scenario.seconds if end is None else end) for _, begin, end in scenario.steady]
    mine, theirs = seen.took("steady", spans), alone.took("steady", spans)
    return {"steady_p50": percentile(mine, 50), "steady_p50_ratio": percentile(mine, 50) / percentile(theirs, 50),
            "steady_p99": percentile(mine, 99), "steady_p99_ratio": percentile(mine, 99) / percentile(theirs, 99),
            "steady_lost": 1 - len(mine) / len(theirs)}


def of_queue(scenario, seen, alone):
    """What the bulk adds to pings while the line has nobody else; a ping that is lost counts in `ping_lost`."""
    if not scenario.ping:
        return {}
    quiet = scenario.quiet(WARM)
    mine, theirs = seen.took("ping", quiet), alone.took("ping", quiet)
    if not mine or not theirs:
        return {}
    sent = sum(end - begin for begin, end in quiet) / PING
    return {
        "queue_p50": percentile(mine, 50) - percentile(theirs, 50),
        "queue_p99": percentile(mine, 99) - percentile(theirs, 99), "ping_lost": max(0.0, 1 - len(mine) / sent)
    }


def figures(scenario, seen, alone):
    """One row of the table."""
    scenario = replace(scenario, shape=replace(scenario.shape, changes=seen.changes))
    window = (WARM, scenario.seconds)
    taken = alone.counters.between("client", *window)
    bulk = seen.bulk(*window)
    quiet = scenario.quiet(WARM)
    room = sum(scenario.capacity(*span) for span in quiet)
    shares = [seen.counters.between(node, *window) for node in seen.nodes]
    return {
        "residual": bulk / (scenario.capacity(*window) - taken),
        "idle": sum(seen.bulk(*span) for span in quiet) / room if room else None, **of_web(seen, alone),
        **of_steady(scenario, seen, alone), **of_download(scenario, seen, alone),
        **of_queue(scenario, seen, alone), "jain": jain(shares) if len(shares) > 1 else None,
        "mbit": bulk * 8 / 1e6 / (window[1] - window[0]), "cpu": seen.cpu, "rtt": seen.ping["mean"],
        "whole": seen.whole, "load": seen.load, "governed": seen.governed
    }


def curves(scenario, seen):
    """What the pictures need: rates in steps of 100 ms, Mbit/s, and percentiles of the requests' times."""
    times = [i * 0.1 for i in range(int(scenario.seconds * 10))]
    rate = lambda what: [round(what(at, at + 0.1) * 80 / 1e6, 2) for at in times]  # noqa: E731
    web = seen.web()
    return {"others": rate(lambda begin, end: seen.counters.between("client", begin, end)), "ours": rate(seen.bulk),
            "web": [round(percentile(web, share / 2), 2) for share in range(1, 201)] if web else []}


def middle(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
