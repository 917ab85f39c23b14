#include "core/byte_rate.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string>

namespace lull {

namespace {

struct Unit {
    std::string_view name;
    double bits;
};
constexpr std::array<Unit, 4> units{{{"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}};

}  // namespace

Result<ByteRate> parse_bit_rate(std::string_view text) {
    constexpr double most = 1e13;  // bits a second
    double number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc()) {
        auto rest = text.substr(static_cast<std::size_t>(end - text.data()));
        while (rest.starts_with(' ')) rest.remove_prefix(1);
        if (rest.ends_with("/s")) rest.remove_suffix(2);
        for (auto const& unit : units) {
            bool const sound = number > 0 && number * unit.bits <= most;
            if (rest == unit.name && sound) return ByteRate(number * unit.bits / 8);
        }
    }
    return fail(Fault::usage, "'{}' is no rate of a line; one is written like 20Mbit, 1.5Gbit or 500kbit", text);
}

std::string to_text(ByteRate rate) {
    auto const bits = rate.per_second() * 8;
    for (auto const& unit : units) {
        if (bits >= unit.bits) return fmt::format("{:.3g} {}/s", bits / unit.bits, unit.name);
    }
    return "0 bit/s";
}

}  // namespace lull
