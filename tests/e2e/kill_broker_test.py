"""kill -9 of the broker in the middle of a transfer: everything converges by itself, and nothing durable is fetched
again."""

from fleet import main
from kills import KillTest, shares


class KillBroker(KillTest):
    def test_the_broker_is_killed_in_the_middle_of_a_transfer(self):
        fleet = self.fleet
        for i, share in enumerate(shares()):
            with self.subTest(kill=i + 1, share=share):
                killed = self.at_byte(share, fleet.broker.process.kill)
                mark = self.node.daemon.mark()
                published = self.publish_in_background(f"{i + 1}")
                self.assertTrue(killed.wait(120), "the transfer did not come so far")
                fleet.broker.wait()
                durable, before = self.durable(), self.tap.fetched()
                fleet.start_broker()
                published()
                self.node.wait_active(f"{i + 1}", after=mark)
                self.check_fetched(before, durable)
                fleet.checker.check_converged()


if __name__ == "__main__":
    main()
