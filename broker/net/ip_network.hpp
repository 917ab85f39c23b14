#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace lull::broker {

// Addresses that begin with the same bits, as RFC 4632 writes them: "10.3.0.0/16", "2001:db8::/32". An address alone is
// a network of one.
class IpNetwork {
public:
    // Fault::usage with what it should look like.
    [[nodiscard]] static Result<IpNetwork> parse(std::string_view text);

    [[nodiscard]] bool contains(IpNetwork const& other) const;
    // An address of IPv6 with its last 64 bits left out, which tell machines of one place apart (RFC 4291, 2.5.1);
    // others as they are.
    [[nodiscard]] IpNetwork at_one_place() const;
    [[nodiscard]] std::string text() const;
    bool operator==(IpNetwork const&) const = default;

private:
    enum class Family : std::uint8_t { v4, v6 };
    IpNetwork(Family family, std::array<std::uint8_t, 16> bytes, unsigned bits);
    [[nodiscard]] unsigned most_bits() const { return family_ == Family::v4 ? 32 : 128; }

    Family family_;
    std::array<std::uint8_t, 16> bytes_;  // all behind the first `bits_` are zero
    unsigned bits_;
};

}  // namespace lull::broker
