"""lull-node is itself a software of the nodes: it replaces itself, and a release that does not work replaces nothing.
 LULL_SELF_NODES says how many nodes (20 for the full show)."""

import os
import shutil
import subprocess
import time

import trees
from fleet import NODE, FleetTest, main
from kills import LARGE, KillTest, shares
from waiting import wait_until

NODES = int(os.environ.get("LULL_SELF_NODES", "3"))
EXITS = "#!/bin/sh\necho cannot find libwidget.so\nexit 3\n"
HANGS = "#!/bin/sh\nexec sleep 1000\n"


def make_tree(fleet, version, script=None):
    """A release of lull-node: the program of this build, or a script in its place."""
    tree = f"{fleet.directory}/source-agent"
    shutil.rmtree(tree, ignore_errors=True)
    program = f"{fleet.directory}/lull-node.stripped"
    if not os.path.exists(program):
        subprocess.run(["strip", "-o", program, NODE], check=True)
    if script:
        trees.write(f"{tree}/bin/lull-node", script.encode(), 0o755)
    else:
        os.makedirs(f"{tree}/bin")
        shutil.copy(program, f"{tree}/bin/lull-node")
    trees.write(f"{tree}/version", version.encode())
    return tree


def publish(fleet, version, script=None, software="agent", options=()):
    return fleet.publish(make_tree(fleet, version, script), version, "--start", "bin/lull-node", *options,
                         software=software)


def restart(node, way, *options, software="agent"):
    """Ends the daemon, and starts the one of the release that is current."""
    node.stop()
    arguments = ["daemon", "--root", node.root, *options]
    if way == "direct":
        command = [f"{node.root}/{software}/current/bin/lull-node", *arguments]
    else:
        command = [NODE, "run", software, "--root", node.root, "--supervise", "--", *arguments]
    node.daemon = node.fleet.start(node.name, command)
    node.daemon.wait_for("announcements: connected")


def daemon_of(node, way):
    """The pid of the daemon itself."""
    if way == "direct":
        return node.daemon.pid
    with open(f"/proc/{node.daemon.pid}/task/{node.daemon.pid}/children", encoding="utf-8") as children:
        (pid,) = children.read().split()
    return int(pid)


def runs(pid, node, version, software="agent"):
    """Whether the process runs the program of this release."""
    program = os.readlink(f"/proc/{pid}/exe")
    directory = program.removeprefix(f"{os.path.realpath(node.root)}/{software}/versions/").split("/")[0]
    return program.endswith("/bin/lull-node") and directory.endswith(f"-{version}")


def wait_in_order(daemon, patterns, mark, timeout=120):
    for pattern in patterns:
        line = daemon.wait_for(pattern, timeout, after=mark)
        mark = daemon.lines.index(line, mark) + 1


