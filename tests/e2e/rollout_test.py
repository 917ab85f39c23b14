"""A release goes through the fleet in steps, and halts where it does not work. LULL_ROLLOUT_NODES says how many nodes there are."""

import hashlib
import json
import os

import trees
from daemon import time_of
from fleet import FleetTest, main

NODES = int(os.environ.get("LULL_ROLLOUT_NODES", "20"))
STAGES = "5%,25%,100%"


def place(node, version, software="app"):
    """Where the node stands in line for a version, as schema/rollout.hpp says."""
    return hashlib.sha256(f"{software} {version} {node.name}".encode()).digest()[:8]


class Rollout(FleetTest):
    nodes = NODES

    def setUp(self):
        super().setUp()
        self.fleet.publish_new("1.0", options=("--wait", "active:100%"))

    def line(self, version):
        return sorted(self.fleet.nodes, key=lambda node: place(node, version))

    def broken_on(self, nodes):
        """A health check that fails on these nodes."""
        cases = "|".join(f"{node.root}/*" for node in nodes) or "nowhere"
        return f"#!/bin/sh\ncase \"$LULL_ROOT_DIR\" in {cases}) echo 'no display' >&2; exit 3;; esac\nexit 0\n"

    def publish(self, version, broken=(), status=0, wait="active:100%"):
        """Publishes with a rollout, waits for the fleet, and returns how the command ended."""
        fleet = self.fleet
        tree = trees.make(f"{fleet.directory}/source-app", version, check=self.broken_on(broken))
        contents = trees.snapshot(tree)
        outcome = fleet.lull("publish", tree, "--name", "app", "--version", version, "--start", "bin/app", "--health", "bin/check",
                             "--health-tries", "1", "--rollout", STAGES, "--wait", wait, "--within", "10min", "--json",
                             status=status, timeout=900)
        release = json.loads(outcome.out)
        fleet.checker.published("app", version, release["seq"], release["manifest"], contents)
        return outcome, release

    def test_a_release_that_works_reaches_every_node_in_the_order_of_the_line(self):
        fleet = self.fleet
        outcome, release = self.publish("1.1")
        self.assertEqual(release["progress"]["states"], {"active": NODES})
        self.assertEqual(release["progress"]["rollout"]["stage"], 3)
        by_time = sorted(fleet.nodes, key=lambda node: time_of(node.daemon.wait_for(r"app 1\.1: active")))
        line = self.line("1.1")
        for share in (5, 25):
            members = -(-share * NODES // 100)
            self.assertEqual({node.name for node in by_time[:members]}, {node.name for node in line[:members]})
        for stage in (1, 2, 3):
            fleet.broker.wait_for(rf"rollout of app 1\.1: stage {stage} of 3")
        fleet.checker.check_converged()

    def test_a_release_that_fails_on_the_first_nodes_reaches_no_others(self):
        line = self.line("1.1")
        outcome, release = self.publish("1.1", broken=line[:1], status=1)
        self.check_halted(outcome, release, [line[0]], [])

    def test_a_release_that_fails_on_three_percent_of_the_nodes_halts_and_these_go_back(self):
        """They stand at the end of the line: it has become live on all the others by then."""
        line = self.line("1.1")
        broken = line[-max(1, 3 * NODES // 100):]
        outcome, release = self.publish("1.1", broken=broken, status=1)
        self.check_halted(outcome, release, broken, [node for node in line if node not in broken], may_lack=True)

    def check_halted(self, outcome, release, broken, live, may_lack=False):
        fleet = self.fleet
        fleet.checker.unhealthy.add(("app", release["seq"]))
        self.assertIn("app 1.1 is paused by rollout: it failed on ", outcome.err)
        self.assertIn("lull resume app", outcome.err)
        self.assertIn("no display", outcome.err)
        for node in broken:
            if may_lack and node.current() == (1, "1.0") and node.daemon.count(r"app 1\.1: on trial") == 0:
                continue  # the rollout had halted before its turn came
            node.daemon.wait_for(r"app 1\.1: rolled back: 1\.0 is live again")
            self.assertEqual(node.current(), (1, "1.0"))
        rows = fleet.ledger()
        on_new = [node.name for node in fleet.nodes if rows[node.name]["active"] == "1.1"]
        self.assertLessEqual(set(on_new), {node.name for node in live})
        self.assertEqual(release["progress"]["states"].get("active", 0), len(on_new))
        failed = [name for name, row in rows.items() if row["state"] == "rolled back"]
        self.assertLessEqual(set(failed), {node.name for node in broken})
        self.assertTrue(failed)
        fleet.checker.check_running()

    def test_a_rollout_that_halted_goes_on_when_an_operator_accepts_what_failed(self):
        fleet = self.fleet
        line = self.line("1.1")
        _, release = self.publish("1.1", broken=line[:1], status=1)
        fleet.checker.unhealthy.add(("app", release["seq"]))
        fleet.broker.kill()
        fleet.start_broker()
        fleet.lull("resume", "app")
        fleet.lull("progress", "app", "--wait", f"active:{100 - 100 // NODES}%", "--within", "5min", timeout=600)
        self.assertEqual(line[0].current(), (1, "1.0"))
        fleet.publish_new("1.2", options=("--wait", "active:100%"))
        fleet.checker.check_converged()

    def test_nodes_that_are_off_or_held_do_not_hold_the_others_up(self):
        fleet = self.fleet
        line = self.line("1.1")
        fleet.node("hold", "app", "--root", line[1].root)
        outcome, release = self.publish("1.1", wait=f"active:{100 - 100 // NODES}%")
        self.assertEqual(release["progress"]["states"], {"active": NODES - 1, "held": 1})
        fleet.node("unhold", "app", "--root", line[1].root)
        line[1].wait_active("1.1")
        fleet.checker.check_converged()


if __name__ == "__main__":
    main()
