#include "broker/net/tcp_connection.hpp"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <limits>

namespace lull::broker {

namespace {

constexpr int least_effort = 0x04;   // DSCP 1, RFC 8622
constexpr int priority_of_bulk = 2;  // TC_PRIO_BULK, tc-prio(8): the last band
constexpr int most_unsent = 16 * 1024;
constexpr std::uint64_t packet_headers = 14 + 20 + 32;  // Ethernet, IPv4, TCP with time stamps

std::optional<std::uint64_t> cookie_of(int descriptor) {
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    if (getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
    return cookie;
}

std::optional<int> number(int descriptor, int level, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    if (getsockopt(descriptor, level, option, &value, &size) != 0) return std::nullopt;
    return value;
}

void set_number(int descriptor, int level, int option, int value) {
    (void)setsockopt(descriptor, level, option, &value, sizeof value);  // a wish: without it bytes flow all the same
}

using AddressOf = int (*)(int, sockaddr*, socklen_t*);

std::optional<std::string> address(int descriptor, AddressOf which) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (which(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
    void const* binary = nullptr;
    int family = storage.ss_family;
    if (family == AF_INET) {
        binary = &reinterpret_cast<sockaddr_in const*>(&storage)->sin_addr;
    } else if (family == AF_INET6) {
        auto const& v6 = reinterpret_cast<sockaddr_in6 const*>(&storage)->sin6_addr;
        binary = &v6;
        if (IN6_IS_ADDR_V4MAPPED(&v6)) {
            family = AF_INET;
            binary = &v6.s6_addr[12];
        }
    } else {
        return std::nullopt;
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (inet_ntop(family, binary, text.data(), text.size()) == nullptr) return std::nullopt;
    return std::string(text.data());
}

}  // namespace

std::optional<TcpConnection> TcpConnection::of(int descriptor) {
    auto const cookie = cookie_of(descriptor);
    if (!cookie || number(descriptor, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP) return std::nullopt;
    return TcpConnection(descriptor, *cookie);
}

bool TcpConnection::alive() const { return cookie_of(descriptor_) == cookie_; }

void TcpConnection::yield_to_others() const {
    if (!alive()) return;
    set_number(descriptor_, IPPROTO_IP, IP_TOS, least_effort);
    set_number(descriptor_, IPPROTO_IPV6, IPV6_TCLASS, least_effort);
    set_number(descriptor_, SOL_SOCKET, SO_PRIORITY, priority_of_bulk);  // after IP_TOS, which sets one of its own
    set_number(descriptor_, IPPROTO_TCP, TCP_NOTSENT_LOWAT, most_unsent);
}

void TcpConnection::pace(ByteRate most) const {
    if (!alive()) return;
    auto const bound = static_cast<double>(std::numeric_limits<std::int64_t>::max());
    auto const rate = static_cast<std::uint64_t>(std::min(most.per_second(), bound));
    (void)setsockopt(descriptor_, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
}

Bytes TcpConnection::unsent() const {
    int unsent = 0;
    if (!alive() || ioctl(descriptor_, SIOCOUTQNSD, &unsent) != 0 || unsent < 0) return {};
    return Bytes(static_cast<std::uint64_t>(unsent));
}

void TcpConnection::shut_down() const {
    if (alive()) (void)::shutdown(descriptor_, SHUT_RDWR);  // it may have ended by itself
}

std::optional<Bytes> TcpConnection::on_the_wire() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (!alive() || getsockopt(descriptor_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
    if (size < offsetof(tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent)
        return std::nullopt;  // Linux before 4.19
    return Bytes(info.tcpi_bytes_sent + info.tcpi_segs_out * packet_headers);
}

std::optional<Duration> TcpConnection::round_trip() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (!alive() || getsockopt(descriptor_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || info.tcpi_rtt == 0)
        return std::nullopt;
    return std::chrono::microseconds(info.tcpi_rtt);
}

std::optional<std::string> TcpConnection::peer_address() const {
    if (!alive()) return std::nullopt;
    return address(descriptor_, getpeername);
}

std::optional<std::string> TcpConnection::local_address() const {
    if (!alive()) return std::nullopt;
    return address(descriptor_, getsockname);
}

}  // namespace lull::broker