class SelfUpdate(FleetTest):
    def setUp(self):
        super().setUp()
        fleet = self.fleet
        publish(fleet, "1.0")
        fleet.publish_new("1", software="app", files=3)
        self.ways, self.users = {}, []
        for i in range(NODES):
            node = fleet.add_node(f"node-{i + 1}").start()
            node.wait_active("1.0", "agent")
            node.wait_active("1", "app")
            self.ways[node] = "direct" if i % 2 else "supervise"
            restart(node, self.ways[node])
            # Somebody uses the node.
            user = subprocess.Popen([NODE, "run", "app", "--root", node.root], env=fleet.environment,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.users.append(user)
            fleet.at_end.append(lambda user=user: (user.kill(), user.communicate()))
        self.pids = {node: daemon_of(node, way) for node, way in self.ways.items()}
        self.check_all_run("1.0")

    def check_all_run(self, version):
        for node, way in self.ways.items():
            self.assertTrue(node.daemon.running(), node.daemon.tail())
            self.assertEqual(daemon_of(node, way), self.pids[node], "the daemon is the same process")
            self.assertTrue(runs(self.pids[node], node, version), os.readlink(f"/proc/{self.pids[node]}/exe"))

    def update(self, version):
        """Publishes a release that works: every daemon becomes it, and connects."""
        marks = {node: node.daemon.mark() for node in self.ways}
        begin = time.monotonic()
        publish(self.fleet, version, options=("--policy", "restart", "--grace", "2s") if version == "1.4" else ())
        for node, mark in marks.items():
            wait_in_order(node.daemon, (f"agent {version}: active", f"hands over to lull-node of agent {version}",
                                        "node .*: .* software known", "announcements: connected"), mark)
        print(f"{version} on {NODES} nodes after {time.monotonic() - begin:.1f} s", flush=True)
        self.check_all_run(version)
        self.fleet.wait_ledger(lambda row: (row["state"], row["active"]) == ("active", version), f"{version} active",
                               software="agent")

    def break_with(self, version, script, reason):
        """Publishes a release that does not work: it is reported, and replaces nothing."""
        begin = time.monotonic()
        publish(self.fleet, version, script)
        rows = self.fleet.wait_ledger(lambda row: row["state"] == "failed", f"{version} failed", 150, software="agent")
        print(f"{version} failed on {NODES} nodes after {time.monotonic() - begin:.1f} s", flush=True)
        for row in rows.values():
            self.assertIn("the new lull-node does not work here: bin/lull-node", row["why"])
            self.assertRegex(row["why"], reason)
            self.assertEqual(row["active"], "1.1")
        self.check_all_run("1.1")
        for node in self.ways:
            self.assertEqual(node.current("agent")[1], "1.1")

    def test_daemons_replace_themselves_and_what_does_not_work_replaces_nothing(self):
        fleet = self.fleet
        self.update("1.1")
        self.break_with("1.2", EXITS, "status 3 .*libwidget")
        self.break_with("1.3", HANGS, "took longer than")
        fleet.publish_new("1", software="tool", files=3)
        for node in self.ways:
            node.wait_active("1", "tool")
        self.update("1.4")
        fleet.publish_new("2", software="tool", files=3)
        for node in self.ways:
            node.wait_active("2", "tool")
        self.check_all_run("1.4")
        for user in self.users:
            self.assertIsNone(user.poll(), "no user was disturbed")

    def test_the_daemon_ends_on_sigterm_after_it_has_handed_over(self):
        self.update("1.1")
        for node in self.ways:
            node.stop()


class HandOverWhileFetching(KillTest):
    def test_what_was_fetched_when_the_daemon_hands_over_is_not_fetched_again(self):
        fleet, node = self.fleet, self.node
        publish(fleet, "1.0")
        node.wait_active("1.0", "agent")
        restart(node, "direct")
        pid = node.daemon.pid
        for i, share in enumerate(shares()):
            with self.subTest(hand_over=i + 1, share=share):
                mark, version = node.daemon.mark(), f"1.{i + 1}"
                fleet.node("hold", "agent", "--root", node.root)
                publish(fleet, version)
                node.daemon.wait_for(f"agent {version}: held", after=mark)
                found = {}

                # The tap passes nothing on meanwhile, so it happens in the middle of the transfer.
                def hand_over(version=version, mark=mark, found=found):
                    fleet.node("unhold", "agent", "--root", node.root)
                    wait_in_order(node.daemon, (f"hands over to lull-node of agent {version}", "software known"), mark)
                    found["durable"], found["before"] = self.durable(), self.tap.fetched()

                done = self.at_byte(share, hand_over)
                published = self.publish_in_background(f"{i + 1}")
                self.assertTrue(done.wait(120), "the transfer did not come so far")
                published()
                node.wait_active(f"{i + 1}", after=mark)
                self.assertTrue(runs(pid, node, version))
                self.assertGreater(found["durable"], share * LARGE / 4, "much was here already")
                self.check_fetched(found["before"], found["durable"])


class Hooks(FleetTest):
    nodes = 1

    def test_the_daemon_waits_neither_for_its_own_children_nor_cuts_a_hook_short(self):
        fleet, (node,) = self.fleet, self.fleet.nodes
        publish(fleet, "1.0")
        node.wait_active("1.0", "agent")
        restart(node, "supervise", "--allow-all-hooks")
        pid = daemon_of(node, "supervise")
        ready = f"{fleet.directory}/ready"
        tree = trees.make(f"{fleet.directory}/source-tool", "1", files=1)
        trees.write(f"{tree}/bin/prepare", f"#!/bin/sh\nuntil [ -e {ready} ]; do sleep 0.1; done\n".encode(), 0o755)
        mark = node.daemon.mark()
        fleet.publish(tree, "1", "--before-switch", "bin/prepare", "--hook-time", "120", software="tool")
        node.daemon.wait_for("tool 1: switching", after=mark)
        publish(fleet, "1.1")
        node.wait_active("1.1", "agent", after=mark)
        self.assertIsNone(node.daemon.find("agent 1.1: waiting", after=mark), "its own child is no user of it")
        fleet.publish_new("1", software="app", files=1)
        node.wait_active("1", "app")
        self.assertIsNone(node.daemon.find("hands over", after=mark), "the hook still runs")
        trees.write(ready, b"")
        wait_in_order(node.daemon, ("tool 1: active", "hands over", "announcements: connected"), mark)
        self.assertTrue(runs(pid, node, "1.1"))
        self.assertEqual(node.daemon.count("hands over", after=mark), 1)


class Starter(FleetTest):
    nodes = 1

    def starts(self):
        """Starts the program of the package."""
        node = self.fleet.nodes[0]
        node.daemon = self.fleet.start(node.name, [NODE, "daemon", "--root", node.root])
        return node.daemon

    def test_the_program_of_the_package_starts_the_newer_release_unless_that_one_never_connects(self):
        fleet, (node,) = self.fleet, self.fleet.nodes
        publish(fleet, "0.0.1", software="lull-node")  # older than the package
        node.wait_active("0.0.1", "lull-node")
        node.stop()
        daemon = self.starts()
        daemon.wait_for("announcements: connected")
        self.assertEqual(os.readlink(f"/proc/{daemon.pid}/exe"), os.path.realpath(NODE))
        publish(fleet, "1.0", software="lull-node")
        node.wait_active("1.0", "lull-node")
        node.stop()

        daemon = self.starts()
        daemon.wait_for("starts lull-node 1.0")
        daemon.wait_for("announcements: connected")
        self.assertTrue(runs(daemon.pid, node, "1.0", "lull-node"))
        mark = daemon.mark()
        publish(fleet, "1.1", software="lull-node")  # from here on it replaces itself
        wait_in_order(daemon, ("hands over to lull-node of lull-node 1.1", "announcements: connected"), mark)
        self.assertTrue(runs(daemon.pid, node, "1.1", "lull-node"))
        node.stop()

        # A release that worked when it was checked, and does no longer.
        program = f"{node.root}/lull-node/current/bin/lull-node"
        os.remove(program)
        trees.write(program, EXITS.encode(), 0o755)
        for _ in range(3):
            daemon = self.starts()
            self.assertEqual(daemon.wait(), 3, daemon.tail())
        daemon = self.starts()
        daemon.wait_for(r"lull-node 1\.1 was started 3 times and never reached the broker")
        daemon.wait_for("announcements: connected")
        self.assertEqual(os.readlink(f"/proc/{daemon.pid}/exe"), os.path.realpath(NODE))
        wait_until(lambda: not os.path.exists(f"{node.root}/.lull/starts"), 30, "the count is removed")


class Check(FleetTest):
    nodes = 1

    def check(self, *options, **how):
        return self.fleet.node("daemon", "--root", self.fleet.nodes[0].root, "--check", *options, **how)

    def test_the_check_ends_well_beside_the_daemon_and_says_what_is_missing(self):
        fleet, (node,) = self.fleet, self.fleet.nodes
        self.assertIn("works here", self.check().err)
        self.expect(self.check("--policy", "never", status=2), "--policy")
        fleet.broker.stop()
        self.expect(self.check(status=3), "nothing came from the broker", "is lull-broker running there")
        fleet.start_broker()
        node.daemon.wait_for("announcements: not connected")
        self.check()
        self.expect(fleet.node("daemon", "--root", f"{fleet.directory}/none", "--check", status=1), "is no node yet")


if __name__ == "__main__":
    main()
