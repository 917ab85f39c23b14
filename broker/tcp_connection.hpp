#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/byte_rate.hpp"

namespace lull::broker {

// The kernel's side of a peer's connection, whose descriptor belongs to ZeroMQ: it is asked and told things, and never read, written
// or closed here. ZeroMQ may close it at any time and the number may come to stand for another connection; the cookie of the socket
// (SO_COOKIE, socket(7)) shows that, and from then on everything here says nothing and does nothing.
class TcpConnection {
public:
    // Nothing if it is no TCP connection.
    [[nodiscard]] static std::optional<TcpConnection> of(int descriptor);

    // Lets everybody else go first, wherever anybody looks: least effort (RFC 8622) in the packets, the lowest band in the queues of
    // this machine (SO_PRIORITY), and little of it waiting in the socket (TCP_NOTSENT_LOWAT, tcp(7)).
    void yield_to_others() const;
    void pace(ByteRate most) const;

    // That the kernel has taken and not sent (SIOCOUTQNSD, tcp(7)).
    [[nodiscard]] Bytes unsent() const;
    // That were sent on the wire, headers and repetitions included, as far as the kernel counts them.
    [[nodiscard]] std::optional<Bytes> on_the_wire() const;

    // Smoothed (RFC 6298), between kernels: however late a program reads, it is not longer for that.
    [[nodiscard]] std::optional<Duration> round_trip() const;

    // Numeric addresses without port.
    [[nodiscard]] std::optional<std::string> peer_address() const;
    [[nodiscard]] std::optional<std::string> local_address() const;

private:
    TcpConnection(int descriptor, std::uint64_t cookie) : descriptor_(descriptor), cookie_(cookie) {}
    [[nodiscard]] bool alive() const;

    int descriptor_ = -1;
    std::uint64_t cookie_ = 0;
};

}  // namespace lull::broker
