#include "broker/net/network_interfaces.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>
#include <charconv>

#include "core/files.hpp"

namespace lull::broker {

namespace {

constexpr int most_layers = 8;  // of interfaces on interfaces
constexpr Duration active_for = std::chrono::seconds(5);

fs::path directory_of(std::string const& interface) { return fs::path("/sys/class/net") / interface; }

// Files of sysfs say that they have a page, whatever they hold.
std::optional<std::int64_t> read_number(fs::path const& path) {
    auto const bytes = read_file(path, KiB(64));
    if (!bytes) return std::nullopt;
    auto const text = as_text(*bytes);
    std::int64_t value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end == text.data()) return std::nullopt;
    return value;
}

// The one interface that this one is built on; nothing if there is none, or several.
std::optional<std::string> below(std::string const& interface) {
    constexpr std::string_view prefix = "lower_";
    std::optional<std::string> found;
    std::error_code error;
    for (auto const& entry : fs::directory_iterator(directory_of(interface), error)) {
        auto const name = entry.path().filename().string();
        if (!name.starts_with(prefix)) continue;
        if (found) return std::nullopt;
        found = name.substr(prefix.size());
    }
    return found;
}

std::string lowest(std::string interface) {
    for (int i = 0; i < most_layers; ++i) {
        auto next = below(interface);
        if (!next) break;
        interface = std::move(*next);
    }
    return interface;
}

// As the driver tells it; virtual ones say -1.
std::optional<ByteRate> link_speed(std::string const& line) {
    auto const mbit = read_number(directory_of(line) / "speed");
    if (!mbit || *mbit <= 0) return std::nullopt;
    return Mbit(static_cast<double>(*mbit));
}

std::optional<std::string> text_of(sockaddr const* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    void const* binary = nullptr;
    if (address->sa_family == AF_INET) binary = &reinterpret_cast<sockaddr_in const*>(address)->sin_addr;
    if (address->sa_family == AF_INET6) binary = &reinterpret_cast<sockaddr_in6 const*>(address)->sin6_addr;
    if (binary == nullptr || inet_ntop(address->sa_family, binary, text.data(), text.size()) == nullptr)
        return std::nullopt;
    return std::string(text.data());
}

}  // namespace

void NetworkInterfaces::find_interfaces() {
    interfaces_.clear();
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) return;
    for (auto const* entry = all; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) continue;
        auto const address = text_of(entry->ifa_addr);
        if (!address) continue;
        bool const loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
        interfaces_[*address] = loopback ? std::string() : lowest(entry->ifa_name);
    }
    freeifaddrs(all);
}

// Nothing for loopback: a peer on this machine is reached by it, whatever address it uses.
std::optional<std::string> NetworkInterfaces::line_of(TcpConnection const& connection) {
    auto const local = connection.local_address();
    auto const peer = connection.peer_address();
    if (!local || !peer || *local == *peer) return std::nullopt;
    if (!interfaces_.contains(*local)) find_interfaces();
    auto const found = interfaces_.find(*local);
    if (found == interfaces_.end()) return "unknown";
    return found->second.empty() ? std::nullopt : std::optional(found->second);
}

// The first 64 bits of an address of IPv6 are those of a network at one place.
std::string NetworkInterfaces::site_of(std::string const& text) const {
    auto const address = IpNetwork::parse(text);
    if (!address) return text;
    for (auto const& site : sites_) {
        if (site.contains(*address)) return site.text();
    }
    return address->at_one_place().text();
}

std::optional<Route> NetworkInterfaces::open(SessionId session, TcpConnection const& connection) {
    auto line = line_of(connection);
    if (!line) return std::nullopt;
    connection.yield_to_others();
    connections_.insert_or_assign(session, Connection{*line, connection});
    return Route{site_of(connection.peer_address().value_or("unknown")), std::move(*line)};
}

void NetworkInterfaces::close(SessionId session) {
    auto const found = connections_.find(session);
    if (found == connections_.end()) return;
    if (found->second.sent) {
        count(found->second);
        std::erase(active_, session);
    }
    connections_.erase(found);
}

TcpConnection const* NetworkInterfaces::connection(SessionId session) const {
    auto const found = connections_.find(session);
    return found == connections_.end() ? nullptr : &found->second.kernel;
}

void NetworkInterfaces::sent(SessionId session, TimePoint now) {
    auto const found = connections_.find(session);
    if (found == connections_.end()) return;
    auto& connection = found->second;
    if (!connection.sent) active_.push_back(session);
    connection.sent = now;
    if (!lines_.contains(connection.line)) lines_.emplace(connection.line, Line{.speed = link_speed(connection.line)});
}

void NetworkInterfaces::count(Connection& connection) {
    auto const now = connection.kernel.on_the_wire();
    if (!now || *now <= connection.counted) return;
    lines_.at(connection.line).ours += *now - connection.counted;
    connection.counted = *now;
}

// The interface's counter first: what leaves between the two readings must not be taken for others'.
std::vector<LineReading> NetworkInterfaces::read(TimePoint now) {
    std::map<std::string, Bytes> all;
    for (auto const& [name, line] : lines_) {
        auto const sent = read_number(directory_of(name) / "statistics" / "tx_bytes");
        if (sent && *sent >= 0) all.emplace(name, Bytes(static_cast<std::uint64_t>(*sent)));
    }
    std::erase_if(active_, [&](SessionId session) {
        auto& connection = connections_.at(session);
        count(connection);
        bool const still = now - *connection.sent > active_for;
        if (still) connection.sent.reset();
        return still;
    });
    std::vector<LineReading> readings;
    for (auto const& [name, sent] : all) {
        auto const& line = lines_.at(name);
        readings.push_back({name, {now, sent, line.ours}, line.speed});
    }
    return readings;
}

}  // namespace lull::broker
