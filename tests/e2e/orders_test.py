"""What operators order the nodes to do: hold, force, pause, resume, withdraw, roll back; and what stays of it when
programs end."""

import json
import os
import signal
import time

from fleet import LULL, FleetTest, NODE, main
from terminal import Terminal


class Orders(FleetTest):
    nodes = 2

    def setUp(self):
        super().setUp()
        self.first, self.second = self.fleet.nodes
        self.fleet.publish_new("1.0")
        for node in self.fleet.nodes:
            node.wait_active("1.0")

    def launch(self, node):
        """Starts the program on a terminal of its own, and waits until it runs."""
        terminal = Terminal([NODE, "run", "app", "--root", node.root], self.fleet.environment)
        self.fleet.at_end.append(terminal.close)
        terminal.type("hello\n")
        terminal.wait_for("hello\r\nhello")
        return terminal

    def orders(self):
        return json.loads(self.fleet.ask("orders"))["orders"]

    # ---- hold ----

    def test_a_hold_on_one_node_keeps_it_there_only_also_over_the_end_of_both_programs(self):
        fleet, held, free = self.fleet, self.first, self.second
        out = fleet.lull("hold", "app", "--node", held.name, "--why", "inventory").out
        self.assertRegex(out, rf"{held.name}: hold app, by operator; inventory")
        fleet.publish_new("1.1")
        held.daemon.wait_for(r"app 1\.1: held: held by operator operator since .*: inventory")
        free.wait_active("1.1")
        row = fleet.wait_ledger(lambda row: row["state"] in ("held", "active"), "held, and active")[held.name]
        self.assertEqual(row["state"], "held")
        self.assertIn("inventory", row["why"])
        fleet.broker.kill()
        held.daemon.kill()
        fleet.start_broker()
        held.start()
        self.assertEqual([(row["order"], row["node"]) for row in self.orders()], [("hold", held.name)])
        time.sleep(0.5)
        self.assertEqual(held.current(), (1, "1.0"))
        mark = held.daemon.mark()
        fleet.lull("unhold", "app", "--node", held.name)
        held.wait_active("1.1", after=mark)
        self.assertEqual(self.orders(), [])
        fleet.checker.check_converged()

    def test_a_hold_on_all_nodes_ends_by_itself(self):
        fleet = self.fleet
        fleet.lull("hold", "--all", "--for", "3s")
        begun = time.monotonic()
        fleet.publish_new("1.1")
        for node in fleet.nodes:
            node.daemon.wait_for(r"app 1\.1: held: held by operator operator")
            node.wait_active("1.1")
        self.assertGreater(time.monotonic() - begun, 1)
        fleet.checker.check_converged()

    def test_what_a_node_missed_while_it_was_off_it_hears_when_it_returns(self):
        fleet, off = self.fleet, self.first
        off.stop()
        fleet.lull("hold", "app", "--why", "of all")
        fleet.lull("hold", "app", "--node", off.name, "--why", "of one")
        fleet.publish_new("1.1")
        off.start()
        off.daemon.wait_for(r"app 1\.1: held: .*: of one")
        mark = off.daemon.mark()
        fleet.lull("unhold", "app", "--node", off.name)
        off.daemon.wait_for(r"app 1\.1: held: .*: of all", after=mark)
        fleet.lull("unhold", "app")
        off.wait_active("1.1")
        fleet.checker.check_converged()

    # ---- force ----

    def test_force_gets_past_a_hold_of_the_node_itself_and_past_users_who_keep_their_files(self):
        fleet, node = self.fleet, self.first
        terminal = self.launch(node)
        fleet.node("hold", "app", "--root", node.root)
        fleet.publish_new("1.1")
        node.daemon.wait_for(r"app 1\.1: held")
        fleet.lull("nodes", "force", "app", node.name)
        node.wait_active("1.1")
        terminal.type("still there\n")
        terminal.wait_for("still there\r\nstill there")
        terminal.end()
        self.assertEqual(terminal.status, 0)
        mark = node.daemon.mark()
        fleet.publish_new("1.2")  # the order was about 1.1
        node.daemon.wait_for(r"app 1\.2: held", after=mark)
        fleet.node("unhold", "app", "--root", node.root)
        node.wait_active("1.2")
        fleet.checker.check_converged()

    def test_force_with_restart_ends_users(self):
        fleet, node = self.fleet, self.first
        terminal = self.launch(node)
        fleet.publish_new("1.1", options=("--grace", "1s"))
        node.daemon.wait_for(r"app 1\.1: waiting")
        fleet.lull("nodes", "force", "app", "--all", "--restart")
        node.wait_active("1.1")
        node.daemon.wait_for(r"app: pid \d+ .* ended")
        fleet.checker.check_converged()

    # ---- pause, resume, withdraw ----

    def test_a_paused_release_goes_on_when_it_is_resumed(self):
        fleet, node = self.fleet, self.first
        terminal = self.launch(node)
        fleet.publish_new("1.1")
        node.daemon.wait_for(r"app 1\.1: waiting")
        self.second.wait_active("1.1")
        fleet.lull("pause", "app", "--why", "calls from shops")
        node.daemon.wait_for(r"app 1\.1: held: paused by operator: calls from shops")
        terminal.end()
        self.assertRegex(fleet.lull("list", "app").out, r"1\.1 .*paused by operator: calls from shops")
        failed = fleet.lull("progress", "app", "--wait", "active:100%", status=1)
        self.expect(failed, "app 1.1 is paused by operator: calls from shops", "lull resume app")
        self.assertEqual(node.current(), (1, "1.0"))
        fleet.lull("resume", "app")
        node.wait_active("1.1")
        fleet.checker.check_converged()
        self.expect(fleet.lull("resume", "app", status=4), "there is no pause of app")

    def test_a_release_that_is_withdrawn_goes_nowhere_any_more(self):
        fleet, node = self.fleet, self.first
        node.stop()
        fleet.publish_new("1.1")
        self.second.wait_active("1.1")
        fleet.lull("withdraw", "app", "--why", "wrong prices")
        node.start()
        node.daemon.wait_for(r"app 1\.1: held: withdrawn by operator: wrong prices")
        self.expect(fleet.lull("nodes", "force", "app", node.name, status=4), "is withdrawn")
        fleet.publish_new("1.2")
        for other in fleet.nodes:
            other.wait_active("1.2")
        fleet.checker.check_converged()

    # ---- roll back ----

    def test_rolling_back_brings_the_older_contents_under_a_new_number_without_fetching_them(self):
        fleet = self.fleet
        fleet.publish_new("1.1", large=3_000_000)
        for node in fleet.nodes:
            node.wait_active("1.1")
        marks = {node: node.daemon.mark() for node in fleet.nodes}
        done = json.loads(fleet.lull("rollback", "app", "--wait", "active:100%", "--within", "60s", "--json").out)
        self.assertEqual((done["version"], done["contents_of"]), ("1.0+back-2", "1.0"))
        self.assertEqual(done["progress"]["states"], {"active": 2})
        version, manifest, contents = fleet.checker.releases["app"][1]
        fleet.checker.published("app", "1.0+back-2", done["seq"], manifest, contents)
        for node, mark in marks.items():
            node.wait_active("1.0+back-2", after=mark)
            node.daemon.wait_for(r"app 1\.0\+back-2: 0 objects to fetch", after=mark)
            self.assertEqual(node.current(), (3, "1.0+back-2"))
        fleet.checker.check_converged()
        again = json.loads(fleet.lull("rollback", "app", "--to", "1.1", "--json").out)
        self.assertEqual(again["version"], "1.1+back-3")
        _, manifest, contents = fleet.checker.releases["app"][2]
        fleet.checker.published("app", "1.1+back-3", again["seq"], manifest, contents)
        for node in fleet.nodes:
            node.wait_active("1.1+back-3")
        fleet.checker.check_converged()

    def test_there_has_to_be_something_to_go_back_to(self):
        fleet = self.fleet
        self.expect(fleet.lull("rollback", "app", status=4), "has no release before app 1.0")
        self.expect(fleet.lull("rollback", "app", "--to", "0.9", status=4), "does not have app 0.9", "lull list app")
        self.expect(fleet.lull("rollback", "app", "--to", "1.0", status=4), "already has the contents")
        self.expect(fleet.lull("rollback", "other", status=4), "no software named 'other'")

    def test_an_option_for_groups_is_refused_and_no_version_is_used_up(self):
        fleet = self.fleet
        fleet.publish_new("1.1", options=("--wait", "active:100%"))
        self.expect(fleet.lull("rollback", "app", "--group", "tills", status=2), "--group")
        fleet.lull("publish", "/usr/bin/env", "--name", "app", "--version", "1.2", "--group", "tills", status=2)
        fleet.publish_new("1.2", options=("--wait", "active:100%"))

    # ---- what goes wrong ----

    def test_a_broker_that_says_nothing_is_not_waited_for_for_ever(self):
        os.kill(self.fleet.broker.pid, signal.SIGSTOP)
        self.expect(self.fleet.lull("progress", "app", status=3, timeout=60), "lull: ")

    def show(self, *release):
        return json.loads(self.fleet.lull("show", *release, "--json").out)

    def test_a_rollback_keeps_the_options_of_the_release_that_it_returns_to(self):
        options = ("--policy", "restart", "--grace", "7s", "--health", "bin/app --version", "--urgency", "urgent")
        self.fleet.publish_new("1.1", options=options)
        self.fleet.publish_new("1.2", options=("--policy", "now"))
        self.fleet.lull("rollback", "app", "--urgency", "background")
        before, back = self.show("app", "1.1"), self.show("app")
        self.assertEqual(before["version"], "1.1")
        self.assertEqual(before["activation"]["health"]["program"], "bin/app")
        self.assertEqual(back["version"], "1.1+back-3")
        self.assertEqual((before["urgency"], back["urgency"]), ("urgent", "background"))
        for key in ("policy", "activation", "builds", "callable", "signed_by"):
            self.assertEqual(back[key], before[key], key)
        self.assertIn("restart, 7 s between SIGTERM and SIGKILL", self.fleet.lull("show", "app", "1.1").out)
        self.expect(self.fleet.lull("show", "app", "9", status=1), "has no app 9")
        self.expect(self.fleet.lull("show", "other", status=1), "has no release of other")

    def test_a_version_that_was_published_before_keeps_its_options(self):
        tree = f"{self.fleet.directory}/source-app"
        again = ("publish", tree, "--name", "app", "--version", "1.0", "--start", "bin/app")
        self.assertIn("was published before, with these contents", self.fleet.lull(*again).out)
        outcome = self.fleet.lull(*again, "--policy", "now", "--rollout", "1%,100%", status=4)
        self.expect(outcome, "app 1.0 was published before with other options (policy, rollout)", "new version",
                    "lull show app 1.0")
        self.assertEqual(self.show("app")["policy"], "wait")

    # ---- what is refused ----

    def test_orders_that_make_no_sense_are_refused_with_what_to_do(self):
        fleet = self.fleet
        self.expect(fleet.lull("hold", status=2), "--all")
        self.expect(fleet.lull("hold", "app", "--all", status=2), "--all")
        self.expect(fleet.lull("hold", "app", "--for", "soon", status=2), "--for")
        self.expect(fleet.lull("hold", "app", "--why", "x" * 300, status=2), "the limit is 256")
        self.expect(fleet.lull("hold", "other", status=4), "no software named 'other'")
        self.expect(fleet.lull("hold", "app", "--node", "nobody", status=4), "no node named 'nobody'")
        self.expect(fleet.lull("unhold", "app", status=4), "there is no hold of app")
        self.expect(fleet.lull("nodes", "force", "app", status=2), "--all")
        self.expect(fleet.lull("progress", "app", "--wait", "soon", status=2), "active:95%")
        self.expect(fleet.lull("progress", "app", "2.0", status=4), "there is no app 2.0 here")
        self.expect(fleet.lull("progress", "app", "--within", "1s", status=2), "--wait")
        self.assertEqual(self.orders(), [])
        self.assertEqual(fleet.lull("orders").out, "no order is in force\n")


if __name__ == "__main__":
    main()
