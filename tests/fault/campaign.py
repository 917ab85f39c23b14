"""What all campaigns share: count, points, violations, how to replay one, and the line for results.md."""

import argparse
import collections
import datetime
import math
import os
import sys
import time
import traceback

from fleet import Fleet

WORN_OUT = 60  # strikes after which a fleet is made anew: its list of releases grows


class Skip(Exception):
    """This machine cannot do it."""


def spread(number, size):
    """A permutation of the numbers below `size` whose first few are from all over."""
    stride = max(1, int(size * 0.618))
    while math.gcd(stride, size) != 1:
        stride += 1
    return number * stride % size


class Campaign:
    """Strikes of scenarios, each of which is a class with a name that is made of a fleet."""

    def __init__(self, scenarios, description):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("count", type=int, help="how often to strike")
        parser.add_argument("--scenario", choices=[scenario.name for scenario in scenarios], help="only this one")
        parser.add_argument("--point", help="only this point, as a violation prints it")
        parser.add_argument("--begin", type=int, default=0, help="the point of the sweep to begin at")
        parser.add_argument("--control", action="store_true", help="with the planted bug: has to find a violation")
        self.options = parser.parse_args()
        self.scenarios = [scenario for scenario in scenarios if self.options.scenario in (None, scenario.name)]
        self.struck = collections.Counter()
        self.violations = 0
        self.began = time.monotonic()

    def fleet(self, scenario):
        fleet = Fleet(**getattr(scenario, "fleet_options", {}))
        return fleet, scenario(fleet, self.options)

    def run(self):
        """Exit status 0: no violation; 1: violations; 77: nothing could be tested here."""
        try:
            for i, scenario in enumerate(self.scenarios):
                share = self.options.count // len(self.scenarios) + (i < self.options.count % len(self.scenarios))
                self.run_scenario(scenario, share)
        except Skip as reason:
            print(f"SKIPPED: {reason}", flush=True)
            return 77
        self.summary()
        if self.options.control:
            print("the planted bug was " + ("found" if self.violations else "NOT FOUND"), flush=True)
            return 0 if self.violations else 1
        return 1 if self.violations else 0

    def run_scenario(self, scenario, count):
        fleet, live, wear, done, missed = None, None, 0, 0, 0
        number = self.options.begin
        while done < count:
            if fleet is None or wear >= WORN_OUT:
                self.put_away(fleet, live)
                fleet, live = self.fleet(scenario)
                wear = 0
            point = live.parse(self.options.point) if self.options.point else live.point(number)
            number += 1
            wear += 1
            try:
                phases = live.strike(point)
            except Exception:  # whatever it is, the promise was not kept
                self.violation(scenario, fleet, point)
                fleet.close()
                fleet = live = None
                done += 1
                if self.options.control or self.violations >= 10:
                    return
                continue
            for phase in phases:
                self.struck[f"{scenario.name}: {phase}"] += 1
            done += len(phases)
            missed = 0 if phases else missed + 1
            if missed >= 50:
                raise AssertionError(f"{scenario.name}: 50 points after another were never reached")
            if self.options.point:
                break
        self.put_away(fleet, live)

    @staticmethod
    def put_away(fleet, live):
        if fleet is None:
            return
        if hasattr(live, "close"):
            live.close()
        fleet.close()
        fleet.remove()

    def violation(self, scenario, fleet, point):
        self.violations += 1
        script = os.path.basename(sys.argv[0]).removesuffix(".py")
        print(
            f"VIOLATION in {scenario.name} at {point}; everything stays in {fleet.directory}\n{traceback.format_exc()}"
            f"{chr(10).join(fleet.report().splitlines()[-40:])}\n"
            f"replay: scripts/fault.sh {script} 1 --scenario {scenario.name} --point '{point}'",
            flush=True)

    def summary(self):
        seconds = time.monotonic() - self.began
        total = sum(self.struck.values())
        for phase, times in sorted(self.struck.items()):
            print(f"  {times:6} {phase}")
        script = os.path.basename(sys.argv[0]).removesuffix(".py")
        print(
            f"| {datetime.date.today()} | {script} {' '.join(sys.argv[1:])} | {total} | {self.violations} | "
            f"{seconds:.0f} |",
            flush=True)
