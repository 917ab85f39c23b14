"""A small urgent update does not wait for a large installation of another software."""

import os
import signal
import time

import trees
from daemon import time_of
from fleet import FleetTest, main
from waiting import a_second, wait_until

MIB = 1 << 20
SIZE = 1536 * MIB


class SideBySide(FleetTest):
    def setUp(self):
        super().setUp()
        self.node = self.fleet.add_node("node-1").start()
        self.small = f"{self.fleet.directory}/small"
        self.write_small("1.0")
        self.fleet.publish(self.small, "1.0", software="small")
        self.node.wait_active("1.0", software="small")

    def write_small(self, version):
        trees.write(f"{self.small}/version", f"{version:44}".encode())

    def publish_large(self, software):
        """A release of many equal bytes: soon published and fetched, and long to write."""
        tree = f"{self.fleet.directory}/{software}"
        os.makedirs(tree, exist_ok=True)
        with open(f"{tree}/large", "wb") as file:
            for _ in range(SIZE // MIB):
                file.write(b"12345678" * (MIB // 8))
        self.fleet.publish(tree, "1.0", software=software)
        os.remove(f"{tree}/large")

    def wait_staging(self, software):
        place = f"{self.node.root}/{software}/versions"
        is_staging = lambda: os.path.exists(place) and any(name.startswith(".staging") for name in os.listdir(place))
        wait_until(is_staging, 120, f"{software} is being staged")

    def seconds_from_bytes_to_active(self, hindered=0.0):
        """Of the small software's next release."""
        self.write_small("1.1")
        self.fleet.publish(self.small, "1.1", "--urgency", "urgent", software="small")
        fetched = self.node.daemon.wait_for(r"small 1\.1: fetch")
        if hindered:
            self.node.daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(hindered)
            self.node.daemon.process.send_signal(signal.SIGCONT)
        return time_of(self.node.wait_active("1.1", software="small")) - time_of(fetched)

    def test_a_small_urgent_update_is_active_at_once_while_a_large_release_is_staged(self):
        self.publish_large("large")
        self.wait_staging("large")
        took = self.seconds_from_bytes_to_active()
        self.assertIsNone(self.node.daemon.find(r"large 1\.0: staged"), "the large one was not done yet")
        self.assertLess(took, a_second())
        print(f"active {took:.3f} s after its bytes were there")
        self.node.wait_active("1.0", software="large", timeout=300)

    def test_control_an_update_that_takes_longer_is_found(self):
        self.assertGreater(self.seconds_from_bytes_to_active(hindered=a_second() + 0.1), a_second())


if __name__ == "__main__":
    main()
