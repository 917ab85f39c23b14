#include "core/ip_family.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <memory>
#include <string>

namespace lull {

OwnAddresses own_addresses() {
    OwnAddresses own;
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return own;
    std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> const addresses(list, freeifaddrs);
    for (auto const* one = addresses.get(); one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
        if (one->ifa_addr->sa_family == AF_INET) own.ipv4 = true;
        if (one->ifa_addr->sa_family != AF_INET6) continue;
        auto const& address = reinterpret_cast<sockaddr_in6 const*>(one->ifa_addr)->sin6_addr;
        if (!IN6_IS_ADDR_LINKLOCAL(&address)) own.ipv6 = true;
    }
    return own;
}

bool by_ipv6(std::string_view endpoint, OwnAddresses own) {
    constexpr std::string_view scheme = "tcp://";
    if (!endpoint.starts_with(scheme)) return false;
    endpoint.remove_prefix(scheme.size());
    if (endpoint.starts_with('[')) return true;
    std::string const host(endpoint.substr(0, endpoint.rfind(':')));
    in_addr address{};
    if (inet_pton(AF_INET, host.c_str(), &address) == 1) return false;
    return own.ipv6 && !own.ipv4;
}

}  // namespace lull
