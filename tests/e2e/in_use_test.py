"""A release in use is not replaced: notice, waiting, activation when the last holder ends."""

import os

from daemon import time_of
from fleet import LULL, FleetTest, NODE, main
from terminal import Terminal
from waiting import a_second


class InUse(FleetTest):
    nodes = 2

    def setUp(self):
        super().setUp()
        self.node, self.other = self.fleet.nodes
        self.fleet.publish_new("1.0")
        self.fleet.checker.check_converged()

    def launch(self):
        """Starts the program on a terminal of its own, and waits until it runs."""
        terminal = Terminal([NODE, "run", "app", "--root", self.node.root], self.fleet.environment)
        self.fleet.at_end.append(terminal.close)
        terminal.type("hello\n")
        terminal.wait_for("hello\r\nhello")  # as typed, and as the program wrote it
        self.fleet.checker.holding(terminal.pid)
        return terminal

    def test_the_user_is_told_and_the_release_becomes_active_when_the_program_ends(self):
        fleet, node = self.fleet, self.node
        terminal = self.launch()
        mark = node.daemon.mark()
        fleet.publish_new("1.1")
        node.daemon.wait_for("app 1.1: waiting", after=mark)
        self.other.wait_active("1.1")

        terminal.wait_for("lull: app 1.1 is ready, but .* still runs version 1.0")
        rows = fleet.wait_ledger(
            lambda row: row["state"] in ("waiting", "active") and all("told" in h for h in row["holders"]),
            "waiting at one node, active at the other")
        waiting = rows[node.name]
        self.assertEqual(waiting["state"], "waiting")
        self.assertEqual(waiting["active"], "1.0")
        (holder,) = waiting["holders"]
        self.assertEqual((holder["pid"], holder["uid"]), (terminal.pid, os.getuid()))
        self.assertTrue(holder["user"])
        self.assertIn("app", holder["command"])
        self.assertEqual(rows[self.other.name]["state"], "active")
        self.assertRegex(fleet.lull("status").out, rf"app +1\.1 +{node.name} +waiting .*held by pid {terminal.pid}")
        self.assertRegex(fleet.node("status", "--root", node.root).out, rf"waiting .*pid {terminal.pid}")
        fleet.checker.check_running()
        self.assertEqual(node.current(), (1, "1.0"))

        fleet.checker.ended(terminal.pid)
        ended = terminal.end()
        active = time_of(node.wait_active("1.1", after=mark))
        self.assertEqual(terminal.status, 0)
        self.assertLess(active - ended, a_second(), "activation within a second of the end")
        print(f"activation {1000 * (active - ended):.0f} ms after the end of the program", flush=True)
        fleet.checker.check_converged()

    def test_the_last_of_several_users_counts(self):
        fleet, node = self.fleet, self.node
        terminals = [self.launch(), self.launch()]
        mark = node.daemon.mark()
        fleet.publish_new("1.1")
        node.daemon.wait_for("app 1.1: waiting", after=mark)
        for terminal in terminals:
            terminal.wait_for("lull: app 1.1 is ready")
        fleet.checker.ended(terminals[0].pid)
        terminals[0].end()
        rows = fleet.wait_ledger(
            lambda row: row["state"] == "active" or [h["pid"] for h in row["holders"]] == [terminals[1].pid],
            "one holder is left")
        self.assertEqual(rows[node.name]["state"], "waiting")
        fleet.checker.check_running()
        self.assertEqual(node.current(), (1, "1.0"))
        fleet.checker.ended(terminals[1].pid)
        ended = terminals[1].end()
        self.assertLess(time_of(node.wait_active("1.1", after=mark)) - ended, a_second())
        self.assertEqual(terminals[1].shown.count("is ready, but"), 1, "nobody is told twice")
        fleet.checker.check_converged()

    def test_a_release_that_does_not_wait_is_switched_to_and_its_users_keep_their_files(self):
        fleet, node = self.fleet, self.node
        terminal = self.launch()
        mark = node.daemon.mark()
        fleet.publish_new("1.1", options=("--policy", "now"))
        node.wait_active("1.1", after=mark)
        self.assertIsNone(node.daemon.find("app 1.1: waiting"))
        self.assertEqual(node.current(), (2, "1.1"))
        terminal.type("still here\n")
        terminal.wait_for("still here\r\nstill here")
        self.assertNotIn("is ready", terminal.shown)
        self.assertEqual(node.versions(), ["1-1.0", "2-1.1"])
        fleet.checker.check_holders()
        fleet.checker.ended(terminal.pid)
        terminal.end()
        fleet.checker.check_converged()

    def test_a_program_that_was_not_started_by_us_is_seen_too(self):
        fleet, node = self.fleet, self.node
        terminal = Terminal([f"{node.root}/app/current/app.bin"], fleet.environment)
        fleet.at_end.append(terminal.close)
        terminal.type("hello\n")
        terminal.wait_for("hello\r\nhello")
        fleet.checker.holding(terminal.pid)
        mark = node.daemon.mark()
        fleet.publish_new("1.1")
        node.daemon.wait_for("app 1.1: waiting", after=mark)
        terminal.wait_for("lull: app 1.1 is ready")
        fleet.checker.check_running()
        fleet.checker.ended(terminal.pid)
        ended = terminal.end()
        self.assertLess(time_of(node.wait_active("1.1", after=mark)) - ended, a_second())
        fleet.checker.check_converged()

    def test_a_newer_release_takes_the_place_of_the_one_that_waits(self):
        fleet, node = self.fleet, self.node
        terminal = self.launch()
        mark = node.daemon.mark()
        fleet.publish_new("1.1")
        node.daemon.wait_for("app 1.1: waiting", after=mark)
        fleet.publish_new("1.2")
        node.daemon.wait_for("app 1.2: waiting", after=mark)
        fleet.checker.check_running()
        fleet.checker.ended(terminal.pid)
        terminal.end()
        node.wait_active("1.2", after=mark)
        self.assertIsNone(node.daemon.find("app 1.1: active", after=mark))
        fleet.checker.check_converged()

    def test_waiting_goes_on_after_the_daemon_was_killed(self):
        fleet, node = self.fleet, self.node
        terminal = self.launch()
        fleet.publish_new("1.1")
        node.daemon.wait_for("app 1.1: waiting")
        terminal.wait_for("lull: app 1.1 is ready")
        node.daemon.kill()
        node.start()
        fleet.wait_ledger(lambda row: row["state"] in ("waiting", "active"), "waiting still")
        fleet.checker.check_running()
        self.assertEqual(node.current(), (1, "1.0"))
        fleet.checker.ended(terminal.pid)
        ended = terminal.end()
        self.assertLess(time_of(node.wait_active("1.1")) - ended, a_second())
        fleet.checker.check_converged()

    def test_a_program_that_ended_while_the_daemon_was_off_holds_nothing(self):
        fleet, node = self.fleet, self.node
        terminal = self.launch()
        fleet.publish_new("1.1")
        node.daemon.wait_for("app 1.1: waiting")
        node.stop()
        fleet.checker.ended(terminal.pid)
        terminal.end()
        node.start()
        node.wait_active("1.1")
        fleet.checker.check_converged()


if __name__ == "__main__":
    main()
