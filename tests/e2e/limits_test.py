"""What the kernel allows a user is used up: the daemon goes on, and says which limit it was."""

import os
import subprocess
import unittest

from fleet import NOBODY, FleetTest, NODE, main
from waiting import wait_until

TAKE_ALL = """
import ctypes, resource, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
libc = ctypes.CDLL(None)
while libc.inotify_init1(0) >= 0:
    pass
print("taken" if libc.dup(0) >= 0 else "descriptors", flush=True)
sys.stdin.read()
"""


@unittest.skipUnless(os.getuid() == 0, "SKIPPED: needs root, to become another user")
class Limits(FleetTest):
    def setUp(self):
        super().setUp()
        self.user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        self.node = self.fleet.add_node("node")
        subprocess.run(["chown", "-R", str(NOBODY), self.node.root], check=True)
        taker = subprocess.Popen([*self.user, "/usr/bin/python3", "-c", TAKE_ALL], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        self.addCleanup(taker.stdout.close)
        self.addCleanup(taker.wait)
        self.addCleanup(taker.stdin.close)
        if taker.stdout.readline() != b"taken\n":
            self.skipTest("SKIPPED: a process has fewer descriptors than a user has inotify instances")

    def test_without_inotify_instances_updates_and_holds_go_on(self):
        self.node.start(through=self.user)
        self.node.daemon.wait_for("raise the sysctl fs.inotify.max_user_instances")
        self.fleet.publish_new("1.0")
        self.node.wait_active("1.0")
        self.fleet.run(*self.user, NODE, "hold", "app", "--root", self.node.root)
        wait_until(lambda: "held" in self.fleet.lull("status").out, 30, "the daemon has seen the hold")
        self.fleet.publish_new("1.1")
        self.node.daemon.wait_for("app 1.1: held")
        self.fleet.run(*self.user, NODE, "unhold", "app", "--root", self.node.root)
        self.node.wait_active("1.1")


if __name__ == "__main__":
    main()
