#!/usr/bin/env python3
"""What others on the line notice of a bulk transfer, and how much of the line it uses: lull and others, in turn, with
the same foreground.
 Network namespaces with a shaped line between them; needs root and the packages of bench/quiet/packages.txt. See
bench/METHOD.md."""

import argparse
import dataclasses
import os
import signal
import sys
import tempfile
import threading
import time

import figures
import peers
import results
from line import BENCH, PORT, REAL_TIME, Line, sweep
from scenarios import SCENARIOS

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LEAD = 3.0  # s that the bulk runs before the foreground starts
USUAL = "priority,cubic,bbr,lull"


def changes(line, scenario, begun, done):
    """Changes the line's rate when it is time, and notes when that was."""
    def change(rate):
        line.change(rate)
        done.append((time.monotonic_ns(), rate))

    timers = [
        threading.Timer(max(0, begun + when - time.monotonic()), change, (rate, ))
        for when, rate in scenario.shape.changes
    ]
    for timer in timers:
        timer.daemon = True
        timer.start()
    return timers


def observe(scenario, name, seed, work, options):
    """One run: the foreground with one peer's bulk beside it."""
    shape = scenario.shape
    if name == "priority":
        shape = dataclasses.replace(shape, queue="priority")
    most = max([shape.rate, *(rate for _, rate in shape.changes)])
    size = int(most / 8 * (scenario.seconds + LEAD + 4))
    with tempfile.TemporaryDirectory(prefix=f"lull-quiet-{os.getpid()}-",
                                     dir=peers.MEMORY) as directory, Line(shape) as line:
        ping = line.ping()
        line.count(f"{directory}/counters")
        peer = peers.make(name, work, line, size, options.broker_options.split())
        try:
            peer.begin()
            if name != "nothing":
                line.wait_for_bulk()
                time.sleep(LEAD)
            before = peer.cpu()
            changed = []
            timers = changes(line, scenario, time.monotonic(), changed)
            line.run("client", *REAL_TIME, BENCH, "traffic", "--to", f"{line.address(line.foreground())}:{PORT}",
                     "--seed", str(seed), "--csv", f"{directory}/records", *scenario.load())
            about = {
                "cpu": peer.cpu() - before, "whole": peer.still_running(), "load": os.getloadavg()[0],
                "governed": peer.governed
            }
            for timer in timers:
                timer.join()
        finally:
            if options.logs and name != "nothing":
                peer.keep_logs(f"{options.logs}/{scenario.name}-{name}-{seed}")
            peer.end()
        return figures.read(f"{directory}/records", f"{directory}/counters", line.nodes(), changed, ping=ping, **about)


def measure(options, store):
    work = peers.Workplace()
    try:
        for name in options.names:
            scenario = SCENARIOS[name]
            if options.seconds:
                scenario = dataclasses.replace(scenario, seconds=options.seconds)
            for seed in options.seeds:
                alone = observe(scenario, "nothing", seed, work, options)
                store.add(scenario, "nothing", seed, figures.figures(scenario, alone, alone),
                          figures.curves(scenario, alone))
                for peer in options.by:
                    if scenario.shape.rate >= 1e9 and peer.startswith("utp"):
                        continue  # its own processor time would be measured
                    seen = observe(scenario, peer, seed, work, options)
                    store.add(scenario, peer, seed, figures.figures(scenario, seen, alone),
                              figures.curves(scenario, seen))
                    print(results.line(scenario, peer, seed, store), flush=True)
                store.write()
    finally:
        work.close()


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="scenarios:\n" + "\n".join(f"  {one.name:16} {one.what}"
                                                                       for one in SCENARIOS.values()))
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="some of those below, or all")
    parser.add_argument("--by", default=USUAL, help=f"who sends, of {', '.join(peers.KINDS)} (default: %(default)s)")
    parser.add_argument("--seeds", default="101", help="of the foreground, one run each (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="length of a run, if not the scenario's own")
    parser.add_argument(
        "--out",
        help="directory for results (default: bench/results; what is there of other scenarios, peers and seeds stays)")
    parser.add_argument("--broker-options", default="", help="more options for 'lull-broker run'")
    parser.add_argument("--logs", help="directory to which the bulk programs' logs are copied")
    parser.add_argument("--render",
                        action="store_true",
                        help="measure nothing; write tables and pictures of what is known")
    options = parser.parse_args()
    options.names = list(SCENARIOS) if options.scenarios == ["all"] else options.scenarios
    options.seeds = [int(seed) for seed in options.seeds.split(",")]
    options.by = [name for name in options.by.split(",") if name and name != "nothing"]
    for given, known in ((options.names, SCENARIOS), (options.by, peers.KINDS)):
        for name in given:
            if name not in known:
                parser.error(f"'{name}' is unknown; known are {', '.join(known)}")
    for scenario in (SCENARIOS[name] for name in options.names):
        if options.seconds and options.seconds < max(
            [figures.WARM + 2, *(end for _, end in scenario.busy() if end < scenario.seconds)]):
            parser.error(f"{scenario.name} needs more than {options.seconds:g} s")
    if not options.names and not options.render:
        parser.error("no scenario is given")
    if os.getuid() != 0 and not options.render:
        parser.error("network namespaces need root")
    return options


def end(*_):
    """So that everything is ended and removed, once."""
    for one in ENDING:
        signal.signal(one, signal.SIG_IGN)
    sys.exit(1)


def main():
    options = parse()
    store = results.Store(options.out)
    if not options.render:
        for one in ENDING:
            signal.signal(one, end)
        sweep()  # what one before left that was killed
        try:
            measure(options, store)
        finally:
            sweep(os.getpid())
        print()
    print(results.table(store, options.names or None))
    store.write()
    store.draw()
    return 0


if __name__ == "__main__":
    sys.exit(main())
