"""What happens on which line. Times are seconds after the foreground's start."""

from dataclasses import dataclass

from line import Shape

PING = 0.005
MBIT = 1_000_000


@dataclass(frozen=True)
class Scenario:
    name: str
    what: str
    shape: Shape = Shape()
    seconds: float = 30
    web: tuple = ()      # (a second, bytes, from, to); to None: until the end
    bulk: tuple = ()     # (from, to)
    steady: tuple = ()   # (bit/s, from, to)
    ping: bool = False

    def load(self):
        """Options for `lull-bench traffic`."""
        options = ["--seconds", f"{self.seconds}s"]
        for rate, size, begin, end in self.web:
            options += ["--web", f"{rate}/s:{size}B@{begin}s-{self.seconds if end is None else end}s"]
        for begin, end in self.bulk:
            options += ["--bulk", f"{begin}s-{end}s"]
        for rate, begin, end in self.steady:
            options += ["--steady", f"{rate}bit/s@{begin}s-{self.seconds if end is None else end}s"]
        return options + (["--ping", f"{PING}s"] if self.ping else [])

    def capacity(self, begin, end):
        """Bytes that the line could carry between two moments."""
        marks = [(0.0, self.shape.rate), *self.shape.changes, (float("inf"), 0)]
        total = 0.0
        for (since, rate), (until, _) in zip(marks, marks[1:]):
            total += rate / 8 * max(0.0, min(end, until) - max(begin, since))
        return total

    def busy(self):
        """When there is foreground traffic other than pings."""
        spans = [(begin, self.seconds if end is None else end)
                 for *_, begin, end in self.web + self.steady] + list(self.bulk)
        return sorted(spans)

    def quiet(self, warm):
        """When there is none, from `warm` on: a second after the one before has ended, so that what it left behind is
        gone."""
        spans, at = [], warm
        for begin, end in self.busy():
            if begin - at >= 1:
                spans.append((at, begin))
            at = max(at, end + 1)
        if self.seconds - at >= 1:
            spans.append((at, self.seconds))
        return spans


WEB = ((20, 30_000, 0, None),)
WEB_100 = ((100, 30_000, 0, None),)
STEP = ((10, 18),)
FAST = Shape(rate=100 * MBIT, rtt=0.004)
MIXED = {
    "web": ((20, 30_000, 8, 18), (20, 30_000, 44, 52)), "bulk": ((24, 30), (46, 50)), "steady": ((10 * MBIT, 34, 40), )
}

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("web", "web requests, 20 a second of 30 kB", web=WEB),
        Scenario("step", "a download from 10 s to 18 s", bulk=STEP, ping=True, seconds=26),
        Scenario("constant", "a constant 10 of 20 Mbit/s", steady=((10 * MBIT, 0, None), ), seconds=20),
        Scenario("idle", "nobody but pings", ping=True, seconds=20),
        Scenario("web-100", "100 Mbit/s, 4 ms: web requests, 100 a second of 30 kB", FAST, web=WEB_100, seconds=20),
        Scenario("step-100", "100 Mbit/s, 4 ms: a download from 10 s to 18 s", FAST, bulk=STEP, ping=True, seconds=26),
        Scenario("web-4-nodes", "web requests, four nodes", Shape(nodes=4), web=WEB),
        Scenario("step-4-nodes", "a download, four nodes", Shape(nodes=4), bulk=STEP, ping=True, seconds=26),
        Scenario("own-bfifo", "web requests to the broker's own host, a queue of bytes", Shape(own="bfifo"), web=WEB),
        Scenario(
            "own-pfifo-fast", "web requests to the broker's own host, pfifo_fast", Shape(own="pfifo_fast"), web=WEB),
        Scenario("web-jitter", "web requests, up to 30 ms of jitter", Shape(jitter=0.030), web=WEB),
        Scenario("idle-jitter", "nobody but pings, up to 30 ms of jitter", Shape(jitter=0.030), ping=True, seconds=20),
        Scenario("web-fair", "web requests, a router with two equal classes", Shape(queue="fair"), web=WEB),
        Scenario("step-fair",
                 "a download, a router with two equal classes",
                 Shape(queue="fair"),
                 bulk=STEP,
                 ping=True,
                 seconds=26),
        Scenario("gigabit",
                 "1 Gbit/s without delay: web requests, 100 a second of 300 kB",
                 Shape(rate=1000 * MBIT, rtt=0, buffer=0.02),
                 web=((100, 300_000, 0, None), ),
                 seconds=10),
        Scenario("mixed", "quiet and busy by turns", seconds=60, ping=True, **MIXED),
        Scenario("two-brokers", "web requests, two brokers with a node each", Shape(nodes=2, brokers=2), web=WEB),
        Scenario("20-nodes", "web requests, twenty nodes", Shape(nodes=20), web=WEB),
        Scenario("halves",
                 "nobody but pings; the line halves at 10 s",
                 Shape(changes=((10, 10 * MBIT), )),
                 ping=True,
                 seconds=20),
        Scenario("doubles",
                 "nobody but pings; the line doubles at 10 s",
                 Shape(changes=((10, 40 * MBIT), )),
                 ping=True,
                 seconds=20),
    )
}
