"""A node that was off goes straight to the newest release."""

import os
import threading

from fleet import FleetTest, main


class CatchUp(FleetTest):
    nodes = 2

    def test_a_node_that_was_off_during_three_releases_goes_straight_to_the_newest(self):
        fleet = self.fleet
        away, there = fleet.nodes
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        away.stop()
        for version in ("1.1", "1.2", "1.3"):
            mark = there.daemon.mark()
            fleet.publish_new(version)
            there.wait_active(version, after=mark)
        self.assertEqual(fleet.ledger()["node-1"]["state"], "undistributed")

        seen = set()
        with Watch(f"{away.root}/app/versions", seen):
            away.start()
            away.wait_active("1.3")
        self.assertEqual({name
                          for name in seen if "4" not in name}, {"1-1.0"}, f"only the newest is ever there: {seen}")
        for skipped in ("1.1", "1.2"):
            self.assertIsNone(away.daemon.find(rf"app {skipped}: (fetching|staged|active)"))
        self.assertEqual(away.versions(), ["1-1.0", "4-1.3"])
        fleet.checker.check_converged()

    def test_a_broker_that_was_off_is_found_again_and_what_was_published_since_arrives(self):
        fleet = self.fleet
        fleet.publish_new("1.0")
        fleet.checker.check_converged()
        self.assertEqual(fleet.broker.stop(), 0)
        fleet.start_broker()
        fleet.publish_new("1.1")
        fleet.checker.check_converged()


class Watch:
    """Notes each name that appears in a directory, however short."""

    def __init__(self, directory, seen):
        self.directory = directory
        self.seen = seen
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self):
        while not self.ending.wait(0.002):
            self.seen.update(os.listdir(self.directory))

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()


if __name__ == "__main__":
    main()
