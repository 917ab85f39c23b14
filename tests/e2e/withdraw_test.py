"""An order cancels what runs for a release: after a withdrawal the node kills no process that it had sent SIGTERM."""

import time

from fleet import FleetTest, NODE, main
from terminal import Terminal

GRACE = 6  # seconds from SIGTERM to SIGKILL


def lives(pid):
    """Not one that has ended and only waits for its parent."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Withdraw(FleetTest):
    nodes = 1

    def setUp(self):
        super().setUp()
        self.node, = self.fleet.nodes
        self.fleet.publish_new("1.0")
        self.node.wait_active("1.0")
        stubborn = ["/bin/sh", "-c", "trap '' TERM; exec \"$@\"", "sh"]
        terminal = Terminal([*stubborn, NODE, "run", "app", "--root", self.node.root], self.fleet.environment)
        self.fleet.at_end.append(terminal.close)
        terminal.type("hello\n")
        terminal.wait_for("hello\r\nhello")
        self.pid = terminal.pid
        self.begun = time.monotonic()
        self.fleet.publish_new("1.1", options=("--policy", "restart", "--grace", f"{GRACE}s"))
        self.node.daemon.wait_for(r"app 1\.1: waiting")

    def wait_grace(self):
        time.sleep(max(0.0, self.begun + GRACE + 3 - time.monotonic()))

    def test_a_process_that_ignores_sigterm_lives_on_after_the_release_was_withdrawn(self):
        time.sleep(GRACE / 3)
        self.fleet.lull("withdraw", "app", "--why", "wrong prices")
        self.node.daemon.wait_for(r"app 1\.1: held: withdrawn by operator: wrong prices", timeout=3)
        self.wait_grace()
        self.assertTrue(lives(self.pid))
        self.assertEqual(self.node.current(), (1, "1.0"))

    def test_control_without_the_order_the_same_process_is_killed(self):
        self.node.wait_active("1.1")
        self.assertFalse(lives(self.pid))


if __name__ == "__main__":
    main()
