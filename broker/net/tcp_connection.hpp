#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/byte_rate.hpp"

namespace lull::broker {

// The kernel's side of a peer's connection. The descriptor belongs to ZeroMQ: this class reads and sets socket options,
// may end the connection, and never reads, writes or closes. ZeroMQ may close the descriptor at any time, and its
// number may then stand for another connection. The cookie of the socket (SO_COOKIE, socket(7)) shows that; from then
// on all members have no effect and return nothing.
class TcpConnection {
public:
    // Nothing if it is no TCP connection.
    [[nodiscard]] static std::optional<TcpConnection> of(int descriptor);

    // Gives way to other traffic: least effort (RFC 8622) in the packets, the lowest band in
    // the queues of this machine (SO_PRIORITY), and little of it waiting in the socket (TCP_NOTSENT_LOWAT, tcp(7)).
    void yield_to_others() const;
    void pace(ByteRate most) const;

    // That the kernel has taken and not sent (SIOCOUTQNSD, tcp(7)).
    [[nodiscard]] Bytes unsent() const;
    // That were sent on the wire, headers and repetitions included, as far as the kernel counts them.
    [[nodiscard]] std::optional<Bytes> on_the_wire() const;

    // Smoothed (RFC 6298), between kernels: however late a program reads, it is not longer for that.
    [[nodiscard]] std::optional<Duration> round_trip() const;

    // Ends it in both directions (shutdown(2)): ZeroMQ finds its end, and closes it.
    void shut_down() const;
    // Whether the descriptor is still this connection.
    [[nodiscard]] bool alive() const;
    [[nodiscard]] bool operator==(TcpConnection const&) const = default;

    // Numeric addresses without port.
    [[nodiscard]] std::optional<std::string> peer_address() const;
    [[nodiscard]] std::optional<std::string> local_address() const;

private:
    TcpConnection(int descriptor, std::uint64_t cookie) : descriptor_(descriptor), cookie_(cookie) {}

    int descriptor_ = -1;
    std::uint64_t cookie_ = 0;
};

}  // namespace lull::broker
