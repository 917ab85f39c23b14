#pragma once

#include <string_view>

namespace lull {

// Addresses of this machine that lead elsewhere: neither loopback nor link-local ones (getifaddrs(3)).
struct OwnAddresses {
    bool ipv4 = false;
    bool ipv6 = false;
};
[[nodiscard]] OwnAddresses own_addresses();

// Whether the host of an endpoint "tcp://HOST:PORT" is to be looked up and spoken to by IPv6. libzmq looks in one
// family (zmq_setsockopt(3), ZMQ_IPV6), and tries the first address only: a name means IPv4, unless this machine has
// addresses of IPv6 alone.
[[nodiscard]] bool by_ipv6(std::string_view endpoint, OwnAddresses own);

}  // namespace lull
