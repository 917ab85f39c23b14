"""The unit of the node's daemon takes rights away from root: what is left has to be enough to see a user's program, to
tell him, to end it, and to run health checks as nobody."""

import os
import unittest

from daemon import time_of
from fleet import NODE, NOBODY, REPOSITORY, FleetTest, main
from terminal import Terminal
from waiting import a_second

UNIT = os.path.join(REPOSITORY, "packaging", "systemd", "lull-node.service")

def capabilities():
    with open(UNIT, encoding="utf-8") as file:
        (line,) = [line for line in file if line.startswith("CapabilityBoundingSet=")]
    return [name.removeprefix("CAP_").lower() for name in line.split("=", 1)[1].split()]


@unittest.skipUnless(os.getuid() == 0, "needs root, to have rights to lose")
class UnitFile(FleetTest):
    def test_the_rights_that_the_unit_leaves_are_enough(self):
        fleet = self.fleet
        few = ["setpriv", "--bounding-set", ",".join(["-all", *("+" + name for name in capabilities())]), "--"]
        node = fleet.add_node("node").start(through=few)
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        for path in (f"{node.root}/app", node.root):
            self.assertTrue(os.stat(path).st_mode & 0o005, f"users cannot reach {path}")

        launched = self.terminal_of_user([NODE, "run", "app", "--root", node.root])
        started = self.terminal_of_user([f"{node.root}/app/current/app.bin"])
        fleet.publish_new("1.1")
        node.daemon.wait_for("app 1.1: waiting")
        for terminal in (launched, started):
            terminal.wait_for("lull: app 1.1 is ready")
        (row, ) = fleet.wait_ledger(lambda row: row["state"] == "waiting" and len(row["holders"]) == 2,
                                    "two holders").values()
        self.assertEqual({holder["pid"] for holder in row["holders"]}, {launched.pid, started.pid})
        self.assertEqual({holder["uid"] for holder in row["holders"]}, {NOBODY})
        fleet.checker.check_running()
        started.end()
        ended = launched.end()
        self.assertLess(time_of(node.wait_active("1.1")) - ended, a_second())
        fleet.checker.check_converged()

        user = self.terminal_of_user([NODE, "run", "app", "--root", node.root])
        mark = node.daemon.mark()
        fleet.publish_new("1.2", options=("--policy", "restart", "--grace", "60s", "--health", "bin/check"),
                          check=f"#!/bin/sh\ntest \"$(id -u)\" = {NOBODY}\n")
        node.daemon.wait_for(rf"app: pid {user.pid} .* ended", after=mark)
        user.wait_end()
        node.daemon.wait_for("app 1.2: verifying", after=mark)
        node.wait_active("1.2", after=mark)
        fleet.checker.check_converged()

    def terminal_of_user(self, command):
        terminal = Terminal(self.fleet.as_nobody(*command), self.fleet.environment)
        self.fleet.at_end.append(terminal.close)
        os.chown(terminal.device(), NOBODY, -1)
        terminal.type("hello\n")
        terminal.wait_for("hello\r\nhello")
        return terminal


if __name__ == "__main__":
    main()
