"""From a staged release to one that is live and works, or back: holds, time windows, users that are ended, health
checks."""

import os
import time

import trees
from fleet import LULL, FleetTest, NODE, main
from terminal import Terminal
from waiting import wait_until

FAILS = "#!/bin/sh\necho looking\necho no display >&2\nexit 3\n"
WORKS = "#!/bin/sh\ntest \"$LULL_VERSION\" = 1.2 && test \"$1\" = quickly && test -f \"$LULL_ROOT_DIR/version\"\n"


class Activation(FleetTest):
    nodes = 1

    def setUp(self):
        super().setUp()
        self.node, = self.fleet.nodes
        self.fleet.publish_new("1.0")
        self.node.wait_active("1.0")

    def hold(self, *arguments):
        return self.fleet.node("hold", *arguments, "--root", self.node.root)

    def launch(self, *options, before=()):
        """Starts the program on a terminal of its own, and waits until it runs."""
        terminal = Terminal([*before, NODE, "run", "app", "--root", self.node.root, *options], self.fleet.environment)
        self.fleet.at_end.append(terminal.close)
        terminal.type("hello\n")
        terminal.wait_for("hello\r\nhello")
        return terminal

    def users_of(self, version):
        """The processes that run the program of this version."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/exe").endswith(f"-{version}/app.bin") and self.node.root in os.readlink(
                        f"/proc/{pid}/exe"):
                    found.append(int(pid))
            except OSError:
                pass
        return found

    # ---- hooks ----

    HOOK = "#!/bin/sh\necho $1 $LULL_VERSION $(id -u) $(pwd) >> {log}\nexit {status}\n"

    def publish_with_hooks(self, version, before=0, after=0):
        """A release whose bin/before and bin/after write down that they ran, and end with these. Returns the file that
        they write to."""
        log = f"{self.fleet.directory}/hooks-{version}"
        with open(log, "w", encoding="utf-8"):
            os.chmod(log, 0o666)
        tree = trees.make(f"{self.fleet.directory}/source-app", version)
        for name, status in (("before", before), ("after", after)):
            trees.write(f"{tree}/bin/{name}", self.HOOK.format(log=log, status=status).encode(), 0o755)
        self.fleet.publish(tree, version, "--start", "bin/app", "--before-switch", "bin/before first",
                           "--before-switch", "bin/before second", "--after-switch", "bin/after third")
        return log

    def test_hooks_run_only_where_the_owner_allows_them(self):
        log = self.publish_with_hooks("1.1", before=1)
        self.node.daemon.wait_for("app: its hooks do not run, because the owner of this node does not allow them")
        self.node.wait_active("1.1")
        self.assertEqual(trees.read(log), b"")
        self.fleet.checker.check_converged()

    def test_hooks_run_before_and_after_the_switch_as_somebody_without_rights(self):
        node = self.node
        node.stop()
        node.start("--allow-hooks", "app")
        log = self.publish_with_hooks("1.1")
        node.wait_active("1.1")
        user = 65534 if os.geteuid() == 0 else os.geteuid()
        tree = f"{node.root}/app/versions/2-1.1"
        self.assertEqual(
            trees.read(log).decode().splitlines(),
            [f"{word} 1.1 {user} {tree}" for word in ("first", "second", "third")])
        self.fleet.checker.check_converged()

    def test_a_hook_that_fails_before_the_switch_keeps_the_release_back(self):
        node = self.node
        node.stop()
        node.start("--allow-all-hooks")
        log = self.publish_with_hooks("1.1", before=3)
        row = self.fleet.wait_ledger(lambda row: row["state"] == "failed", "failed")[node.name]
        self.assertIn("hook bin/before (before the switch) ended with status 3", row["why"])
        self.assertEqual(node.current(), (1, "1.0"))
        self.assertIn(b"first 1.1", trees.read(log))
        self.assertNotIn(b"second", trees.read(log))
        terminal = self.launch()  # nothing keeps a launch waiting
        terminal.end()
        self.publish_with_hooks("1.2")
        node.wait_active("1.2")
        self.fleet.checker.check_converged()

    def test_a_hook_that_fails_after_the_switch_leads_back(self):
        node = self.node
        node.stop()
        node.start("--allow-all-hooks")
        self.publish_with_hooks("1.1", after=4)
        self.fleet.checker.unhealthy.add(("app", 2))
        row = self.fleet.wait_ledger(lambda row: row["state"] == "rolled-back", "rolled-back")[node.name]
        self.assertIn("hook bin/after (after the switch) ended with status 4", row["why"])
        self.assertEqual(node.current(), (1, "1.0"))
        self.publish_with_hooks("1.2")
        node.wait_active("1.2")
        self.fleet.checker.check_converged()

    # ---- holds ----

    def test_a_hold_keeps_a_release_back_until_it_is_taken_back_also_over_the_daemons_end(self):
        fleet, node = self.fleet, self.node
        self.hold("app", "--why", "inventory")
        fleet.publish_new("1.1")
        node.daemon.wait_for(r"app 1\.1: held: held by .*: inventory")
        row = fleet.wait_ledger(lambda row: row["state"] == "held", "held")[node.name]
        self.assertIn("inventory", row["why"])
        self.assertEqual(row["active"], "1.0")
        self.assertRegex(fleet.lull("status").out, r"app +1\.1 +node-1 +held .*inventory")
        self.assertRegex(fleet.node("status", "--root", node.root).out, r"app .*held .*inventory")
        fleet.checker.check_running()
        node.daemon.kill()
        node.start()
        fleet.wait_ledger(lambda row: row["state"] == "held", "held still")
        self.assertEqual(node.current(), (1, "1.0"))
        mark = node.daemon.mark()
        fleet.node("unhold", "app", "--root", node.root)
        node.wait_active("1.1", after=mark)
        fleet.checker.check_converged()
        refused = fleet.node("unhold", "app", "--root", node.root, status=1)
        self.expect(refused, "was not held")

    def test_a_hold_of_everything_ends_by_itself(self):
        self.hold("--all", "--for", "3s")
        begun = time.monotonic()
        self.fleet.publish_new("1.1")
        self.node.daemon.wait_for("app 1.1: held")
        self.node.wait_active("1.1")
        self.assertGreater(time.monotonic() - begun, 2)
        self.fleet.checker.check_converged()

    def test_a_hold_is_about_one_software_or_all(self):
        for arguments in ((), ("app", "--all"), ("app", "--for", "soon"), ("no name",)):
            self.assertEqual(self.fleet.node("hold", *arguments, "--root", self.node.root, status=2).out, "")

    # ---- time windows ----

    def test_outside_of_its_time_windows_a_release_is_held(self):
        hour = time.gmtime().tm_hour
        later = f"{(hour + 2) % 24:02}:00-{(hour + 3) % 24:02}:00 UTC"
        now = f"{hour:02}:00-{(hour + 2) % 24:02}:00 UTC"
        self.fleet.publish_new("1.1", options=("--activate-at", later))
        self.node.daemon.wait_for(r"app 1\.1: held: outside of its time windows, until ")
        self.assertEqual(self.node.current(), (1, "1.0"))
        self.fleet.publish_new("1.2", options=("--activate-at", f"{later}, {now}"))
        self.node.wait_active("1.2")
        self.fleet.checker.check_converged()

    # ---- restart ----

    def test_a_supervised_program_is_ended_and_starts_again_in_the_new_version(self):
        fleet, node = self.fleet, self.node
        terminal = self.launch("--supervise")
        old, = self.users_of("1.0")
        fleet.publish_new("1.1", options=("--policy", "restart", "--grace", "20s"))
        node.daemon.wait_for(rf"app: pid {old} .* ended")
        node.wait_active("1.1")
        terminal.type("again\n")
        terminal.wait_for("again\r\nagain")
        new, = self.users_of("1.1")
        self.assertNotEqual(old, new)
        self.assertEqual(self.users_of("1.0"), [])
        fleet.checker.check_converged()
        terminal.end()
        self.assertEqual(terminal.status, 0)

    def test_a_program_that_does_not_end_is_killed_after_the_grace(self):
        fleet, node = self.fleet, self.node
        terminal = self.launch(before=("/bin/sh", "-c", "trap '' TERM; exec \"$@\"", "sh"))
        pid, = self.users_of("1.0")
        begun = time.monotonic()
        fleet.publish_new("1.1", options=("--policy", "restart", "--grace", "1s"))
        node.daemon.wait_for(rf"app: pid {pid} .* killed")
        node.wait_active("1.1")
        self.assertGreater(time.monotonic() - begun, 1)
        terminal.wait_end()
        fleet.checker.check_converged()

    def test_a_deadline_ends_the_wait(self):
        fleet, node = self.fleet, self.node
        terminal = self.launch()
        fleet.publish_new("1.1", options=("--deadline", "2s", "--grace", "20s"))
        node.daemon.wait_for("app 1.1: waiting")
        terminal.wait_for("lull: app 1.1 is ready")
        node.wait_active("1.1")
        terminal.wait_end()
        fleet.checker.check_converged()

    # ---- notices ----

    def test_users_are_told_in_the_operators_words_and_by_his_program(self):
        fleet, node = self.fleet, self.node
        words, program, calls = (f"{fleet.directory}/{name}" for name in ("words", "tell", "calls"))
        trees.write(words, b"Please leave {software} {running}, {user}: {ready} is here.\n")
        trees.write(program, f"#!/bin/sh\necho \"$*\" >> {calls}\n".encode(), 0o755)
        node.stop()
        node.start("--notice-text", words, "--notice-program", program, "--notice-syslog")
        terminal = self.launch()
        pid, = self.users_of("1.0")
        fleet.publish_new("1.1")
        terminal.wait_for(r"Please leave app 1\.0, \w+: 1\.1 is here\.")
        wait_until(lambda: os.path.exists(calls) and trees.read(calls).endswith(b"\n"), 30,
                   "the operator's program is called")
        self.assertEqual(trees.read(calls).decode().split()[:5], ["app", "1.1", "1.0", str(pid), str(os.getuid())])
        rows = fleet.wait_ledger(lambda row: all("told" in holder for holder in row["holders"]) and row["holders"],
                                 "told")
        self.assertEqual(rows[node.name]["holders"][0]["pid"], pid)
        terminal.end()
        node.wait_active("1.1")
        self.assertEqual(trees.read(calls).count(b"\n"), 1, "nobody is told twice")

    def test_words_and_programs_that_cannot_be_used_are_refused_at_the_start(self):
        fleet, node = self.fleet, self.node
        node.stop()
        words, program = f"{fleet.directory}/words", f"{fleet.directory}/tell"
        trees.write(words, b"{nobody knows}\n")
        trees.write(program, b"#!/bin/sh\n", 0o777)
        for options, status, what in ((("--notice-text", words), 2,
                                       "--notice-text"), (("--notice-program", "tell"), 2,
                                                          "absolute"), (("--notice-program", program), 4, "chmod go-w"),
                                      (("--policy", "never"), 2, "wait, restart, now"), (("--activate-at", "night"), 2,
                                                                                         "--activate-at")):
            self.expect(fleet.node("daemon", "--root", node.root, *options, status=status), what)
        node.start()

    # ---- health ----

    def test_a_release_that_does_not_work_is_rolled_back_and_the_next_one_is_taken(self):
        fleet, node = self.fleet, self.node
        bad = fleet.publish_new("1.1", options=("--health", "bin/check", "--health-tries", "2"), check=FAILS)
        fleet.checker.unhealthy.add(("app", bad))
        row = fleet.wait_ledger(lambda row: row["state"] == "rolled-back", "rolled-back")[node.name]
        self.assertEqual(row["active"], "1.0")
        self.assertRegex(row["why"],
                         r"1\.0 is active again: health check bin/check ended with status 3 .*no display.*\(2 tries\)")
        self.assertEqual(node.current(), (1, "1.0"))
        self.assertRegex(fleet.lull("status").out, r"app +1\.1 +node-1 +rolled-back")
        fleet.checker.check_running()
        node.daemon.kill()
        node.start()
        self.assertEqual(node.current(), (1, "1.0"))
        mark = node.daemon.mark()
        fleet.publish_new("1.2", options=("--health", "bin/check quickly"), check=WORKS)
        node.daemon.wait_for("app 1.2: verifying", after=mark)
        node.wait_active("1.2", after=mark)
        fleet.checker.check_converged()

    def test_a_health_check_that_hangs_is_ended(self):
        bad = self.fleet.publish_new("1.1",
                                     options=("--health", "bin/check", "--health-tries", "1", "--health-time", "1s"),
                                     check="#!/bin/sh\nsleep 1000 &\nsleep 1000\n")
        self.fleet.checker.unhealthy.add(("app", bad))
        row = self.fleet.wait_ledger(lambda row: row["state"] == "rolled-back", "rolled-back")[self.node.name]
        self.assertIn("1 s", row["why"])
        self.fleet.checker.check_running()

    def test_a_release_that_was_rolled_back_is_tried_again_by_order_and_not_by_itself(self):
        fleet, node = self.fleet, self.node
        display = f"{fleet.directory}/display"
        bad = fleet.publish_new("1.1", options=("--health", "bin/check", "--health-tries", "1"),
                                check=f"#!/bin/sh\n[ -e {display} ]\n")
        fleet.checker.unhealthy.add(("app", bad))
        fleet.wait_ledger(lambda row: row["state"] == "rolled-back", "rolled-back")
        mark = node.daemon.mark()
        self.assertIn("all nodes: retry app 1.1, by operator", fleet.lull("retry", "app").out)
        node.daemon.wait_for("app 1.1: announced: tried again by order of operator", after=mark)
        node.daemon.wait_for("app 1.1: rolled-back", after=mark)
        with open(display, "w", encoding="utf-8"):
            pass
        fleet.checker.unhealthy.remove(("app", bad))
        node.stop()
        node.start()
        self.assertEqual(node.current(), (1, "1.0"))
        fleet.lull("nodes", "force", "app", node.name)
        node.wait_active("1.1")
        fleet.checker.check_converged()
        self.expect(fleet.lull("retry", "other", status=4), "no software named 'other'")

    def test_a_first_release_that_does_not_work_has_failed(self):
        self.fleet.publish_new("1.0",
                               software="other",
                               options=("--health", "bin/check", "--health-tries", "1"),
                               check=FAILS)
        row = self.fleet.wait_ledger(lambda row: row["state"] == "failed", "failed", software="other")[self.node.name]
        self.assertIn("there is no release to go back to", row["why"])

    # ---- what cannot be asked for ----

    def test_bad_rules_are_refused_before_anything_is_published(self):
        tree = f"{self.fleet.directory}/source-app"
        for options, what in ((("--grace", "soon"), "--grace"), (("--deadline", "2 fortnights"), "--deadline"),
                              (("--activate-at", "22:00"), "--activate-at"), (("--activate-at",
                                                                               "22:00-05:00 Mars/Base"), "Mars/Base"),
                              (("--unit", "multi-user.target"), "service"), (("--health", "bin/none"), "bin/none"),
                              (("--health", "../check"), ".."), (("--health", "version"), "executable"),
                              (("--health", "bin/app", "--health-tries", "0"), "tries")):
            refused = self.fleet.run(LULL, "publish", tree, "--name", "app", "--version", "1.1", *options, status=2)
            self.expect(refused, what)
        self.assertEqual(len(self.fleet.releases()), 1)


if __name__ == "__main__":
    main()
