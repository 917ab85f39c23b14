"""What the tests with kill -9 share: a node behind a tap, and what it may fetch after a kill."""

import os
import threading

from fleet import LULL, FleetTest, free_ports
from tap import Tap

MIB = 1 << 20
KILLS = int(os.environ.get("LULL_E2E_KILLS", "2"))  # of each kind; 10 for the full show
LARGE = 96 * MIB
SLACK = MIB  # handshakes, headers, manifests, small files


class KillTest(FleetTest):
    def setUp(self):
        super().setUp()
        fleet = self.fleet
        port = free_ports()
        self.tap = Tap(port, fleet.port)
        fleet.at_end.append(self.tap.close)
        key = fleet.address.rsplit("/", 1)[1]
        self.node = fleet.add_node("tapped", f"tcp://127.0.0.1:{port}/{key}").start()
        self.plain = fleet.add_node("plain").start()
        fleet.publish_new("0", files=0, large=MIB)
        fleet.checker.check_converged()

    def publish_in_background(self, version):
        """Publishes while the broker may be killed; the publisher has to get over that by itself."""
        problems = []

        def publish():
            try:
                self.fleet.publish_new(version, files=0, large=LARGE)
            except AssertionError as problem:
                problems.append(problem)

        thread = threading.Thread(target=publish)
        thread.start()

        def finish():
            thread.join()
            self.assertFalse(problems, problems)

        return finish

    def at_byte(self, share, action):
        """Does something in the middle of the next transfer, and returns an event that says that it is done."""
        done = threading.Event()

        def act():
            action()
            done.set()

        self.tap.at(self.tap.fetched() + int(share * LARGE), act)
        return done

    def durable(self):
        """Bytes of objects that the node's journal counts as here."""
        return self.node.status()["incoming_bytes"]

    def check_fetched(self, before, durable):
        """Since `before`, no more has come than what was not durable; and what was not, has come."""
        fetched = self.tap.fetched() - before
        lacking = LARGE - durable
        print(
            f"durable at the kill: {durable / MIB:.1f} MiB of {LARGE // MIB}; fetched afterwards: {fetched / MIB:.2f} "
            "MiB",
            flush=True)
        self.assertLessEqual(fetched, lacking + SLACK, "bytes that were durable were fetched again")
        return fetched


def shares():
    """Where in the transfer to kill: spread over all of it."""
    return [(i + 0.5) / KILLS for i in range(KILLS)]
