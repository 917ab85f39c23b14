#include "broker/net/ip_network.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace lull::broker {

namespace {

std::array<std::uint8_t, 16> first_bits(std::array<std::uint8_t, 16> bytes, unsigned bits) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto const left = bits > 8 * i ? std::min<unsigned>(8, bits - static_cast<unsigned>(8 * i)) : 0;
        bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> left));
    }
    return bytes;
}

}  // namespace

IpNetwork::IpNetwork(Family family, std::array<std::uint8_t, 16> bytes, unsigned bits)
    : family_(family),
      bytes_(first_bits(bytes, bits)),
      bits_(bits) {}

Result<IpNetwork> IpNetwork::parse(std::string_view text) {
    auto const slash = text.find('/');
    std::string const address(text.substr(0, slash));
    std::array<std::uint8_t, 16> bytes{};
    bool const v4 = inet_pton(AF_INET, address.c_str(), bytes.data()) == 1;
    if (!v4 && inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) {
        return fail(Fault::usage, "'{}' is no network; one is written like 10.3.0.0/16 or 2001:db8::/32", text);
    }
    unsigned const most = v4 ? 32 : 128;
    unsigned bits = most;
    if (slash != std::string_view::npos) {
        auto const number = text.substr(slash + 1);
        auto const [end, error] = std::from_chars(number.data(), number.data() + number.size(), bits);
        if (error != std::errc() || end != number.data() + number.size() || bits > most) {
            return fail(Fault::usage, "'{}' is no network: behind the '/' stands a number up to {}", text, most);
        }
    }
    return IpNetwork(v4 ? Family::v4 : Family::v6, bytes, bits);
}

bool IpNetwork::contains(IpNetwork const& other) const {
    return family_ == other.family_ && bits_ <= other.bits_ && first_bits(other.bytes_, bits_) == bytes_;
}

IpNetwork IpNetwork::at_one_place() const {
    constexpr unsigned network_part = 64;
    return family_ == Family::v6 ? IpNetwork(family_, bytes_, std::min(bits_, network_part)) : *this;
}

std::string IpNetwork::text() const {
    std::array<char, INET6_ADDRSTRLEN> address{};
    inet_ntop(family_ == Family::v4 ? AF_INET : AF_INET6, bytes_.data(), address.data(), address.size());
    return bits_ == most_bits() ? std::string(address.data()) : fmt::format("{}/{}", address.data(), bits_);
}

}  // namespace lull::broker
