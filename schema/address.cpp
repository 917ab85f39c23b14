#include "schema/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "core/text.hpp"

namespace lull {

namespace {

constexpr std::string_view scheme = "tcp://";
constexpr unsigned highest_first_port = 65532;  // the exchange is two above
constexpr std::size_t most_host = 253;          // RFC 1035 section 2.3.4, without the final dot
constexpr std::size_t most_label = 63;
constexpr std::size_t most_shown = 120;

bool is_ip(int family, std::string_view host) {
    std::array<std::byte, sizeof(in6_addr)> address{};
    return inet_pton(family, std::string(host).c_str(), address.data()) == 1;
}

bool is_label(std::string_view label) {
    auto const fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !label.empty() && label.size() <= most_label && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), fits);
}

// A name or an IPv4 address; what consists of digits and dots only must be the latter.
bool is_name_or_ipv4(std::string_view host) {
    if (host.find_first_not_of("0123456789.") == std::string_view::npos) return is_ip(AF_INET, host);
    if (host.size() > most_host) return false;
    while (true) {
        auto const dot = host.find('.');
        if (!is_label(host.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        host.remove_prefix(dot + 1);
    }
}

// Takes "HOST" or "[IPv6]" off the front of `rest`, up to the colon before the port.
std::optional<std::string> take_host(std::string_view& rest) {
    bool const bracketed = rest.starts_with('[');
    auto const end = rest.find(bracketed ? ']' : ':');
    if (end == std::string_view::npos) return std::nullopt;
    auto const host = rest.substr(bracketed ? 1 : 0, bracketed ? end - 1 : end);
    rest.remove_prefix(bracketed ? end + 1 : end);
    if (host.find('\0') != std::string_view::npos) return std::nullopt;
    if (bracketed ? !is_ip(AF_INET6, host) : !is_name_or_ipv4(host)) return std::nullopt;
    return std::string(host);
}

// Takes ":PORT" off the front of `rest`.
std::optional<std::uint16_t> take_port(std::string_view& rest) {
    if (!rest.starts_with(':')) return std::nullopt;
    unsigned port = 0;
    auto const [stop, problem] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), port);
    if (problem != std::errc() || port == 0 || port > highest_first_port) return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    return static_cast<std::uint16_t>(port);
}

tl::unexpected<Error> bad_address(std::string_view text, std::string_view what) {
    return fail(
        Fault::usage,
        "{} is no broker address: {}; write it like tcp://broker.example:7700/KEY or tcp://[2001:db8::1]:7700/KEY, "
        "with the 64 hexadecimal digits that 'lull-broker init' printed as KEY",
        lull::quoted(text, most_shown), what);
}

}  // namespace

Result<BrokerAddress> BrokerAddress::parse(std::string_view text) {
    auto rest = text;
    if (!rest.starts_with(scheme)) return bad_address(text, "it does not begin with tcp://");
    rest.remove_prefix(scheme.size());
    auto host = take_host(rest);
    if (!host) return bad_address(text, "the host is no name, IPv4 address or [IPv6 address] with a port behind it");
    auto const port = take_port(rest);
    if (!port) return bad_address(text, "the port is not 1..65532 (the two ports above it are used as well)");
    if (!rest.starts_with('/')) return bad_address(text, "the broker's key is missing");
    auto const key = PeerKey::parse(rest.substr(1));
    if (!key) return bad_address(text, "the broker's key is not 64 hexadecimal digits");
    return BrokerAddress{std::move(*host), *port, *key};
}

std::string BrokerAddress::to_text() const { return fmt::format("{}/{}", endpoint(0), key.hex()); }

std::string BrokerAddress::endpoint(unsigned offset) const {
    bool const ipv6 = host.find(':') != std::string::npos;
    return fmt::format("{}{}{}{}:{}", scheme, ipv6 ? "[" : "", host, ipv6 ? "]" : "", port + offset);
}

}  // namespace lull
