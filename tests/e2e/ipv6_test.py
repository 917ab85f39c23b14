"""A fleet that speaks IPv6: the address of the broker, its bundles, and both families on one port."""

from fleet import FleetTest, main


class OnIpv6(FleetTest):
    """A broker that listens on an address of IPv6 alone."""
    listen = "[::1]"

    def test_an_update_arrives(self):
        self.assertTrue(self.fleet.address.startswith(f"tcp://[::1]:{self.fleet.port}/"), self.fleet.address)
        node = self.fleet.add_node("till").start()
        self.fleet.publish_new("1.0")
        node.wait_active("1.0")
        self.fleet.checker.check_converged()


class OnEveryAddress(FleetTest):
    """A broker that listens on [::] serves nodes of both families, which are told apart as usual."""
    listen = "[::]"
    advertise = "::1"

    def test_nodes_of_both_families_get_an_update(self):
        of_ipv6 = self.fleet.add_node("six").start()
        of_ipv4 = self.fleet.add_node("four", self.fleet.address.replace("[::1]", "127.0.0.1")).start()
        self.fleet.publish_new("1.0")
        for node in (of_ipv6, of_ipv4):
            node.wait_active("1.0")
        self.fleet.checker.check_converged()


if __name__ == "__main__":
    main()
