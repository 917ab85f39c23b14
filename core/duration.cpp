#include "core/duration.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace lull {

namespace {

struct DurationUnit {
    std::string_view name;
    std::uint64_t seconds;
};

constexpr std::array duration_units = {DurationUnit{"", 1},   DurationUnit{"s", 1},    DurationUnit{"min", 60},
                                       DurationUnit{"m", 60}, DurationUnit{"h", 3600}, DurationUnit{"d", 86'400}};
constexpr std::uint64_t most_seconds = 10ULL * 366 * 86'400;

}  // namespace

Result<std::chrono::seconds> parse_duration(std::string_view text) {
    std::uint64_t number = 0;
    auto const [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    std::string_view name(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    while (name.starts_with(' ')) name.remove_prefix(1);
    for (auto const& unit : duration_units) {
        bool const fits = error == std::errc() && name == unit.name && number <= most_seconds / unit.seconds;
        if (fits) return std::chrono::seconds(number * unit.seconds);
    }
    return fail(Fault::usage, "'{}' is no length of time; write it like 30s, 5min, 2h or 7d, up to ten years", text);
}

}  // namespace lull
