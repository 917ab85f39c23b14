#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/files.hpp"
#include "core/units.hpp"

// What `lull-bench serve` and `lull-bench traffic` say to each other, and sockets to say it through.
//
//     connection: { request answer }           one TCP connection carries any number of web requests, or one of the
//     others request:    "LBQ1" kind(1) 0(3) size(4) value(8), big-endian answer:     web: `size` bytes; bulk: bytes
//     until the client closes;
//                 datagrams: a token(8), valid for datagrams from the same address until the client closes the
//                 connection
//     datagram:   token(8) kind(1) sequence(8) time(8) filling; a ping comes back as it is; a start makes the server
//     send a stream of datagrams
//                 of `size` bytes, `value` bits a second, with the server's monotonic time in ns

namespace lull::quiet {

enum class RequestKind : std::uint8_t { web = 'w', bulk = 'b', datagrams = 'd' };
enum class DatagramKind : std::uint8_t { ping = 'p', start = 's', stream = 't' };

struct Request {
    RequestKind kind = RequestKind::web;
    std::uint32_t size = 0;
    std::uint64_t value = 0;
};

constexpr std::size_t request_size = 20;
constexpr std::size_t datagram_least = 25;
constexpr std::size_t datagram_most = 1472;
constexpr std::uint32_t web_most = 256u << 20;

struct Datagram {
    std::uint64_t token = 0;
    DatagramKind kind = DatagramKind::ping;
    std::uint64_t sequence = 0;
    std::uint64_t time = 0;
};

using RequestBytes = std::array<std::byte, request_size>;

[[nodiscard]] RequestBytes encode(Request const& request);
// Nothing if these are no such bytes.
[[nodiscard]] std::optional<Request> decode_request(RequestBytes const& bytes);

// Writes the head of a datagram; `into` has at least datagram_least bytes.
void encode(Datagram const& datagram, std::span<std::byte> into);
[[nodiscard]] std::optional<Datagram> decode_datagram(std::span<std::byte const> bytes);

// A name or address and a port.
struct Place {
    std::string host;
    std::string port;

    // "host:7800", "192.0.2.1:7800", "[2001:db8::1]:7800". Fault::usage otherwise.
    [[nodiscard]] static Result<Place> parse(std::string const& text);
    [[nodiscard]] std::string to_text() const { return host + ":" + port; }
};

enum class Transport { tcp, udp };

// An address of sockets, as the kernel has it.
struct SocketAddress {
    std::array<std::byte, 128> bytes{};
    unsigned size = 0;
    int family = 0;

    [[nodiscard]] bool same_host(SocketAddress const& other) const;
};

[[nodiscard]] Result<SocketAddress> resolve(Place const& place, Transport transport);

// Listening and non-blocking. `congestion` names TCP's congestion control, or is empty.
[[nodiscard]] Result<FileDescriptor> listen_on(Place const& place, Transport transport, std::string const& congestion);
// Connecting and non-blocking: writable when it is connected.
[[nodiscard]] Result<FileDescriptor> connect_to(SocketAddress const& address, Transport transport);
// What became of the connecting: 0, or errno.
[[nodiscard]] int connection_error(int socket);

}  // namespace lull::quiet
