#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/model/events.hpp"
#include "broker/net/ip_network.hpp"
#include "broker/net/tcp_connection.hpp"

namespace lull::broker {

// The kernel's side of all sessions: their connections, the interfaces by which those go, and what the counters of
// these say beside our own bytes. Interfaces that are built on one other (VLANs) stand for that one; a bond or a tunnel
// stands for itself.
class NetworkInterfaces {
public:
    // Nodes in one of these networks are one site; any other address is a site of its own, of IPv6 its first 64 bits.
    explicit NetworkInterfaces(std::vector<IpNetwork> sites) : sites_(std::move(sites)) {}

    // Where the bytes of a new session will flow; nothing for a peer on this machine, whose bytes enter no network.
    // Makes its connection give way to others.
    [[nodiscard]] std::optional<Route> open(SessionId session, TcpConnection const& connection);
    void close(SessionId session);
    // Null once it is closed.
    [[nodiscard]] TcpConnection const* connection(SessionId session) const;

    // Something was sent there: its bytes are counted from now on, until it has been still for some seconds.
    void sent(SessionId session, TimePoint now);
    // One for each line on which bytes were sent to a session and whose counters can be read.
    [[nodiscard]] std::vector<LineReading> read(TimePoint now);
    // Whether bytes of any session are being counted: reading is worth it.
    [[nodiscard]] bool busy() const { return !active_.empty(); }

    // The site to which a numeric address belongs.
    [[nodiscard]] std::string site_of(std::string const& address) const;

private:
    struct Connection {
        std::string line;
        TcpConnection kernel;
        Bytes counted{};                  // on the wire, when it was looked at last
        std::optional<TimePoint> sent{};  // it is in active_
    };
    void find_interfaces();
    [[nodiscard]] std::optional<std::string> line_of(TcpConnection const& connection);
    void count(Connection& connection);

    std::vector<IpNetwork> sites_;
    std::map<std::string, std::string, std::less<>> interfaces_;  // by address
    std::unordered_map<SessionId, Connection> connections_;
    std::vector<SessionId> active_;
    struct Line {
        Bytes ours{};  // sent by it so far
        std::optional<ByteRate> speed;
    };
    std::map<std::string, Line> lines_;
};

}  // namespace lull::broker
