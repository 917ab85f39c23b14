"""kill -9 of a node while it fetches and while it stages: it goes on from what its journal knows."""

import shutil
import unittest

from fleet import main
from kills import KILLS, KillTest, shares


class KillNode(KillTest):
    def test_a_node_is_killed_while_it_fetches(self):
        fleet = self.fleet
        for i, share in enumerate(shares()):
            with self.subTest(kill=i + 1, share=share):
                killed = self.at_byte(share, self.node.daemon.process.kill)
                published = self.publish_in_background(f"{i + 1}")
                self.assertTrue(killed.wait(120), "the transfer did not come so far")
                self.node.daemon.wait()
                published()
                durable, before = self.durable(), self.tap.fetched()
                fleet.checker.check_running()
                self.node.start()
                self.node.wait_active(f"{i + 1}")
                self.check_fetched(before, durable)
                fleet.checker.check_converged()

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_a_node_is_killed_while_it_stages(self):
        fleet, files, seen = self.fleet, 300, 0
        # Staging opens each file by openat2 when it makes, fills and syncs it: these calls are spread over all of that.
        for i, share in enumerate(shares()):
            with self.subTest(kill=i + 1, share=share):
                call = 1 + int(share * 4 * files)
                self.node.stop()
                strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=openat2", "-e",
                          f"inject=openat2:signal=SIGKILL:when={call}", "setpriv", "--pdeathsig", "KILL", "--"]
                self.node.start(through=strace)
                begin = self.tap.fetched()
                fleet.publish_new(f"{i + 1}", files=files, seed=i)
                self.node.daemon.wait(60)
                self.assertIsNone(self.node.daemon.find(f"app {i + 1}: (staged|active)"), "it was killed while staging")
                durable, before = self.durable(), self.tap.fetched()
                fleet.checker.check_running()
                self.node.start()
                self.node.wait_active(f"{i + 1}")
                self.assertLess(self.tap.fetched() - before, before - begin - durable + 64 * 1024,
                                "durable bytes were fetched again")
                seen += durable
                fleet.checker.check_converged()
        self.assertGreater(seen, 0, "something was durable when staging had begun")
        print(f"{KILLS} kills while staging", flush=True)


if __name__ == "__main__":
    main()
