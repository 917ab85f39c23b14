"""A release goes through the fleet in steps, and halts where it does not work. LULL_ROLLOUT_NODES says how many nodes
there are."""

import hashlib
import itertools
import json
import os

import trees
from daemon import time_of
from fleet import FleetTest, main

NODES = int(os.environ.get("LULL_ROLLOUT_NODES", "20"))
STAGES = "5%,25%,100%"
ALL_BUT_ONE = f"active:{100 - 100 // NODES}%"


def place(node, version, software="app"):
    """Where the node stands in line for a version, as schema/rollout.hpp says."""
    return hashlib.sha256(f"{software} {version} {node.name}".encode()).digest()[:8]


class Rollout(FleetTest):
    """Each method begins with a good release everywhere."""

    nodes = NODES
    shared = True
    numbers = itertools.count(1)

    def setUp(self):
        super().setUp()
        self.base = f"{next(self.numbers)}.0"
        self.fleet.publish_new(self.base, options=("--wait", "active:100%", "--within", "5min"))
        self.version = f"{next(self.numbers)}.0"
        self.line = sorted(self.fleet.nodes, key=lambda node: place(node, self.version))
        self.marks = {node: node.daemon.mark() for node in self.fleet.nodes}

    def broken_on(self, nodes):
        """A health check that fails on these nodes."""
        cases = "|".join(f"{node.root}/*" for node in nodes) or "nowhere"
        return f"#!/bin/sh\ncase \"$LULL_ROOT_DIR\" in {cases}) echo 'no display' >&2; exit 3;; esac\nexit 0\n"

    def publish(self, broken=(), status=0, wait="active:100%"):
        """Publishes with a rollout, waits for the fleet, and returns how the command ended."""
        fleet, version = self.fleet, self.version
        tree = trees.make(f"{fleet.directory}/source-app", version, check=self.broken_on(broken))
        contents = trees.snapshot(tree)
        outcome = fleet.lull("publish",
                             tree,
                             "--name",
                             "app",
                             "--version",
                             version,
                             "--start",
                             "bin/app",
                             "--health",
                             "bin/check",
                             "--health-tries",
                             "1",
                             "--rollout",
                             STAGES,
                             "--wait",
                             wait,
                             "--within",
                             "10min",
                             "--json",
                             status=status,
                             timeout=900)
        release = json.loads(outcome.out)
        fleet.checker.published("app", version, release["seq"], release["manifest"], contents)
        return outcome, release

    def said(self, node, what):
        return node.daemon.wait_for(rf"app {self.version}: {what}", after=self.marks[node])

    def check_halted(self, outcome, release, broken, may_be_live):
        """It failed on some of the broken nodes, which are back, and is live nowhere but there."""
        fleet = self.fleet
        fleet.checker.unhealthy.add(("app", release["seq"]))
        self.assertIn(f"app {self.version} is paused by rollout: it failed on ", outcome.err)
        self.assertIn("lull resume app", outcome.err)
        self.assertIn("no display", outcome.err)
        rows = fleet.ledger()
        back = [node for node in broken if rows[node.name]["state"] == "rolled-back"]
        self.assertTrue(back)
        for node in back:
            self.said(node, f"rolled-back: {self.base} is active again")
            self.assertEqual(node.current()[1], self.base)
        live = {node.name for node in fleet.nodes if rows[node.name]["active"] == self.version}
        self.assertLessEqual(live, {node.name for node in may_be_live})
        self.assertEqual(release["progress"]["states"].get("active", 0), len(live))
        fleet.checker.check_running()
        return back

    def test_a_release_that_works_reaches_every_node_in_the_order_of_the_line(self):
        fleet = self.fleet
        _, release = self.publish()
        self.assertEqual(release["progress"]["states"], {"active": NODES})
        self.assertEqual(release["progress"]["rollout"]["stage"], 3)
        by_time = sorted(fleet.nodes, key=lambda node: time_of(self.said(node, "active")))
        for share in (5, 25):
            members = -(-share * NODES // 100)
            self.assertEqual({node.name for node in by_time[:members]}, {node.name for node in self.line[:members]})
        for stage in (1, 2, 3):
            fleet.broker.wait_for(rf"rollout of app {self.version}: stage {stage} of 3")
        fleet.checker.check_converged()

    def test_a_release_that_fails_on_the_first_nodes_reaches_no_others_until_an_operator_accepts_that(self):
        fleet = self.fleet
        outcome, release = self.publish(broken=self.line[:1], status=1)
        self.check_halted(outcome, release, self.line[:1], [])
        fleet.broker.kill()
        fleet.start_broker()
        fleet.lull("resume", "app")
        fleet.lull("progress", "app", "--wait", ALL_BUT_ONE, "--within", "5min", timeout=600)
        self.assertEqual(self.line[0].current()[1], self.base)
        fleet.checker.check_running()

    def test_a_release_that_fails_on_three_percent_of_the_nodes_halts_and_these_go_back(self):
        """They stand at the end of the line: it is live on many of the others by then."""
        broken = self.line[-max(1, 3 * NODES // 100):]
        outcome, release = self.publish(broken=broken, status=1)
        back = self.check_halted(outcome, release, broken, [node for node in self.line if node not in broken])
        self.assertGreater(len(back), 2 * NODES // 100)
        done = json.loads(
            self.fleet.lull("rollback", "app", "--wait", "active:100%", "--within", "5min", "--json", timeout=600).out)
        self.assertEqual(done["contents_of"], self.base)
        _, manifest, contents = self.fleet.checker.releases["app"][release["seq"] - 1]
        self.fleet.checker.published("app", done["version"], done["seq"], manifest, contents)
        self.fleet.checker.check_converged()

    def test_nodes_that_are_held_do_not_hold_the_others_up(self):
        fleet, held = self.fleet, self.line[1]
        fleet.node("hold", "app", "--root", held.root)
        _, release = self.publish(wait=ALL_BUT_ONE)
        self.assertEqual(release["progress"]["states"], {"active": NODES - 1, "held": 1})
        fleet.node("unhold", "app", "--root", held.root)
        self.said(held, "active")
        fleet.checker.check_converged()


if __name__ == "__main__":
    main()
