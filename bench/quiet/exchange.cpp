#include "bench/quiet/exchange.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

#include "core/text.hpp"

namespace lull::quiet {

namespace {

constexpr std::array<std::byte, 4> magic{std::byte{'L'}, std::byte{'B'}, std::byte{'Q'}, std::byte{'1'}};

template <class Number>
void put(std::span<std::byte> into, std::size_t at, Number value) {
    for (std::size_t i = 0; i < sizeof value; ++i) {
        into[at + i] = static_cast<std::byte>(value >> (8 * (sizeof value - 1 - i)));
    }
}

template <class Number>
Number get(std::span<std::byte const> from, std::size_t at) {
    Number value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i)
        value = static_cast<Number>(value << 8 | static_cast<Number>(from[at + i]));
    return value;
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<Addresses> look_up(Place const& place, Transport transport, int flags) {
    addrinfo hints{};
    hints.ai_socktype = transport == Transport::tcp ? SOCK_STREAM : SOCK_DGRAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    int const problem = getaddrinfo(place.host.c_str(), place.port.c_str(), &hints, &found);
    if (problem != 0) return fail(Fault::unreachable, "cannot find {}: {}", place.to_text(), gai_strerror(problem));
    return Addresses(found, freeaddrinfo);
}

FileDescriptor new_socket(int family, Transport transport) {
    int const type = transport == Transport::tcp ? SOCK_STREAM : SOCK_DGRAM;
    return FileDescriptor(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

}  // namespace

RequestBytes encode(Request const& request) {
    RequestBytes bytes{};
    std::copy(magic.begin(), magic.end(), bytes.begin());
    bytes[4] = static_cast<std::byte>(request.kind);
    put(bytes, 8, request.size);
    put(bytes, 12, request.value);
    return bytes;
}

std::optional<Request> decode_request(RequestBytes const& bytes) {
    if (!std::equal(magic.begin(), magic.end(), bytes.begin())) return std::nullopt;
    Request const request{static_cast<RequestKind>(bytes[4]), get<std::uint32_t>(bytes, 8),
                          get<std::uint64_t>(bytes, 12)};
    switch (request.kind) {
        case RequestKind::web: return request.size <= web_most ? std::optional(request) : std::nullopt;
        case RequestKind::bulk: return request;
        case RequestKind::datagrams: return request.size <= datagram_most ? std::optional(request) : std::nullopt;
    }
    return std::nullopt;
}

void encode(Datagram const& datagram, std::span<std::byte> into) {
    put(into, 0, datagram.token);
    into[8] = static_cast<std::byte>(datagram.kind);
    put(into, 9, datagram.sequence);
    put(into, 17, datagram.time);
}

std::optional<Datagram> decode_datagram(std::span<std::byte const> bytes) {
    if (bytes.size() < datagram_least) return std::nullopt;
    return Datagram{get<std::uint64_t>(bytes, 0), static_cast<DatagramKind>(bytes[8]), get<std::uint64_t>(bytes, 9),
                    get<std::uint64_t>(bytes, 17)};
}

Result<Place> Place::parse(std::string const& text) {
    auto const colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
        return fail(Fault::usage, "{} is no address; write it like bench.example:7800", lull::quoted(text));
    }
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    auto port = text.substr(colon + 1);
    if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos || std::stoul(port) == 0 ||
        std::stoul(port) > 65535) {
        return fail(Fault::usage, "{} is no port; it is a number from 1 to 65535", lull::quoted(port));
    }
    return Place{std::move(host), std::move(port)};
}

bool SocketAddress::same_host(SocketAddress const& other) const {
    if (family != other.family) return false;
    std::size_t const at = family == AF_INET6 ? offsetof(sockaddr_in6, sin6_addr) : offsetof(sockaddr_in, sin_addr);
    std::size_t const length = family == AF_INET6 ? 16 : 4;
    return std::memcmp(bytes.data() + at, other.bytes.data() + at, length) == 0;
}

Result<SocketAddress> resolve(Place const& place, Transport transport) {
    auto const found = look_up(place, transport, 0);
    if (!found) return pass(found.error());
    SocketAddress address;
    address.size = (*found)->ai_addrlen;
    address.family = (*found)->ai_family;
    std::memcpy(address.bytes.data(), (*found)->ai_addr, address.size);
    return address;
}

Result<FileDescriptor> listen_on(Place const& place, Transport transport, std::string const& congestion) {
    auto const found = look_up(place, transport, AI_PASSIVE);
    if (!found) return pass(found.error());
    auto socket = new_socket((*found)->ai_family, transport);
    int const on = 1;
    if (socket.valid()) (void)setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!socket.valid() || bind(socket.get(), (*found)->ai_addr, (*found)->ai_addrlen) != 0)
        return fail_errno("listen on", place.to_text());
    if (transport == Transport::udp) return socket;
    if (!congestion.empty() && setsockopt(socket.get(), IPPROTO_TCP, TCP_CONGESTION, congestion.data(),
                                          static_cast<socklen_t>(congestion.size())) != 0) {
        return fail_errno("use congestion control", congestion);
    }
    (void)setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (listen(socket.get(), 1024) != 0) return fail_errno("listen on", place.to_text());
    return socket;
}

Result<FileDescriptor> connect_to(SocketAddress const& address, Transport transport) {
    auto socket = new_socket(address.family, transport);
    int const on = 1;
    if (socket.valid() && transport == Transport::tcp)
        (void)setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!socket.valid() ||
        (connect(socket.get(), reinterpret_cast<sockaddr const*>(address.bytes.data()), address.size) != 0 &&
         errno != EINPROGRESS)) {
        return fail_errno("connect to", "the server");
    }
    return socket;
}

int connection_error(int socket) {
    int problem = 0;
    socklen_t size = sizeof problem;
    return getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 ? problem : errno;
}

}  // namespace lull::quiet
